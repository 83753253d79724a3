// SPDX-License-Identifier: Apache-2.0
/* Names that are not what they seem. */
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define REAL "/tmp/deed.real"
#define FAKE "/tmp/deed.fake"

static void make(const char *path)
{
	unlink(path);
	close(must(path, open(path, O_CREAT | O_WRONLY, 0644)));
}

/* One file by many names. */
static void deed_links(void)
{
	char deep[201];
	int fd;

	make(REAL);
	mkdir("/tmp/deed.dir", 0755);
	symlink(REAL, "/tmp/deed.link");
	symlink("/tmp", "/tmp/deed.dir/up");
	must("open", syscall(SYS_openat, AT_FDCWD, REAL, O_RDONLY));
	must("open", syscall(SYS_openat, AT_FDCWD, "/tmp/deed.link", O_RDONLY));
	must("open", syscall(SYS_openat, AT_FDCWD, "/tmp/deed.dir/up/deed.real", O_RDONLY));
	must("open", syscall(SYS_openat, AT_FDCWD, "/proc/self/root" REAL, O_RDONLY));
	must("chdir", chdir("/tmp/deed.dir"));
	must("open", syscall(SYS_openat, AT_FDCWD, "../deed.real", O_RDONLY));
	must("open", syscall(SYS_open, "/tmp/deed.link", O_RDONLY));
	must("creat", syscall(SYS_creat, "/tmp/deed.link", 0600));
	must("openat2", syscall(SYS_openat2, AT_FDCWD, "/tmp/deed.link", (long[3]){ O_RDONLY }, 24));
	fd = must("open", open("/tmp", O_RDONLY | O_PATH));
	must("open", syscall(SYS_openat, fd, "deed.link", O_RDONLY));
	syscall(SYS_openat, AT_FDCWD, "/tmp/deed.none", O_RDONLY);

	/* A path that is longer than any call takes. */
	chdir("/tmp/deed.dir");
	memset(deep, 'd', 200);
	deep[200] = 0;
	for (int i = 0; i < 30; i++) {
		mkdir(deep, 0755);
		must("chdir", chdir(deep));
	}
	must("open", syscall(SYS_openat, AT_FDCWD, "end", O_CREAT | O_RDWR, 0600));
}

static volatile bool over;
static volatile char *shared;
static struct sockaddr_in *volatile name;

static void *swap_names(void *unused)
{
	while (!over) {
		memcpy((char *)shared, FAKE, sizeof(FAKE));
		name->sin_port = htons(7001);
		memcpy((char *)shared, REAL, sizeof(REAL));
		name->sin_port = htons(7002);
	}
	return unused;
}

/* A thread changes the names while calls that take them are under way. */
static void deed_swap(void)
{
	struct sockaddr_in at = { AF_INET };
	pthread_t thread;
	struct stat st;
	int opened = 0;

	shared = pages(1);
	must("mlockall", mlockall(MCL_CURRENT | MCL_FUTURE));
	name = &at; /* sane before the thread runs, if it ever does */
	at.sin_port = htons(7001);
	strcpy((char *)shared, FAKE);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	make(REAL);
	make(FAKE);
	must("stat", stat(REAL, &st));
	fact("real", st.st_ino);
	must("stat", stat(FAKE, &st));
	fact("fake", st.st_ino);
	pthread_create(&thread, NULL, swap_names, NULL);
	for (int i = 0; i < 1000; i++) {
		int fd = syscall(SYS_openat, AT_FDCWD, shared, O_RDONLY);

		if (fd >= 0) {
			opened++;
			close(fd);
		}
	}
	fact("opened", opened);
	for (int i = 0; i < 200; i++) {
		int fd = must("socket", socket(AF_INET, SOCK_DGRAM, 0));
		socklen_t len = sizeof(at);
		struct sockaddr_in peer;

		syscall(SYS_connect, fd, &at, sizeof(at));
		must("getpeername", getpeername(fd, (void *)&peer, &len));
		close(fd);
	}
	for (int i = 0; i < 30; i++) {
		pid_t pid = must("fork", fork());

		if (!pid) {
			unlink(REAL);
			symlink("/files/deeds", REAL);
			unlink(FAKE);
			symlink("/files/guest", FAKE);
			over = false;
			pthread_create(&thread, NULL, swap_names, NULL);
			syscall(SYS_execve, shared, (char *[]){ "deeds", "nothing", NULL }, NULL);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
	over = true;
	pthread_join(thread, NULL);
}

/* Pages whose faults go to a descriptor that nobody reads. */
static char *unserved_page(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *p = pages(2);
	int uffd = must("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));

	must("UFFDIO_API", ioctl(uffd, UFFDIO_API, &api));
	range.range.start = (long)p + PAGE;
	range.range.len = PAGE;
	must("UFFDIO_REGISTER", ioctl(uffd, UFFDIO_REGISTER, &range));
	return p + PAGE;
}

/*
 * Calls whose memory can be read when they look at it, and not when we do; and
 * one that waits for its memory for ever, until it is killed.
 */
static void deed_unserved(void)
{
	char *hole = unserved_page();
	int null = must("open", open("/dev/null", O_WRONLY));
	pid_t pid;

	make(REAL);
	/* The string ends where the hole begins, in words of eight bytes, as the kernel reads them. */
	memcpy(hole - 16, REAL, sizeof(REAL));
	must("open", syscall(SYS_openat, AT_FDCWD, hole - 16, O_RDONLY));
	/* Looked at by nobody but the module. */
	must("write", syscall(SYS_write, null, hole - 10, 2000));
	must("writev", syscall(SYS_writev, null, (struct iovec[]){ { "abc", 3 }, { hole, 10 }, { "def", 3 } }, 3));
	pid = must("fork", fork());
	if (!pid) {
		hole = unserved_page(); /* the parent's is not inherited */
		fact("waits", getpid());
		syscall(SYS_openat, AT_FDCWD, hole, O_RDONLY);
		_exit(1);
	}
	usleep(300000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
