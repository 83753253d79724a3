// SPDX-License-Identifier: Apache-2.0
/* Acts on data, pipes and rings. */
#include "acts.h"

#include <linux/io_uring.h>
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
	long fd = raw(SYS_openat, AT_FDCWD, "/tmp/data", O_CREAT | O_RDWR | 0100000, 0600);

	raw(SYS_write, fd, data200, 200);
	expect("write/cut", "write_x", "res=200 data='%s' fd=%ld size=200", data80, fd);
	raw(SYS_write, fd, "short", 5);
	expect("write/short", "write_x", "res=5 data='short' size=5");
	raw(SYS_write, -1, "refused", 7);
	expect("write/bad", "write_x", "res=-9 data='refused' fd=-1 size=7");
	raw(SYS_write, fd, NULL, 9);
	expect("write/null", "write_x", "res=-14 data=- size=9");
	raw(SYS_write, fd, "", 0);
	expect("write/nothing", "write_x", "res=0 data=- size=0");
	raw(SYS_write, fd, 16, 9);
	expect("write/fault", "write_x", "res=-14 data=- size=9 rec=fault");

	raw(SYS_lseek, fd, 0, SEEK_SET);
	expect("lseek", "lseek_x", "res=0 fd=%ld offset=0 whence=0", fd);
	raw(SYS_read, fd, buf, 300);
	expect("read/cut", "read_x", "res=205 data='%s' fd=%ld size=300", data80, fd);
	raw(SYS_read, fd, buf, 300);
	expect("read/end", "read_x", "res=0 data=- size=300");
	raw(SYS_read, 99, buf, 300);
	expect("read/bad", "read_x", "res=-9 data=- fd=99 size=300");

	raw(SYS_pread64, fd, buf, 4, WIDE(2));
	expect("pread", "pread_x", "res=4 data='cdef' fd=%ld size=4 pos=2", fd);
	raw(SYS_pwrite64, fd, "XY", 2, WIDE(0x123456789));
	expect("pwrite", "pwrite_x", "res=2 data='XY' fd=%ld size=2 pos=%llu", fd, 0x123456789ULL);
	raw(SYS_pwrite64, 99, "XY", 2, WIDE(-1LL));
	expect("pwrite/bad", "pwrite_x", "res=-22 data='XY' pos=18446744073709551615");
}

static void act_vectors(void)
{
	static char buf[300], page[8192] __attribute__((aligned(4096)));
	static struct iovec many[300];
	struct iovec two[] = { { "hello", 5 }, { "world", 5 } }, in[] = { { buf, 3 }, { buf + 100, 100 } };
	long fd = raw(SYS_openat, AT_FDCWD, "/tmp/vector", O_CREAT | O_RDWR, 0600);

	raw(SYS_writev, fd, two, 2);
	expect("writev", "writev_x", "res=10 data='helloworld' fd=%ld size=10", fd);
	raw(SYS_lseek, fd, 0, SEEK_SET);
	raw(SYS_readv, fd, in, 2);
	expect("readv", "readv_x", "res=10 size=10 data='helloworld' fd=%ld", fd);
	raw(SYS_readv, 99, in, 2);
	expect("readv/bad", "readv_x", "res=-9 size=0 data=- fd=99");
	raw(SYS_pwritev, fd, two, 2, 7, 0);
	expect("pwritev", "pwritev_x", "res=10 data='helloworld' size=10 pos=7");
	raw(SYS_preadv, fd, in, 1, 7, 0);
	expect("preadv", "preadv_x", "res=3 size=3 data='hel' pos=7");
	raw(SYS_writev, fd, NULL, 2);
	expect("writev/null", "writev_x", "res=-14 data=- size=0");

	/* More entries than fit into a page; only the first bytes are shown, all are counted. */
	for (int i = 0; i < 300; i++)
		many[i] = (struct iovec){ "0123456789", 10 };
	raw(SYS_writev, fd, many, 300);
	expect("writev/many", "writev_x", "res=3000 size=3000 data='%.80s'",
	       "01234567890123456789012345678901234567890123456789012345678901234567890123456789");

	/* The second half of the data cannot be read, though the first could be written. */
	memset(page, 'p', sizeof(page));
	mprotect(page + 4096, 4096, PROT_NONE);
	struct iovec half[] = { { page + 4090, 12 } };

	raw(SYS_writev, fd, half, 1);
	expect("writev/half", "writev_x", "res=? data='pppppp' size=12 rec=fault");
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
	expect("pipe/null", "pipe_x", "res=-14 fd1=-1 fd2=-1 ino=0");
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
	long from = raw(SYS_openat, AT_FDCWD, "/tmp/data", O_RDONLY | 0100000);

	raw(SYS_sendfile, fds[1], from, &offset, 5);
	expect("sendfile", "sendfile_x", "res=5 offset=8 out_fd=%d in_fd=%ld size=5", fds[1], from);
	raw(SYS_sendfile, 99, from, NULL, 7);
	expect("sendfile/bad", "sendfile_x", "res=-9 offset=0 out_fd=99 in_fd=%ld size=7", from);
}

static void act_descriptors(void)
{
	static char buf[16];
	int fds[2], others[2];
	long fd = raw(SYS_openat, AT_FDCWD, "/tmp/positions", O_CREAT | O_RDWR, 0600), to;

	raw(SYS_write, fd, "0123456789", 10);
	CALL("lseek/end", "lseek_x", (SYS_lseek, fd, -4L, SEEK_END), "res=6 fd=%ld offset=%llu whence=2", fd,
	     NARROW ? 4294967292ULL : -4ULL);
	CALL("lseek/current", "lseek_x", (SYS_lseek, fd, 1, SEEK_CUR), "res=7 fd=%ld offset=1 whence=1", fd);
	CALL("lseek/invalid", "lseek_x", (SYS_lseek, fd, 0, 77), "res=-22 whence=0");
#if NARROW
	static uint64_t result;

	CALL("llseek", "llseek_x", (SYS__llseek, fd, 1, 0x80000002, &result, SEEK_SET), "res=0 fd=%ld offset=6442450946 whence=0", fd);
	CALL("llseek/null", "llseek_x", (SYS__llseek, fd, 0, 3, NULL, SEEK_CUR), "res=-14 fd=%ld offset=3 whence=1", fd);
#endif
	CALL("dup/closed", "dup_x", (SYS_dup, 999), "res=-9 oldfd=999");
	CALL("dup2/closed", "dup2_x", (SYS_dup2, 999, -1), "res=-9 oldfd=999 newfd=-1");
	CALL("dup3/same", "dup3_x", (SYS_dup3, fd, fd, 0), "res=-22 oldfd=%ld newfd=%ld flags=0", fd, fd);
	CALL("fcntl/dupfd", "fcntl_x", (SYS_fcntl, fd, F_DUPFD, 70), "res=70 fd=%ld cmd=1 arg=70", fd);
	CALL("fcntl/cloexec", "fcntl_x", (SYS_fcntl, fd, F_DUPFD_CLOEXEC, 80), "res=80 cmd=26 arg=80");
	CALL("fcntl/getfl", "fcntl_x", (SYS_fcntl, fd, F_GETFL, -1L), "cmd=4 arg=%lu", -1UL);
#if NARROW
	CALL("fcntl/old", "fcntl_x", (__NR_fcntl, fd, F_GETFD, 3), "res=0 fd=%ld cmd=2 arg=3", fd);
#endif
	CALL("flock", "flock_x", (SYS_flock, fd, 2 | 4), "res=0 fd=%ld operation=6", fd);
	CALL("ioctl", "ioctl_x", (SYS_ioctl, fd, 0x5451, 0), "res=0 fd=%ld request=%d argument=0", fd, 0x5451);
	CALL("ioctl/invalid", "ioctl_x", (SYS_ioctl, 999, 0xffffffff, -1L), "res=-9 fd=999 request=4294967295 argument=%lu", -1UL);
	CALL("ioctl/unknown", "ioctl_x", (SYS_ioctl, fd, 0x5401, BAD), "res=-25 request=21505 argument=16");
	CALL("close_range", "close_range_x", (SYS_close_range, 70, 90, 0), "res=0 first=70 last=90 flags=0");
	CALL("close_range/all", "close_range_x", (SYS_close_range, 500, ~0U, 0), "res=0 first=500 last=4294967295");

	to = raw(SYS_openat, AT_FDCWD, "/tmp/copy", O_CREAT | O_RDWR, 0600);
	CALL("lseek/start", "lseek_x", (SYS_lseek, fd, 0, SEEK_SET), "res=0 offset=0 whence=0");
	/* Older kernels copy on few file systems, tmpfs not among them. */
	CALL("copy_file_range", "copy_file_range_x", (SYS_copy_file_range, fd, NULL, to, NULL, 5, 0), "fdout=%ld offout=0 fdin=%ld offin=0 len=5", to, fd);
	CALL("copy_file_range/bad", "copy_file_range_x", (SYS_copy_file_range, 999, BAD, -1, 32, -1L, 0),
	     "fdout=-1 offout=32 fdin=999 offin=16 len=%lu", -1UL);
	CALL("pipe/first", "pipe_x", (SYS_pipe, fds), "res=0 fd1=%d fd2=%d ino=%lu", fds[0], fds[1], object_of(fds[0]).ino);
	CALL("pipe/second", "pipe_x", (SYS_pipe, others), "res=0 fd1=%d fd2=%d ino=%lu", others[0], others[1], object_of(others[0]).ino);
	raw(SYS_write, fds[1], "through", 7);
	CALL("splice", "splice_x", (SYS_splice, fds[0], NULL, others[1], NULL, 100, 2), "res=7 fd_in=%d fd_out=%d size=100 flags=2", fds[0], others[1]);
	CALL("splice/closed", "splice_x", (SYS_splice, -1, NULL, 999, NULL, -1L, -1), "fd_in=-1 fd_out=999 size=%lu flags=15", -1UL);
	CALL("pipe/bad", "pipe_x", (SYS_pipe, BAD), "res=-14 fd1=-1 fd2=-1 ino=0");
	CALL("pipe2/null", "pipe2_x", (SYS_pipe2, NULL, O_CLOEXEC), "res=-14 fd1=-1 fd2=-1 ino=0 flags=%d", S_CLOEXEC);
	CALL("sendfile/bad", "sendfile_x", (SYS_sendfile, fds[1], fd, BAD, 5), "res=-14 offset=0 out_fd=%d in_fd=%ld size=5 rec=fault", fds[1], fd);
#if NARROW
	static int32_t offset = 3;

	CALL("sendfile/old", "sendfile_x", (__NR_sendfile, fds[1], fd, &offset, 4), "res=4 offset=7 out_fd=%d in_fd=%ld size=4", fds[1], fd);
#endif
	raw(SYS_close, fd);
	expect("close", "close_x", "res=0 fd=%ld", fd);
	CALL("close/again", "close_x", (SYS_close, fd), "res=-9 fd=%ld", fd);
	CALL("close/negative", "close_x", (SYS_close, -1), "res=-9 fd=-1");
	CALL("read/closed", "read_x", (SYS_read, fd, buf, 16), "res=-9 fd=%ld", fd);
}

/* What is read into or written from memory that is not all there, and amounts around the 80 bytes that are shown. */
static void act_amounts(void)
{
	char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *half;
	long zero = raw(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR), fd;
	static const int amounts[] = { 1, 79, 80, 81, 4096 };
	static char big[4096];

	mprotect(edge + 4096, 4096, PROT_NONE);
	memset(big, 'b', sizeof(big));
	memset(edge, 'e', 4096);
	half = edge + 4096 - 5;
	fd = raw(SYS_openat, AT_FDCWD, "/tmp/amounts", O_CREAT | O_RDWR, 0600);
	for (size_t i = 0; i < sizeof(amounts) / sizeof(*amounts); i++) {
		int n = amounts[i], shown = n < 80 ? n : 80;

		CALL("pwrite/amount", "pwrite_x", (SYS_pwrite64, fd, big, n, WIDE(0)), "res=%d data='%.*s' fd=%ld size=%d pos=0", n, shown, big, fd, n);
		CALL("pread/amount", "pread_x", (SYS_pread64, fd, big, n, WIDE(0)), "res=%d data='%.*s' fd=%ld size=%d pos=0", n, shown, big, fd, n);
	}
	/* /dev/null looks at nothing, and says that it took all. */
	CALL("write/edge", "write_x", (SYS_write, zero, half, 5), "res=5 data='eeeee' size=5");
	CALL("write/over-edge", "write_x", (SYS_write, zero, half, 10), "res=10 data='eeeee' size=10 rec=fault");
	CALL("write/huge", "write_x", (SYS_write, zero, edge, 0x7fffffff), "data='%.80s' size=2147483647", edge);
	CALL("pread/end", "pread_x", (SYS_pread64, fd, big, 10, WIDE(999999)), "res=0 data=- size=10 pos=999999");
	CALL("pread/negative", "pread_x", (SYS_pread64, fd, big, 10, WIDE(-1LL)), "res=-22 data=- pos=%llu", -1ULL);
	CALL("pread/closed", "pread_x", (SYS_pread64, 999, big, 10, WIDE(5LL << 32)), "res=-9 fd=999 pos=%llu", 5ULL << 32);
	CALL("pwrite/null", "pwrite_x", (SYS_pwrite64, fd, NULL, 10, WIDE(1)), "res=-14 data=- size=10 pos=1");
	CALL("pwrite/bad", "pwrite_x", (SYS_pwrite64, fd, BAD, 10, WIDE(1)), "res=-14 data=- size=10 pos=1 rec=fault");
	CALL("read/bad", "read_x", (SYS_read, fd, BAD, 10), "res=-14 data=- size=10");
}

/* Vectors as long as they may be, longer, with nothing in them, and with entries that cannot be read. */
static void act_long_vectors(void)
{
	static struct iovec most[1025], odd[] = { { NULL, 0 }, { "ab", 2 }, { NULL, 0 }, { "cd", 2 } }, gap[] = { { "first", 5 }, { (void *)BAD, 7 } };
	static char buf[1100];
	long null = raw(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR), fd = raw(SYS_openat, AT_FDCWD, "/tmp/long", O_CREAT | O_RDWR, 0600);

	for (int i = 0; i < 1025; i++)
		most[i] = (struct iovec){ &"abcdefghij"[i % 10], 1 };
	CALL("writev/1024", "writev_x", (SYS_writev, fd, most, 1024), "res=1024 data='abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij' fd=%ld size=1024", fd);
	CALL("writev/1025", "writev_x", (SYS_writev, fd, most, 1025), "res=-22 size=1024 rec=cut");
	static struct iovec vast[2] = { { buf, UINT32_MAX }, { buf, UINT32_MAX } };

	CALL("writev/vast", "writev_x", (SYS_writev, -1, vast, 2), "res=-9 fd=-1 size=4294967295");
	CALL("writev/odd", "writev_x", (SYS_writev, null, odd, 4), "res=4 data='abcd' size=4");
	CALL("writev/none", "writev_x", (SYS_writev, null, NULL, 0), "res=0 data=- size=0");
	CALL("writev/bad", "writev_x", (SYS_writev, null, BAD, 2), "res=-14 data=- size=0 rec=fault");
	CALL("writev/gap", "writev_x", (SYS_writev, null, gap, 2), "res=12 data='first' size=12 rec=fault");
	for (int i = 0; i < 1024; i++)
		most[i] = (struct iovec){ buf + i, 1 };
	CALL("preadv/1024", "preadv_x", (SYS_preadv, fd, most, 1024, 10, 0), "res=1014 size=1014 data='abcdefghij* fd=%ld pos=10", fd);
	CALL("preadv/closed", "preadv_x", (SYS_preadv, 999, most, 1, 7, 0), "res=-9 size=0 data=- fd=999 pos=7");
	CALL("preadv/bad", "preadv_x", (SYS_preadv, fd, BAD, 1, 0, 0), "res=-14 size=0 data=-");
	CALL("readv/1024", "readv_x", (SYS_readv, null, most, 1024), "res=0 size=0 data=- fd=%ld", null);
	CALL("readv/null", "readv_x", (SYS_readv, fd, NULL, 3), "res=-14 size=0 data=-");
	CALL("pwritev/closed", "pwritev_x", (SYS_pwritev, 999, odd, 4, 0x89abcdef, NARROW ? 1 : 0), "res=-9 data='abcd' fd=999 size=4 pos=%llu",
	     NARROW ? 0x189abcdefULL : 0x89abcdefULL);
	CALL("pwritev/null", "pwritev_x", (SYS_pwritev, fd, NULL, 1, 3, 0), "res=-14 data=- size=0 pos=3");
	CALL("pwritev", "pwritev_x", (SYS_pwritev, fd, odd, 4, 5, 0), "res=4 data='abcd' fd=%ld size=4 pos=5", fd);
}

static void act_uring(void)
{
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE, .cq_entries = 64 };
	unsigned features;
	long fd = raw(SYS_io_uring_setup, 8, &p);

	/* The schema's bit for each feature is the host's, as far as it knows them. */
	features = p.features & 0x7ff;
	must("io_uring_setup", fd);
	expect("io_uring_setup", "io_uring_setup_x",
	       "res=%ld entries=8 sq_entries=%u cq_entries=%u flags=16 sq_thread_cpu=0 sq_thread_idle=0 features=%u",
	       fd, p.sq_entries, p.cq_entries, features);
	raw(SYS_io_uring_setup, 8, NULL);
	expect("io_uring_setup/null", "io_uring_setup_x", "res=-14 sq_entries=0 features=0 rec=fault");
	CALL("io_uring_setup/bad", "io_uring_setup_x", (SYS_io_uring_setup, 8, BAD), "res=-14 entries=8 sq_entries=0 features=0 rec=fault");
	CALL("io_uring_setup/many", "io_uring_setup_x", (SYS_io_uring_setup, 1 << 30, &p), "res=-22 entries=1073741824 cq_entries=%u flags=16", p.cq_entries);
	CALL("io_uring_enter", "io_uring_enter_x", (SYS_io_uring_enter, fd, 0, 0, 0, NULL, 8), "res=0 fd=%ld to_submit=0 min_complete=0 flags=0 sig=0", fd);
	CALL("io_uring_enter/closed", "io_uring_enter_x", (SYS_io_uring_enter, -1, 5, 6, 1, NULL, 8), "res=-9 fd=-1 to_submit=5 min_complete=6 flags=1");
	CALL("io_uring_enter/file", "io_uring_enter_x", (SYS_io_uring_enter, 0, -1, -1, 0, NULL, 8), "res=-95 fd=0 to_submit=4294967295 min_complete=4294967295");
	/* Eventfds are opcode 4 and 5. */
	static int event;

	event = raw(SYS_eventfd, 0);
	CALL("io_uring_register", "io_uring_register_x", (SYS_io_uring_register, fd, 4, &event, 1), "res=0 fd=%ld opcode=4 arg=%lu nr_args=1", fd,
	     (unsigned long)&event);
	CALL("io_uring_register/again", "io_uring_register_x", (SYS_io_uring_register, fd, 4, &event, 1), "res=-16 opcode=4");
	CALL("io_uring_register/bad", "io_uring_register_x", (SYS_io_uring_register, fd, 9, BAD, -1), "opcode=9 arg=16 nr_args=4294967295");
}

static void act_io(void)
{
	make_data();
	in_child(act_readwrite);
	in_child(act_vectors);
	in_child(act_pipes);
	in_child(act_descriptors);
	in_child(act_amounts);
	in_child(act_long_vectors);
	in_child(act_uring);
}
