// SPDX-License-Identifier: Apache-2.0
/* Acts that execute programs. */
#include "acts.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>

static unsigned long long permitted(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	raw(SYS_capget, &header, data);
	return (data[0].permitted | (unsigned long long)data[1].permitted << 32) & ((1ULL << 41) - 1);
}

/* A process that executes something and ends; what it executes ends with 5. */
static char *five[] = { "zero", "exit", "5", NULL };
static char *env[] = { "A=1", "B=two words", NULL };

static long execute(void (*how)(void))
{
	long pid = fork();
	int status;

	if (!pid) {
		how();
		raw(SYS_exit_group, 99);
	}
	waitpid(pid, &status, 0);
	if (WEXITSTATUS(status) == 99) {
		fprintf(stderr, "acts: an exec did not work\n");
		exit(1);
	}
	return pid;
}

static unsigned long long ns(struct timespec t)
{
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void by_path(void)
{
	raw(SYS_execve, PROGRAM, five, env);
}

static void by_relative_path(void)
{
	raw(SYS_chdir, "/files");
	raw(SYS_execve, "./" COMM, five, env);
}

static void as_nobody(void)
{
	raw(SYS_setresgid, 65534, 65534, 65534);
	raw(SYS_setresuid, 65534, 65534, 65534);
	raw(SYS_execve, PROGRAM, five, NULL);
}

static void by_script(void)
{
	static const char text[] = "#!" PROGRAM " exit\n";
	char *argv[] = { "s", "9", NULL };
	int fd = open("/tmp/script", O_CREAT | O_WRONLY, 0755);

	write(fd, text, sizeof(text) - 1);
	close(fd);
	raw(SYS_execve, "/tmp/script", argv, env);
}

static void by_memfd(void)
{
	int to = raw(SYS_memfd_create, "mem", 0), from = open(PROGRAM, O_RDONLY);

	while (sendfile(to, from, NULL, 1 << 20) > 0)
		;
	dup2(to, 50);
	raw(SYS_execveat, 50, "", five, env, AT_EMPTY_PATH);
}

static void by_descriptor(void)
{
	dup2(open("/files", O_PATH), 51);
	raw(SYS_execveat, 51, COMM, five, env, 0);
}

static char much[40001], many_letters[5001];

static void with_much(void)
{
	char *argv[] = { "zero", "exit", "5", much, "last", NULL };

	raw(SYS_execve, PROGRAM, argv, env);
}

/* Both are too much: what comes behind env must be there all the same. */
static void with_much_of_both(void)
{
	char *argv[] = { "zero", "exit", "5", much, NULL }, *envp[] = { much, NULL };

	raw(SYS_execve, PROGRAM, argv, envp);
}

/* A thread executes, and becomes the process. */
static void *execute_five(void *unused)
{
	raw(SYS_execve, PROGRAM, five, env);
	return unused;
}

static void by_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, execute_five, NULL);
	for (;;)
		raw(SYS_pause);
}

static void with_long_name(void)
{
	char *argv[] = { many_letters, "exit", "5", NULL };

	raw(SYS_execve, PROGRAM, argv, env);
}

static void with_no_arguments(void)
{
	raw(SYS_execve, PROGRAM, five, NULL);
}

/* A terminal of our own, which becomes the controlling one by being opened. */
static int *pty;

static void on_terminal(void)
{
	int master, peer, unlock = 0;

	mkdir("/tmp/pts", 0755);
	mount("devpts", "/tmp/pts", "devpts", 0, "ptmxmode=0666");
	open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY); /* the first one has number 0 */
	master = open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY);
	ioctl(master, TIOCSPTLCK, &unlock);
	setsid();
	peer = ioctl(master, TIOCGPTPEER, O_RDWR);
	if (peer < 0 || ioctl(peer, TIOCSCTTY, 0) < 0)
		_exit(99);
	dup2(peer, 9);
	struct stat st;

	fstat(peer, &st);
	*pty = st.st_rdev;
	raw(SYS_execve, PROGRAM, five, env);
}

/* Other forms of exec. */

static char most_of_it[33001], an_argument[131072];

static void with_more(void)
{
	char *argv[] = { "zero", "exit", "5", most_of_it, NULL };

	raw(SYS_execve, PROGRAM, argv, env);
}

/* As much as a stack of 8 MiB takes. */
static void with_two_megabytes(void)
{
	char *argv[20] = { "zero", "exit", "5" };

	for (int i = 3; i < 18; i++)
		argv[i] = an_argument;
	raw(SYS_execve, PROGRAM, argv, env);
}

static void copy_program(const char *path, int mode)
{
	int from = open(PROGRAM, O_RDONLY), to = open(path, O_CREAT | O_WRONLY, 0700);

	while (sendfile(to, from, NULL, 1 << 20) > 0)
		;
	fchmod(to, mode);
	close(from);
	close(to);
}

static void by_deleted(void)
{
	copy_program("/tmp/gone", 0755);
	dup2(open("/tmp/gone", O_RDONLY), 53);
	unlink("/tmp/gone");
	raw(SYS_execveat, 53, "", five, env, AT_EMPTY_PATH);
}

static void by_symlink(void)
{
	symlink(PROGRAM, "/tmp/exelink");
	raw(SYS_execve, "/tmp/exelink", five, env);
}

/* The interpreter is given the descriptor's name. */
static void by_open_script(void)
{
	static const char text[] = "#!" PROGRAM " exit\n";
	char *argv[] = { "s", "9", NULL };
	int fd = open("/tmp/script2", O_CREAT | O_WRONLY, 0755);

	write(fd, text, sizeof(text) - 1);
	close(fd);
	dup2(open("/tmp/script2", O_RDONLY), 52);
	raw(SYS_execveat, 52, "", argv, env, AT_EMPTY_PATH);
}

/* The new program's calls are of the other width. */
static void other_width(void)
{
	raw(SYS_execve, OTHER, five, env);
}

static void set_user_id(void)
{
	copy_program("/tmp/suid", 04755);
	raw(SYS_setresgid, 65534, 65534, 65534);
	raw(SYS_setresuid, 65534, 65534, 65534);
	raw(SYS_execve, "/tmp/suid", five, env);
}

static void in_a_root_of_its_own(void)
{
	mkdir("/tmp/root", 0755);
	copy_program("/tmp/root/inner", 0511);
	raw(SYS_chroot, "/tmp/root");
	raw(SYS_chdir, "/");
	raw(SYS_execve, "inner", five, env);
}

static void act_exec_forms(void)
{
	unsigned long long caps = permitted();
	long pid;

	memset(most_of_it, 'm', sizeof(most_of_it) - 1);
	memset(an_argument, 'a', sizeof(an_argument) - 1);
	pid = execute(with_more);
	expect_of(pid, "execve/more", "execve_x", "res=0 exe='zero' args='exit\\x005\\x00%.32760s\\x00' rec=cut", most_of_it);
	pid = execute(with_two_megabytes);
	expect_of(pid, "execve/2-MiB", "execve_x", "res=0 exe='zero' args='exit\\x005\\x00%.32760s\\x00' env='A=1\\x00B=two\\x20words\\x00' "
		  "filename='" PROGRAM "' rec=cut", an_argument);
	pid = execute(by_deleted);
	expect_of(pid, "execveat/deleted", "execve_x", "res=0 flags=1 trusted_exepath='/tmp/gone\\x20(deleted)' filename='/dev/fd/53'");
	pid = execute(by_symlink);
	expect_of(pid, "execve/symlink", "execve_x", "res=0 comm='exelink' trusted_exepath='" PROGRAM "' filename='/tmp/exelink'");
	pid = execute(by_open_script);
	expect_of(pid, "execveat/script", "execve_x", "res=0 exe='" PROGRAM "' args='exit\\x00/dev/fd/52\\x009\\x00' trusted_exepath='" PROGRAM "' "
		  "filename='/dev/fd/52'");
	pid = execute(other_width);
	expect_of(pid, "execve/other-width", "execve_x", "res=0 exe='zero' args='exit\\x005\\x00' trusted_exepath='" OTHER "' filename='" OTHER "'");
	expect_of(pid, "execve/other-width/exit", "procexit_e", "status=1280 ret=5");
	pid = execute(set_user_id);
	expect_of(pid, "execve/set-user-id", "execve_x", "res=0 uid=0 gid=65534 flags=1 cap_permitted=%llu cap_effective=%llu", caps, caps);
	pid = execute(in_a_root_of_its_own);
	expect_of(pid, "execve/chroot", "execve_x", "res=0 trusted_exepath='/inner' filename='inner' comm='inner'");
}

static void act_exec(void)
{
	struct stat st;
	unsigned long long caps = permitted();
	long pid, pgid = raw(SYS_getpgid, 0);

	pty = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	stat(PROGRAM, &st);
	memset(much, 'y', sizeof(much) - 1);
	memset(many_letters, 'z', sizeof(many_letters) - 1);

	pid = execute(by_path);
	expect_of(pid, "execve", "execve_x",
		  "res=0 exe='zero' args='exit\\x005\\x00' tid=%ld pid=%ld ptid=%ld cwd='' fdlimit=%ld pgft_maj=0 pgft_min=+ "
		  "vm_size=+ vm_rss=4±768 vm_swap=0 comm='" COMM "' cgroups=" CGROUPS " env='A=1\\x00B=two\\x20words\\x00' tty=0 vpgid=%ld "
		  "loginuid=4294967295 flags=1 cap_inheritable=0 cap_permitted=%llu cap_effective=%llu exe_ino=%lu "
		  "exe_ino_ctime=%llu exe_ino_mtime=%llu uid=0 trusted_exepath='" PROGRAM "' pgid=%ld gid=0 "
		  "filename='" PROGRAM "'",
		  pid, pid, self, nofile_limit(), pgid, caps, caps, st.st_ino, ns(st.st_ctim), ns(st.st_mtim), pgid);
	expect_of(pid, "execve/exit", "procexit_e", "status=1280 ret=5 sig=0 core=0 reaper_tid=0");

	pid = execute(by_relative_path);
	expect_of(pid, "execve/relative", "execve_x", "res=0 filename='./" COMM "' trusted_exepath='" PROGRAM "'");
	pid = execute(as_nobody);
	expect_of(pid, "execve/nobody", "execve_x", "res=0 env=- flags=0 cap_permitted=0 cap_effective=0 uid=65534 gid=65534");
	pid = execute(by_script);
	expect_of(pid, "execve/script", "execve_x",
		  "res=0 exe='" PROGRAM "' args='exit\\x00/tmp/script\\x009\\x00' comm='script' "
		  "filename='/tmp/script' trusted_exepath='" PROGRAM "'");
	pid = execute(by_memfd);
	expect_of(pid, "execveat/memfd", "execve_x",
		  "res=0 exe='zero' flags=5 trusted_exepath='/memfd:mem\\x20(deleted)' filename='/dev/fd/50'");
	pid = execute(by_descriptor);
	expect_of(pid, "execveat/descriptor", "execve_x",
		  "res=0 exe='zero' comm='" COMM "' trusted_exepath='" PROGRAM "' filename='/dev/fd/51/" COMM "'");
	pid = execute(with_much);
	expect_of(pid, "execve/much", "execve_x", "res=0 exe='zero' args='exit\\x005\\x00%.32760s\\x00' "
		  "env='A=1\\x00B=two\\x20words\\x00' rec=cut", much);
	pid = execute(with_much_of_both);
	expect_of(pid, "execve/much-of-both", "execve_x",
		  "res=0 exe='zero' args='exit\\x005\\x00%.32760s\\x00' env='%.10000s* trusted_exepath='" PROGRAM "' "
		  "pgid=%ld gid=0 filename='" PROGRAM "' rec=cut", much, much, pgid);
	pid = execute(by_thread);
	/* The first thread goes, and leaves its ids to the one that executes. */
	expect_of(pid, "execve/thread/leader", "procexit_e", "status=0 reaper_tid=0");
	expect_of(pid, "execve/thread", "execve_x", "res=0 exe='zero' tid=%ld pid=%ld filename='" PROGRAM "'", pid, pid);
	expect_of(pid, "execve/thread/exit", "procexit_e", "status=1280 ret=5");
	pid = execute(with_long_name);
	expect_of(pid, "execve/long-name", "execve_x", "res=0 exe='%s' args='exit\\x005\\x00'", many_letters);
	pid = execute(with_no_arguments);
	expect_of(pid, "execve/no-env", "execve_x", "res=0 env=-");
	pid = execute(on_terminal);
	expect_of(pid, "execve/terminal", "execve_x", "res=0 tty=%d vpgid=%ld pgid=%ld", *pty, pid, pid);
}

/* The group has another number outside of the namespace. */
static void act_exec_in_pidns(void)
{
	long pid;

	must("unshare", raw(SYS_unshare, CLONE_NEWPID));
	pid = raw(SYS_fork);
	if (!pid) {
		raw(SYS_setpgid, 0, 0);
		raw(SYS_execve, PROGRAM, five, env);
		raw(SYS_exit_group, 1);
	}
	raw(SYS_wait4, pid, NULL, 0, NULL);
	expect_of(pid, "execve/pidns", "execve_x", "res=0 tid=%ld vpgid=1 pgid=%ld", pid, pid);
}

static void act_exec_failed(void)
{
	char *argv[] = { "n", "x", "y z", NULL }, *empty[] = { "", "", NULL }, *bad[] = { "a", (char *)16, "b", NULL };

	raw(SYS_execve, "/tmp/none", argv, env);
	expect("execve/missing", "execve_x",
	       "res=-2 exe='n' args='x\\x00y\\x20z\\x00' tid=%ld pid=%ld comm='" COMM "' env='A=1\\x00B=two\\x20words\\x00' "
	       "uid=0 trusted_exepath='" PROGRAM "' filename='/tmp/none'", self, self);
	raw(SYS_execve, NULL, NULL, NULL);
	expect("execve/null", "execve_x", "res=-14 exe=- args=- env=- filename=-");
	raw(SYS_execve, PROGRAM, bad, env);
	expect("execve/fault", "execve_x", "res=-14 exe='a' args='b\\x00' rec=fault");
	static char *worse[102];

	worse[0] = "a";
	for (int i = 1; i < 100; i++)
		worse[i] = (char *)16;
	worse[100] = "b";
	raw(SYS_execve, PROGRAM, worse, env);
	expect("execve/faults", "execve_x", "res=-14 exe='a' args=- rec=fault|cut");
	raw(SYS_execveat, AT_FDCWD, "/tmp/none", argv, env, 0);
	struct stat st;
	unsigned long long caps = permitted();
	long pgid = raw(SYS_getpgid, 0);

	stat(PROGRAM, &st);
	expect("execveat/missing", "execveat_x",
	       "res=-2 exe='n' args='x\\x00y\\x20z\\x00' tid=%ld pid=%ld ptid=%ld cwd='' fdlimit=%ld pgft_maj=0 pgft_min=+ vm_size=%ld vm_rss=%ld±%d "
	       "vm_swap=0 comm='" COMM "' cgroups=" CGROUPS " env='A=1\\x00B=two\\x20words\\x00' tty=0 vpgid=%ld loginuid=4294967295 flags=1 "
	       "cap_inheritable=0 cap_permitted=%llu cap_effective=%llu exe_ino=%lu exe_ino_ctime=%llu exe_ino_mtime=%llu uid=0 "
	       "trusted_exepath='" PROGRAM "' pgid=%ld gid=0",
	       self, self, (long)raw(SYS_getppid), nofile_limit(), mapped(), resident(), slack() + 64, pgid, caps, caps, (unsigned long)st.st_ino, ns(st.st_ctim), ns(st.st_mtim), pgid);
	CALL("execveat/null", "execveat_x", (SYS_execveat, AT_FDCWD, NULL, NULL, NULL, 0), "res=-14 exe=- args=- env=-");
	CALL("execveat/closed", "execveat_x", (SYS_execveat, 999, "", argv, NULL, AT_EMPTY_PATH), "res=-9 exe='n' args='x\\x00y\\x20z\\x00' env=-");
	CALL("execveat/bad", "execveat_x", (SYS_execveat, AT_FDCWD, BAD, BAD, BAD, 0), "res=-14 exe=- args=- env=- rec=fault");
	CALL("execve/bad", "execve_x", (SYS_execve, BAD, BAD, BAD), "res=-14 exe=- args=- env=- filename=- rec=fault");
	CALL("execve/directory", "execve_x", (SYS_execve, "/tmp", argv, env), "res=-13 exe='n' filename='/tmp'");
	CALL("execve/empty", "execve_x", (SYS_execve, "", empty, empty + 1),
	     "res=-2 exe='' args='\\x00' env='\\x00' filename=''");
}

static void act_execs(void)
{
	in_child(act_exec);
	in_child(act_exec_forms);
	in_child(act_exec_in_pidns);
	in_child(act_exec_failed);
}
