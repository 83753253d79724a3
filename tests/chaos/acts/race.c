// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that another thread changes during the call. What the call has really done is printed, for a comparison with what the
 * events say.
 */
#include "hostile.h"

#include <arpa/inet.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <sys/un.h>

#define NAME_A "/tmp/race/aaaaaaaa"
#define NAME_B "/tmp/race/bbbbbbbb"

static char name[64] __attribute__((aligned(64)));
static struct sockaddr_in address;
static in_port_t ports[2];
static volatile bool over;

/* Whole words, so that the name is always one of the two. */
static void *flip(void *unused)
{
	const uint64_t a = 0x6161616161616161, b = 0x6262626262626262;
	volatile uint64_t *tail = (uint64_t *)(name + 16); /* name is at 6 of an 8-byte border */
	volatile in_port_t *port = &address.sin_port;

	while (!over) {
		*tail = a;
		*port = ports[0];
		*tail = b;
		*port = ports[1];
	}
	return NULL;
}

/* Where in name the path begins: its last eight letters are one aligned word. */
#define PATH (name + 16 - (sizeof(NAME_A) - 1 - 8))

static void race_open(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		struct stat st;
		int fd = syscall(SYS_openat, AT_FDCWD, PATH, O_RDONLY);

		if (fd < 0 || fstat(fd, &st)) {
			printf("open %d -\n", -errno);
			continue;
		}
		printf("open 0 %lu\n", (unsigned long)st.st_ino);
		close(fd);
	}
}

/*
 * What another thread needs luck for above it can do at leisure while the call waits: for somebody at the other end of a fifo, for
 * room in a queue, for a page of its arguments.
 */
struct patient {
	long call, tid;   /* which call, and whose: it must stand still before anything is changed */
	char *where;      /* the name that the call was given */
	const char *lie;  /* what is there when it returns */
	void (*let_go)(void);
};

/* Until the kernel says that the thread is in the call, and asleep. */
static void wait_for_call(const struct patient *p)
{
	char path[64], text[64];
	long call;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/syscall", p->tid);
	do {
		int fd = must(syscall(SYS_open, path, O_RDONLY), path);
		ssize_t n = must(read(fd, text, sizeof(text) - 1), path);

		close(fd);
		text[n] = '\0';
		usleep(200);
	} while (sscanf(text, "%ld", &call) != 1 || call != p->call);
}

static void *change_and_let_go(void *arg)
{
	struct patient *p = arg;

	wait_for_call(p);
	strcpy(p->where, p->lie);
	p->let_go();
	return NULL;
}

static pthread_t patiently(struct patient *p)
{
	pthread_t thread;

	p->tid = syscall(SYS_gettid);
	pthread_create(&thread, NULL, change_and_let_go, p);
	return thread;
}

#define FIFO "/tmp/race/the-fifo"

static void open_other_end(void)
{
	close(syscall(SYS_open, FIFO, O_WRONLY));
}

static void slow_open(int rounds)
{
	char path[64];
	struct patient p = { .call = SYS_openat, .where = path, .lie = NAME_A, .let_go = open_other_end };
	struct stat st;

	mkfifo(FIFO, 0600);
	for (int i = 0; i < rounds; i++) {
		pthread_t thread;
		int fd;

		strcpy(path, FIFO);
		thread = patiently(&p);
		fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
		must(fstat(fd, &st), "fstat");
		printf("slow-open 0 %lu\n", (unsigned long)st.st_ino);
		close(fd);
		pthread_join(thread, NULL);
	}
}

static int queue;

static void make_room(void)
{
	close(accept(queue, NULL, NULL));
}

static void slow_connect(int rounds)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "/tmp/race/socket" };
	const socklen_t len = sizeof(at);

	queue = socket(AF_UNIX, SOCK_STREAM, 0);
	must(bind(queue, (void *)&at, len), "bind");
	must(listen(queue, 0), "listen");
	for (int i = 0; i < rounds; i++) {
		struct sockaddr_un to = at;
		struct patient p = { .call = SYS_connect, .where = to.sun_path, .lie = "/tmp/race/liar", .let_go = make_room };
		int first = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
		pthread_t thread;

		must(syscall(SYS_connect, first, &at, len), "connect"); /* the queue is full */
		printf("queue\n");
		thread = patiently(&p);
		must(syscall(SYS_connect, fd, &to, len), "connect");
		printf("slow-connect 0 %s\n", at.sun_path);
		pthread_join(thread, NULL);
		make_room();
		close(fd);
		close(first);
	}
}

static int uffd;
static char *page_of_arguments;

static void serve(void)
{
	static char zeros[PAGE] __attribute__((aligned(4096)));
	struct uffdio_copy copy = { .dst = (unsigned long)page_of_arguments, .src = (unsigned long)zeros, .len = PAGE };

	must(ioctl(uffd, UFFDIO_COPY, &copy), "UFFDIO_COPY");
}

static void slow_exec(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			struct uffdio_api api = { .api = UFFD_API };
			struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
			char path[64] = NAME_A;
			struct patient p = { .call = SYS_execve, .where = path, .lie = NAME_B, .let_go = serve };

			uffd = must(syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd");
			page_of_arguments = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			reg.range.start = (unsigned long)page_of_arguments;
			reg.range.len = PAGE;
			must(ioctl(uffd, UFFDIO_API, &api), "UFFDIO_API");
			must(ioctl(uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
			patiently(&p);
			syscall(SYS_execve, path, page_of_arguments, NULL);
			_exit(9);
		}
		waitpid(pid, &status, 0);
		printf("slow-exec %d %d\n", pid, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	}
}

static int listener(in_port_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	must(bind(fd, (void *)&at, sizeof(at)), "bind");
	must(getsockname(fd, (void *)&at, &len), "getsockname");
	*port = at.sin_port;
	return fd;
}

static void race_connect(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		struct sockaddr_in peer = {};
		socklen_t len = sizeof(peer);
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		must(connect(fd, (void *)&address, sizeof(address)), "connect");
		must(getpeername(fd, (void *)&peer, &len), "getpeername");
		printf("connect 0 %d\n", ntohs(peer.sin_port));
		close(fd);
	}
}

static void race_exec(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		char *argv[] = { "race", NULL };
		int status;
		pid_t pid = fork();

		if (!pid) {
			/* The thread that flips is not here; our parent's memory is changed by it while we are copied. */
			pthread_t thread;

			pthread_create(&thread, NULL, flip, NULL);
			execv(PATH, argv);
			_exit(9);
		}
		waitpid(pid, &status, 0);
		printf("exec %d %d\n", pid, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	}
}

/* A program that ends with code: no more than the system call. */
static void write_program(const char *path, unsigned char code)
{
	unsigned char elf[0x90] = {
		0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 2, 0, 62, 0, 1, [24] = 0x78, 0, 0x40, [32] = 64, [52] = 64, 0, 56, 0, 1, 0,
		[64] = 1, 0, 0, 0, 5, [80] = 0, 0, 0x40, [88] = 0, 0, 0x40, [96] = 0x90, [104] = 0x90, [113] = 0x10,
		/* mov edi, code; mov eax, 231; syscall */
		[0x78] = 0xbf, code, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05,
	};
	int fd = must(syscall(SYS_creat, path, 0755), path); /* no openat: those are counted */

	must(write(fd, elf, sizeof(elf)), path);
	close(fd);
}

void racing(int rounds)
{
	pthread_t thread;

	mkdir("/tmp/race", 0755);
	write_program(NAME_A, 1);
	write_program(NAME_B, 2);
	strcpy(PATH, NAME_A);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener(&ports[0]);
	listener(&ports[1]);
	address.sin_port = ports[0];
	printf("tid %ld\n", syscall(SYS_gettid));
	pthread_create(&thread, NULL, flip, NULL);
	race_open(rounds);
	race_connect(rounds);
	race_exec(rounds / 10);
	over = true;
	pthread_join(thread, NULL);
	slow_open(rounds / 10);
	slow_connect(rounds / 10);
	slow_exec(rounds / 10);
}
