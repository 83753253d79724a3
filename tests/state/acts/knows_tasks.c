// SPDX-License-Identifier: Apache-2.0
/* Threads, groups, sessions, reparenting, namespaces, exec, credentials. */

static char self_path[PATH_MAX];

static void run_exec(const char *label)
{
	char *argv[] = { "known", "exec", (char *)label, "two words", NULL };
	char *env[] = { "KNOWN=yes", "EMPTY=", NULL };

	execve(self_path, argv, env);
	_exit(127);
}

/* after_exec is a new program: name, arguments and environment are its own. */
void after_exec(const char *label)
{
	char more[PATH_MAX + 256], exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char name[64];

	exe[n > 0 ? n : 0] = 0;
	snprintf(more, sizeof(more), "\tproc.name=knows\tproc.exe=known\tproc.args=exec %s two words\tproc.cmdline=knows exec %s two words"
		 "\tproc.exepath=%s\tproc.env[KNOWN]=yes\tproc.env[HOME]=\tproc.nthreads=1", label, label, exe);
	identity(label, more);
	for (int fd = 3; fd < 12; fd++) {
		snprintf(name, sizeof(name), "%s-fd%d", label, fd);
		file(name, fd, fcntl(fd, F_GETFL) & O_DIRECTORY ? "directory" : "file");
	}
}

static void *thread_says(void *label)
{
	identity(label, "\tproc.nthreads=2");
	return NULL;
}

static void *thread_execs(void *label)
{
	run_exec(label);
	return NULL;
}

static void *thread_parts(void *label)
{
	if (unshare(CLONE_FILES | CLONE_FS) || chdir("/proc"))
		return NULL;
	identity(label, "");
	dup2(raw_open(AT_FDCWD, "/etc", O_RDONLY | O_DIRECTORY), 10);
	descriptor("parted-thread", 10, "\tfd.type=directory\tfd.name=/etc");
	return NULL;
}

static void in_thread(void *(*run)(void *), const char *label)
{
	pthread_t t;

	if (!pthread_create(&t, NULL, run, (void *)label))
		pthread_join(t, NULL);
}

static int shares_files(void *unused)
{
	(void)unused;
	dup2(open("/etc/passwd", O_RDONLY), 9);
	_exit(0);
}

/* namespaced tells of the first process of a pid namespace, and of its child. */
static void namespaced(const char *label, int flags)
{
	pid_t pid = fork();

	if (!pid) {
		if (unshare(flags))
			_exit(1);
		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			mark(label, "%s", "\tproc.vpid=1\tthread.vtid=1\tproc.name=knows");
			setsid();
			pid = fork();
			if (!pid) {
				char inner[64];

				snprintf(inner, sizeof(inner), "%s-child", label);
				mark(inner, "\tproc.vpid=%d\tthread.vtid=%d\tproc.pvpid=1\tproc.sid=1\tproc.vpgid=1", getpid(), getpid());
				_exit(0);
			}
			child(pid);
			_exit(0);
		}
		child(pid);
		_exit(0);
	}
	child(pid);
}

/* reused makes a process get the id of one that has ended. */
static void reused(void)
{
	pid_t first, second = -1;
	char text[16];
	int fd;

	first = fork();
	if (!first)
		run_exec("before-reuse");
	child(first);
	fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
	if (fd < 0)
		return;
	snprintf(text, sizeof(text), "%d", first - 1);
	if (write(fd, text, strlen(text)) > 0) {
		second = fork();
		if (!second) {
			identity(getpid() == first ? "reused" : "not-reused", "\tproc.name=knows\tproc.exe=/files/knows");
			_exit(0);
		}
		child(second);
	}
	close(fd);
}

/* limited keeps one capability, and one more that it could use. */
static void limited(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2] = { { 0 } };
	pid_t pid = fork();

	if (pid) {
		child(pid);
		return;
	}
	sets[0].effective = 1 << CAP_CHOWN;
	sets[0].permitted = 1 << CAP_CHOWN | 1 << CAP_KILL;
	if (!syscall(SYS_capset, &head, sets))
		mark("capset", "%s", "\tthread.cap_effective=CAP_CHOWN\tthread.cap_permitted=CAP_CHOWN CAP_KILL\tthread.cap_inheritable=");
	_exit(0);
}

/* memory maps so much that nobody can overlook it, and reads what that makes. */
static void memory(void)
{
	char text[4096], *at;
	int fd;

	if (mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return;
	fd = open("/proc/self/status", O_RDONLY);
	text[read(fd, text, sizeof(text) - 1)] = 0;
	close(fd);
	at = strstr(text, "VmSize:");
	mark("mmap", "\tproc.vmsize=%lu", at ? strtoul(at + 7, NULL, 10) : 0);
}

static void credentials(void)
{
	struct rlimit limit;
	char more[128];
	pid_t pid = fork();

	if (pid) {
		child(pid);
		return;
	}
	if (setresgid(-1, 5, -1) || setresuid(-1, 1000, -1))
		_exit(1);
	identity("seteuid", "\tproc.name=knows");
	if (setresuid(-1, 0, -1) || setgid(7) || setuid(1001))
		_exit(1);
	identity("setuid", "");
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 77;
	setrlimit(RLIMIT_NOFILE, &limit);
	snprintf(more, sizeof(more), "\tproc.fdlimit=%d", 77);
	identity("rlimit", more);
	if (!unshare(CLONE_NEWUSER))
		mark("userns", "\tproc.pid=%d", getpid());
	_exit(0);
}

void tasks(void)
{
	char stack[65536] __attribute__((aligned(16))), more[PATH_MAX + 256];
	pid_t pid, inner;
	int n = readlink("/proc/self/exe", self_path, sizeof(self_path) - 1);

	self_path[n > 0 ? n : 0] = 0;
	snprintf(more, sizeof(more), "\tproc.name=knows\tproc.nthreads=1\tproc.exepath=%s", self_path);
	identity("self", more);
	in_thread(thread_says, "thread");

	pid = fork();
	if (!pid) {
		identity("fork", "\tproc.pname=knows");
		setsid();
		snprintf(more, sizeof(more), "\tproc.is_sid_leader=true\tproc.sname=knows\tproc.tty=0");
		identity("setsid", more);
		inner = fork();
		if (!inner) {
			setpgid(0, 0);
			identity("setpgid", "\tproc.is_vpgid_leader=true");
			_exit(0);
		}
		child(inner);
		_exit(0);
	}
	child(pid);

	/* An orphan gets the nearest ancestor that adopts, and init without one. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < 2; i++) {
		int done[2];
		char c;

		if (pipe(done))
			return;
		pid = fork();
		if (!pid) {
			pid_t father = getpid();

			inner = fork();
			if (!inner) {
				while (getppid() == father)
					sched_yield();
				/* procexit of the father is told before we are given away */
				identity(i ? "orphan-of-init" : "orphan", "");
				c = write(done[1], "", 1);
				_exit(c != 1);
			}
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		n = read(done[0], &c, 1);
		close(done[0]);
		close(done[1]);
		prctl(PR_SET_CHILD_SUBREAPER, 0);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}

	/* Descriptors 10 and 11: one that an exec drops, one that it does not. */
	dup2(open("/etc/passwd", O_RDONLY), 11);
	dup3(11, 10, O_CLOEXEC);
	pid = fork();
	if (!pid)
		run_exec("exec");
	child(pid);
	pid = vfork();
	if (!pid)
		run_exec("vfork");
	child(pid);
	pid = fork();
	if (!pid)
		in_thread(thread_execs, "exec-by-thread");
	child(pid);
	in_thread(thread_parts, "parted");
	file("parted-process", 10, "file");
	identity("parted-process-cwd", "");

	pid = clone(shares_files, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL);
	child(pid);
	file("shared", 9, "file");

	namespaced("pidns", CLONE_NEWPID);
	reused();
	limited();
	memory();
	credentials();
}
