// SPDX-License-Identifier: Apache-2.0
/*
 * Rings mapped in every wrong way, and right ones maltreated. In the end nothing is mapped any more and the module knows it:
 * CONFIG is possible again.
 */
#include "hostile.h"

#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <sys/syscall.h>

#define SIZE 0x10000UL /* of a ring */

static sigjmp_buf fault;

static void on_fault(int sig)
{
	siglongjmp(fault, sig);
}

/* Which signal a look at an address gets us; 0 for none. */
static int touch(volatile char *p, bool write)
{
	int sig = sigsetjmp(fault, 1);

	if (sig)
		return sig;
	if (write)
		*p = *p;
	else
		(void)*p;
	return 0;
}

static void *map(int fd, unsigned long size, int prot, int flags, off_t offset)
{
	return mmap(NULL, size, prot, flags, fd, offset);
}

static void *control_of(int fd)
{
	return map(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, offset_of(0, FALCO_MMAP_CONTROL));
}

static char *data_of(int fd)
{
	return map(fd, 2 * SIZE, PROT_READ, MAP_SHARED, offset_of(0, FALCO_MMAP_DATA));
}

/* Nothing of the consumer is mapped: that is when CONFIG is possible. */
static bool free_of_mappings(int fd)
{
	return configure(fd, SIZE) == 0;
}

static void wrong_sizes_and_offsets(int fd)
{
	const int rw = PROT_READ | PROT_WRITE;
	const off_t control = offset_of(0, FALCO_MMAP_CONTROL), data = offset_of(0, FALCO_MMAP_DATA);
	const unsigned long sizes[] = { PAGE, SIZE, SIZE + PAGE, 2 * SIZE - PAGE, 2 * SIZE + PAGE, 4 * SIZE, 1UL << 32, 1UL << 40 };

	REFUSED(map(fd, 2 * PAGE, rw, MAP_SHARED, control), EINVAL);
	REFUSED(map(fd, SIZE, rw, MAP_SHARED, control), EINVAL);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		REFUSED(map(fd, sizes[i], PROT_READ, MAP_SHARED, data), EINVAL);
	REFUSED(map(fd, PAGE, rw, MAP_SHARED, control + PAGE), EINVAL);
	REFUSED(map(fd, 2 * SIZE, PROT_READ, MAP_SHARED, data - PAGE), EINVAL);
	REFUSED(map(fd, 2 * SIZE, PROT_READ, MAP_SHARED, data + PAGE), EINVAL);
	REFUSED(map(fd, 2 * SIZE, PROT_READ, MAP_SHARED, data | 0x40000000), EINVAL);
	for (long cpu = 1; cpu < 1L << 31; cpu *= 2)
		CHECK(map(fd, 8 * SIZE, rw, MAP_SHARED, offset_of(cpu, 0)) == MAP_FAILED);
	REFUSED(map(fd, PAGE, rw, MAP_SHARED, offset_of(5000, 0)), ENODEV);
	REFUSED(map(fd, PAGE, rw, MAP_SHARED, offset_of(0x7fffffff, 0)), ENODEV);
	CHECK(map(fd, PAGE, rw, MAP_SHARED, offset_of(0xffffffff, 0)) == MAP_FAILED);
	REFUSED(map(fd, PAGE, rw, MAP_PRIVATE, control), EINVAL);
	REFUSED(map(fd, 2 * SIZE, PROT_READ, MAP_PRIVATE, data), EINVAL);
	REFUSED(map(fd, PAGE, rw | PROT_EXEC, MAP_SHARED, control), EINVAL);
	REFUSED(map(fd, 2 * SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, data), EINVAL);
	REFUSED(map(fd, 2 * SIZE, rw, MAP_SHARED, data), EPERM);
	REFUSED(map(fd, 2 * SIZE, PROT_WRITE, MAP_SHARED, data), EPERM);
	REFUSED(map(fd, 2 * SIZE, rw, MAP_SHARED_VALIDATE | MAP_SYNC, data), EOPNOTSUPP);
	CHECK(free_of_mappings(fd));
}

static void change_protection(char *data, char *control)
{
	REFUSED(mprotect(data, 2 * SIZE, PROT_READ | PROT_WRITE), EACCES);
	REFUSED(mprotect(data, 2 * SIZE, PROT_WRITE), EACCES);
	REFUSED(mprotect(data, 2 * SIZE, PROT_READ | PROT_EXEC), EACCES);
	REFUSED(mprotect(control, PAGE, PROT_READ | PROT_EXEC), EACCES);
	CHECK(mprotect(data, SIZE, PROT_NONE) == -1); /* half of it */
	CHECK(mprotect(data, 2 * SIZE, PROT_NONE) == 0);
	CHECK(touch(data, false) == SIGSEGV);
	CHECK(mprotect(data, 2 * SIZE, PROT_READ) == 0);
	CHECK(touch(data, false) == 0);
	CHECK(touch(data, true) == SIGSEGV);
	CHECK(mprotect(control, PAGE, PROT_READ) == 0);
	CHECK(mprotect(control, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(touch(control, true) == 0);
}

static void cut_and_move(char **data, char **control)
{
	char *to, *hole = mmap(NULL, 8 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(munmap(*data, SIZE) == -1);
	CHECK(munmap(*data + SIZE, SIZE) == -1);
	CHECK(mmap(*data + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
	CHECK(mremap(*data, 2 * SIZE, 4 * SIZE, MREMAP_MAYMOVE) == MAP_FAILED);
	CHECK(mremap(*control, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
	CHECK(mremap(*data, 2 * SIZE, SIZE, 0) == MAP_FAILED);
	CHECK(mremap(*data, 0, 2 * SIZE, MREMAP_MAYMOVE) == MAP_FAILED);
	CHECK(mremap(*control, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
	CHECK(mremap(*data, 2 * SIZE, 2 * SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0) == MAP_FAILED);
	CHECK(touch(*data, false) == 0 && touch(*data + 2 * SIZE - 1, false) == 0);
	to = mremap(*data, 2 * SIZE, 2 * SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, hole);
	CHECK(to == hole);
	if (to != MAP_FAILED) {
		CHECK(touch(*data, false) == SIGSEGV);
		*data = to;
	}
	to = mremap(*control, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, hole + 4 * SIZE);
	CHECK(to == hole + 4 * SIZE);
	if (to != MAP_FAILED)
		*control = to;
	CHECK(touch(*data, false) == 0 && touch(*control, true) == 0);
	CHECK(mprotect(*data, 2 * SIZE, PROT_READ | PROT_WRITE) == -1);
	/* Emulated by a mapping of another part of the file in the same place: there is none. The one that was there may be gone. */
	CHECK(syscall(SYS_remap_file_pages, *data, PAGE, 0, 1, 0) == -1);
	CHECK(syscall(SYS_remap_file_pages, *data + SIZE, SIZE, 0, 0, 0) == -1);
	CHECK(touch(*data, false) == 0);
	CHECK(syscall(SYS_remap_file_pages, *control, PAGE, 0, 1, 0) == -1);
	CHECK(touch(*control, true) == SIGSEGV);
}

static void advise(char *data, char *control)
{
	/* What is let go of does not come back: the reader's own loss. */
	const int harmless[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_FREE, MADV_REMOVE, MADV_MERGEABLE,
				 MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD, MADV_PAGEOUT, MADV_WIPEONFORK,
				 MADV_KEEPONFORK, MADV_POPULATE_READ, MADV_POPULATE_WRITE, 25 /* COLLAPSE */ };

	for (unsigned int i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		madvise(data, 2 * SIZE, harmless[i]);
		madvise(control, PAGE, harmless[i]);
		madvise(data + PAGE, PAGE, harmless[i]);
	}
	CHECK(touch(data, false) == 0 && touch(control, true) == 0);
	CHECK(madvise(data, 2 * SIZE, MADV_DODUMP) == -1);
	mlock(data, 2 * SIZE);
	mlock2(control, PAGE, MLOCK_ONFAULT);
	munlock(data, SIZE);
	munlockall();
	msync(data, 2 * SIZE, MS_SYNC | MS_INVALIDATE);
	CHECK(touch(data, false) == 0 && touch(control, true) == 0);
	madvise(data + SIZE, SIZE, MADV_DONTNEED);
	CHECK(touch(data + SIZE, false) == SIGBUS && touch(data, false) == 0);
	madvise(control, PAGE, MADV_DONTNEED);
	CHECK(touch(control, false) == SIGBUS);
}

/* Ways into the pages that go round the page tables. */
static void back_doors(int fd, char *data, char *control)
{
	int mem = open("/proc/self/mem", O_RDWR), pipes[2], uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { (unsigned long)data, 2 * SIZE }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct timespec soon = { .tv_nsec = 1000000 };
	char byte = 1;
	struct iovec from = { &byte, 1 }, to = { data, 1 }, ring = { data, 2 * SIZE };

	CHECK(pwrite(mem, &byte, 1, (off_t)data) == -1);
	CHECK(process_vm_writev(getpid(), &from, 1, &to, 1, 0) == -1);
	REFUSED(syscall(SYS_getcwd, data, PAGE), EFAULT);
	CHECK(pread(mem, &byte, 1, (off_t)data) <= 1);
	if (uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0)
		CHECK(ioctl(uffd, UFFDIO_REGISTER, &reg) == -1);
	close(uffd);
	close(mem);
	CHECK(syscall(SYS_futex, control, FUTEX_WAIT, 12345, &soon, NULL, 0) == -1);
	CHECK(syscall(SYS_futex, data, FUTEX_WAIT, 12345, &soon, NULL, 0) == -1);
	CHECK(syscall(SYS_futex, data, FUTEX_WAKE, 1, NULL, NULL, 0) <= 0);
	/* A pipe holds pages of the ring when the ring is long gone. */
	must(pipe(pipes), "pipe");
	vmsplice(pipes[1], &ring, 1, SPLICE_F_NONBLOCK | SPLICE_F_GIFT);
	fcntl(pipes[1], F_SETFD, 0);
	REFUSED(read(fd, &byte, 1), EINVAL);
	REFUSED(write(fd, &byte, 1), EINVAL);
	CHECK(lseek(fd, 1, SEEK_SET) == -1);
	CHECK(fsync(fd) == -1);
	CHECK(ftruncate(fd, 0) == -1);
	CHECK(syscall(SYS_splice, fd, NULL, pipes[1], NULL, 1, SPLICE_F_NONBLOCK) == -1);
	CHECK(ioctl(fd, TCGETS, &byte) == -1);
	CHECK(ioctl(fd, _IO(FALCO_IOC_MAGIC, 0x55), 0) == -1 && errno == ENOTTY);
	/* pipes stay open: pages are given back when we end */
}

void mappings(void)
{
	struct sigaction act = { .sa_handler = on_fault };
	char *data, *control;
	int fd = open_device();

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	REFUSED(control_of(fd), ENXIO); /* no CONFIG yet */
	REFUSED(map(fd, 2 * SIZE, PROT_READ, MAP_SHARED, offset_of(0, FALCO_MMAP_DATA)), ENXIO);
	CHECK(free_of_mappings(fd));
	wrong_sizes_and_offsets(fd);

	for (int round = 0; round < 3; round++) {
		control = control_of(fd);
		data = data_of(fd);
		CHECK(control != MAP_FAILED && data != MAP_FAILED);
		REFUSED(configure(fd, 2 * SIZE), EBUSY);
		CHECK(want_everything(fd) == 0 && ioctl(fd, FALCO_IOC_START) == 0);
		REFUSED(ioctl(fd, FALCO_IOC_START), EALREADY);
		REFUSED(configure(fd, 2 * SIZE), EBUSY);
		change_protection(data, control);
		cut_and_move(&data, &control);
		control = control_of(fd);
		back_doors(fd, data, control);
		advise(data, control);
		CHECK(ioctl(fd, FALCO_IOC_STOP) == 0);
		CHECK(!free_of_mappings(fd));
		CHECK(munmap(data, 2 * SIZE) == 0 && munmap(control, PAGE) == 0);
		CHECK(free_of_mappings(fd));
	}
	/* A mapping outlives the descriptor, and so does the consumer. */
	data = data_of(fd);
	want_everything(fd);
	ioctl(fd, FALCO_IOC_START);
	close(fd);
	CHECK(touch(data, false) == 0);
	fd = open_device();
	CHECK(free_of_mappings(fd));
	close(fd);
}

/* ---- fork ---- */

static bool is_mapped(void *p)
{
	unsigned char vec;

	return mincore(p, PAGE, &vec) == 0;
}

static void wait_for(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/*
 * A process that holds rings forks. The child has the descriptor and not the rings; it may map them itself, and when its parent
 * is gone the consumer lives on for it.
 */
void inheritance(void)
{
	struct falco_stats stats = { .size = sizeof(stats) };
	int fd = open_device(), go[2];
	char *data, *control;
	pid_t pid;

	CHECK(configure(fd, SIZE) == 0);
	control = control_of(fd);
	data = data_of(fd);
	CHECK(want_everything(fd) == 0 && ioctl(fd, FALCO_IOC_START) == 0);
	for (int i = 0; i < 20; i++) {
		pid = must(fork(), "fork");
		if (pid) {
			wait_for(pid);
			continue;
		}
		CHECK(!is_mapped(data) && !is_mapped(control));
		CHECK(ioctl(fd, FALCO_IOC_STATS, &stats) == 0 && stats.produced > 0);
		data = data_of(fd);
		CHECK(data != MAP_FAILED);
		_exit(failures > 0);
	}
	/* Who insists gets the mapping into the child, and it is counted there. */
	CHECK(madvise(data, 2 * SIZE, MADV_DOFORK) == 0);
	must(pipe(go), "pipe");
	pid = must(fork(), "fork");
	if (!pid) {
		char byte;

		CHECK(is_mapped(data) && !is_mapped(control));
		close(go[1]);
		CHECK(read(go[0], &byte, 1) == 0);
		_exit(failures > 0);
	}
	CHECK(ioctl(fd, FALCO_IOC_STOP) == 0);
	CHECK(munmap(data, 2 * SIZE) == 0 && munmap(control, PAGE) == 0);
	REFUSED(configure(fd, SIZE), EBUSY); /* the child's */
	close(go[1]);
	wait_for(pid);
	CHECK(configure(fd, SIZE) == 0);

	/* The parent goes while it is started; what is left is the child's. */
	control = control_of(fd);
	CHECK(ioctl(fd, FALCO_IOC_START) == 0);
	must(pipe(go), "pipe");
	pid = must(fork(), "fork");
	if (!pid) {
		pid_t middle = getpid();

		if (fork() == 0) {
			while (getppid() == middle)
				usleep(1000);
			memset(&stats, 0, sizeof(stats));
			stats.size = sizeof(stats);
			CHECK(ioctl(fd, FALCO_IOC_STATS, &stats) == 0 && stats.produced > 0);
			CHECK(ioctl(fd, FALCO_IOC_STOP) == 0);
			CHECK(configure(fd, 4 * SIZE) == -1 && errno == EBUSY); /* grandparent's control page */
			_exit(write(go[1], &failures, sizeof(failures)) != sizeof(failures));
		}
		_exit(0);
	}
	wait_for(pid);
	close(go[1]);
	int theirs = 1;
	CHECK(read(go[0], &theirs, sizeof(theirs)) == sizeof(theirs) && theirs == 0);
	CHECK(munmap(control, PAGE) == 0);
	CHECK(configure(fd, 4 * SIZE) == 0);
}
