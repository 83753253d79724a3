// SPDX-License-Identifier: Apache-2.0
/* Acts on data, pipes and rings. */
#include "acts.h"

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/uio.h>

/* 200 bytes, of which an event shows the first 80. */
static char data200[201];
static char *data80;

static void make_data(void)
{
	for (int i = 0; i < 200; i++)
		data200[i] = 'a' + i % 26;
	data80 = strndup(data200, 80);
}

static void act_readwrite(void)
{
	static char buf[300];
	long fd = raw(SYS_openat, AT_FDCWD, "/tmp/data", O_CREAT | O_RDWR, 0600);

	raw(SYS_write, fd, data200, 200);
	expect("write/cut", "write_x", "res=200 data=\"%s\" fd=%ld size=200 rec=0", data80, fd);
	raw(SYS_write, fd, "short", 5);
	expect("write/short", "write_x", "res=5 data=\"short\" size=5");
	raw(SYS_write, -1, "refused", 7);
	expect("write/bad", "write_x", "res=-9 data=\"refused\" fd=-1 size=7");
	raw(SYS_write, fd, NULL, 9);
	expect("write/null", "write_x", "res=-14 data=- size=9");
	raw(SYS_write, fd, "", 0);
	expect("write/nothing", "write_x", "res=0 data=- size=0");
	raw(SYS_write, fd, 16, 9);
	expect("write/fault", "write_x", "res=-14 data=- size=9 rec=%d", FAULT);

	raw(SYS_lseek, fd, 0, SEEK_SET);
	expect("lseek", "lseek_x", "res=0 fd=%ld offset=0 whence=0", fd);
	raw(SYS_read, fd, buf, 300);
	expect("read/cut", "read_x", "res=205 data=\"%s\" fd=%ld size=300 rec=0", data80, fd);
	raw(SYS_read, fd, buf, 300);
	expect("read/end", "read_x", "res=0 data=- size=300");
	raw(SYS_read, 99, buf, 300);
	expect("read/bad", "read_x", "res=-9 data=- fd=99 size=300");

	raw(SYS_pread64, fd, buf, 4, 2);
	expect("pread", "pread_x", "res=4 data=\"cdef\" fd=%ld size=4 pos=2", fd);
	raw(SYS_pwrite64, fd, "XY", 2, 0x123456789);
	expect("pwrite", "pwrite_x", "res=2 data=\"XY\" fd=%ld size=2 pos=%ld", fd, 0x123456789);
	raw(SYS_pwrite64, 99, "XY", 2, -1);
	expect("pwrite/bad", "pwrite_x", "res=-22 data=\"XY\" pos=18446744073709551615");
}

static void act_vectors(void)
{
	static char buf[300], page[8192] __attribute__((aligned(4096)));
	static struct iovec many[300];
	struct iovec two[] = { { "hello", 5 }, { "world", 5 } }, in[] = { { buf, 3 }, { buf + 100, 100 } };
	long fd = raw(SYS_openat, AT_FDCWD, "/tmp/vector", O_CREAT | O_RDWR, 0600);

	raw(SYS_writev, fd, two, 2);
	expect("writev", "writev_x", "res=10 data=\"helloworld\" fd=%ld size=10", fd);
	raw(SYS_lseek, fd, 0, SEEK_SET);
	raw(SYS_readv, fd, in, 2);
	expect("readv", "readv_x", "res=10 size=10 data=\"helloworld\" fd=%ld", fd);
	raw(SYS_readv, 99, in, 2);
	expect("readv/bad", "readv_x", "res=-9 size=0 data=- fd=99");
	raw(SYS_pwritev, fd, two, 2, 7, 0);
	expect("pwritev", "pwritev_x", "res=10 data=\"helloworld\" size=10 pos=7");
	raw(SYS_preadv, fd, in, 1, 7, 0);
	expect("preadv", "preadv_x", "res=3 size=3 data=\"hel\" pos=7");
	raw(SYS_writev, fd, NULL, 2);
	expect("writev/null", "writev_x", "res=-14 data=- size=0");

	/* More entries than fit into a page; only the first bytes are shown, all are counted. */
	for (int i = 0; i < 300; i++)
		many[i] = (struct iovec){ "0123456789", 10 };
	raw(SYS_writev, fd, many, 300);
	expect("writev/many", "writev_x", "res=3000 size=3000 data=\"%.80s\"",
	       "01234567890123456789012345678901234567890123456789012345678901234567890123456789");

	/* The second half of the data cannot be read, though the first could be written. */
	memset(page, 'p', sizeof(page));
	mprotect(page + 4096, 4096, PROT_NONE);
	struct iovec half[] = { { page + 4090, 12 } };

	raw(SYS_writev, fd, half, 1);
	expect("writev/half", "writev_x", "res=? data=\"pppppp\" size=12 rec=%d", FAULT);
	mprotect(page + 4096, 4096, PROT_READ | PROT_WRITE);
}

static void act_pipes(void)
{
	struct object o;
	int fds[2];

	raw(SYS_pipe, fds);
	o = object_of(fds[0]);
	expect("pipe", "pipe_x", "res=0 fd1=%d fd2=%d ino=%lu", fds[0], fds[1], o.ino);
	raw(SYS_pipe, NULL);
	expect("pipe/null", "pipe_x", "res=-14 fd1=-1 fd2=-1 ino=0 rec=0");
	raw(SYS_pipe2, fds, O_CLOEXEC | O_NONBLOCK);
	o = object_of(fds[0]);
	expect("pipe2", "pipe2_x", "res=0 fd1=%d fd2=%d ino=%lu flags=%d", fds[0], fds[1], o.ino, S_CLOEXEC | S_NONBLOCK);
	raw(SYS_pipe2, fds, 1);
	expect("pipe2/invalid", "pipe2_x", "res=-22 fd1=-1 fd2=-1 ino=0 flags=0");

	long to = raw(SYS_dup, fds[1]);

	expect("dup", "dup_x", "res=%ld oldfd=%d", to, fds[1]);
	raw(SYS_dup2, fds[0], 100);
	expect("dup2", "dup2_x", "res=100 oldfd=%d newfd=100", fds[0]);
	raw(SYS_dup3, fds[0], 101, O_CLOEXEC);
	expect("dup3", "dup3_x", "res=101 oldfd=%d newfd=101 flags=%d", fds[0], S_CLOEXEC);

	static int64_t offset = 3;
	long from = raw(SYS_openat, AT_FDCWD, "/tmp/data", O_RDONLY);

	raw(SYS_sendfile, fds[1], from, &offset, 5);
	expect("sendfile", "sendfile_x", "res=5 offset=8 out_fd=%d in_fd=%ld size=5", fds[1], from);
	raw(SYS_sendfile, 99, from, NULL, 7);
	expect("sendfile/bad", "sendfile_x", "res=-9 offset=0 out_fd=99 in_fd=%ld size=7", from);

	struct pollfd polls[] = { { fds[0], POLLIN, 0 }, { fds[1], POLLOUT, 0 }, { 999, POLLIN, 0 } };

	raw(SYS_poll, polls, 3, -1);
	expect("poll", "poll_x", "res=3 fds=3,%d:1,%d:4,999:64 timeout=-1", fds[0], fds[1]);
	raw(SYS_poll, polls, 0, 1);
	expect("poll/none", "poll_x", "res=0 fds=0 timeout=1");

	static const struct timespec wait = { 0, 1500 }; /* where the kernel cannot write what is left of it */
	uint64_t mask = 0x1000;

	raw(SYS_ppoll, polls, 1, &wait, &mask, 8);
	expect("ppoll", "ppoll_x", "res=1 fds=1,%d:1 timeout=1500 sigmask=4096", fds[0]);
	raw(SYS_ppoll, NULL, 1, NULL, NULL, 8);
	expect("ppoll/null", "ppoll_x", "res=-14 fds=0 timeout=0 sigmask=0");

	static struct pollfd crowd[300];

	for (int i = 0; i < 300; i++)
		crowd[i] = (struct pollfd){ -1, 0, 0 };
	crowd[299].fd = 5000;
	raw(SYS_poll, crowd, 300, 0);
	expect("poll/crowd", "poll_x", "res=1 fds=?");

	struct timespec nap = { 0, 1000 }, long_nap = { 5, 2000000000 };

	raw(SYS_nanosleep, &nap, NULL);
	expect("nanosleep", "nanosleep_x", "res=0 interval=1000");
	raw(SYS_nanosleep, &long_nap, NULL);
	expect("nanosleep/invalid", "nanosleep_x", "res=-22 interval=7000000000");
	raw(SYS_nanosleep, NULL, NULL);
	expect("nanosleep/null", "nanosleep_x", "res=-14 interval=0 rec=0");
}

static void act_uring(void)
{
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE, .cq_entries = 64 };
	unsigned features;
	long fd = raw(SYS_io_uring_setup, 8, &p);

	/* The schema's bit for each feature is the host's, as far as it knows them. */
	features = p.features & 0x7ff;
	expect("io_uring_setup", "io_uring_setup_x",
	       "res=%ld entries=8 sq_entries=%u cq_entries=%u flags=16 sq_thread_cpu=0 sq_thread_idle=0 features=%u",
	       fd, p.sq_entries, p.cq_entries, features);
	raw(SYS_io_uring_setup, 8, NULL);
	expect("io_uring_setup/null", "io_uring_setup_x", "res=? sq_entries=0 features=0");
}

static void act_io(void)
{
	make_data();
	in_child(act_readwrite);
	in_child(act_vectors);
	in_child(act_pipes);
	in_child(act_uring);
}
