// SPDX-License-Identifier: Apache-2.0
/* Descriptors of all kinds but sockets; paths. */

static void paths(void)
{
	struct { uint64_t flags, mode, resolve; } how = { O_RDONLY, 0, 0 };
	int dir = raw_open(AT_FDCWD, "/etc", O_RDONLY | O_DIRECTORY), fd;
	pid_t pid;

	file("dir", dir, "directory");
	fd = raw_open(dir, "passwd", O_RDONLY);
	file("at-dir", fd, "file");
	close(fd);
	fd = raw_open(dir, "../etc/./../tmp/knows/sub/..//made", O_RDWR | O_CREAT);
	file("at-dir-up", fd, "file");
	close(fd);
	fd = raw_open(AT_FDCWD, "sub/../made", O_RDONLY);
	file("at-cwd", fd, "file");
	close(fd);
	fd = raw_open(dir, "/etc/group", O_RDONLY);
	file("absolute", fd, "file");
	close(fd);
	fd = syscall(SYS_openat2, dir, "group", &how, sizeof(how));
	file("openat2", fd, "file");
	close(fd);
	fd = creat("created", 0600);
	file("creat", fd, "file");
	close(fd);
	fd = raw_open(AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR);
	descriptor("tmpfile", fd, "\tfd.type=file\tfd.name=/tmp");
	close(fd);
	if (!fchdir(dir))
		identity("fchdir", "");
	if (!chdir("../tmp/knows/sub"))
		identity("chdir", "");
	if (!chdir(".."))
		identity("chdir-up", "");
	close(dir);
	pid = fork();
	if (!pid) {
		if (chroot("/tmp/knows") || chdir("/sub"))
			_exit(1);
		/* Names are as the process sees them. */
		mark("chroot", "\tproc.cwd=/sub/\tproc.pid=%d", getpid());
		_exit(0);
	}
	child(pid);
}

static void duplicates(void)
{
	int fd = raw_open(AT_FDCWD, "/etc/passwd", O_RDONLY), copy;

	copy = dup(fd);
	file("dup", copy, "file");
	close(copy);
	dup2(fd, 20);
	file("dup2", 20, "file");
	dup3(fd, 21, O_CLOEXEC);
	file("dup3", 21, "file");
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 30);
	file("dupfd", copy, "file");
	raw_open(AT_FDCWD, "/etc/group", O_RDONLY);
	syscall(SYS_close_range, 20, 29, 0);
	file("close-range-in", 20, "file");
	file("close-range-out", 30, "file");
	close(fd);
	file("closed", fd, "file");
	fd = raw_open(AT_FDCWD, "/etc/group", O_RDONLY);
	file("number-again", fd, "file");
	syscall(SYS_close_range, 3, ~0U, 0);
}

static void kinds(void)
{
	union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };
	struct io_uring_params uring = { 0 };
	sigset_t set;
	int fd, pair[2], stolen;
	struct stat st;

	if (!pipe2(pair, O_CLOEXEC) && !fstat(pair[0], &st)) {
		descriptor("pipe", pair[0], "\tfd.type=pipe\tfd.name=\tfd.ino=%lu", st.st_ino);
		descriptor("pipe-write", pair[1], "\tfd.type=pipe\tfd.name=\tfd.ino=%lu", st.st_ino);
	}
	sigemptyset(&set);
#define KIND(label, call, type)							\
	do {									\
		fd = (call);							\
		if (fd >= 0)							\
			descriptor(label, fd, "\tfd.type=" type "\tfd.name=");	\
		else								\
			mark(label "-unsupported", "%s", "");			\
		close(fd);							\
	} while (0)
	KIND("eventfd", eventfd(0, EFD_CLOEXEC), "event");
	KIND("signalfd", signalfd(-1, &set, 0), "signalfd");
	KIND("timerfd", timerfd_create(CLOCK_MONOTONIC, 0), "timerfd");
	KIND("inotify", inotify_init1(0), "inotify");
	KIND("epoll", epoll_create1(EPOLL_CLOEXEC), "eventpoll");
	KIND("io_uring", syscall(SYS_io_uring_setup, 4, &uring), "io_uring");
	KIND("userfaultfd", syscall(SYS_userfaultfd, 0), "userfaultfd");
	KIND("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)), "bpf");
#undef KIND
	fd = memfd_create("mine", 0);
	descriptor("memfd", fd, "\tfd.type=memfd\tfd.name=mine");
	close(fd);
	fd = syscall(SYS_pidfd_open, getppid(), 0);
	descriptor("pidfd", fd, "\tfd.type=pidfd\tfd.name=/proc/%d", getppid());
	close(fd);

	/* A descriptor of another process, whose number is known. */
	raw_open(AT_FDCWD, "/etc/passwd", O_RDONLY);
	fd = syscall(SYS_pidfd_open, getpid(), 0);
	stolen = syscall(SYS_pidfd_getfd, fd, fd - 1, 0);
	file("pidfd_getfd", stolen, "file");
	syscall(SYS_close_range, 3, ~0U, 0);
}

void descriptors(void)
{
	syscall(SYS_close_range, 3, ~0U, 0);
	paths();
	duplicates();
	kinds();
}
