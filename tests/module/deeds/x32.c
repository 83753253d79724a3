// SPDX-License-Identifier: Apache-2.0
/*
 * Calls of the x32 interface, whose numbers have a bit set and whose structures
 * are those of 32-bit callers. Where the kernel has it not they fail, and are
 * told all the same.
 */
#define X32 0x40000000

static struct {
	struct { uint32_t base, len; } vec[3];
	struct { uint32_t name, namelen, iov, iovlen, control, controllen, flags; } message;
	uint32_t argv[3];
	char text[16], path[32], more[16], read[16];
} *low;

static uint32_t at(const void *p)
{
	return (uint32_t)(uintptr_t)p;
}

static long told(const char *name, long ret)
{
	if (ret == -1)
		ret = -errno;
	fact(name, ret);
	return ret;
}

static void deed_x32(void)
{
	int pair[2], file;

	low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	must("mmap", (long)low);
	strcpy(low->text, "0123456789");
	strcpy(low->more, "more");
	strcpy(low->path, REAL);
	make(REAL);
	file = must("open", open(REAL, O_RDWR));
	must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	low->vec[0].base = at(low->text);
	low->vec[0].len = 10;
	low->vec[1].base = at(low->more);
	low->vec[1].len = 4;
	low->vec[2].base = at(low->read);
	low->vec[2].len = 10;
	low->message.iov = at(low->vec);
	low->message.iovlen = 2;
	low->argv[0] = at(low->text);
	low->argv[1] = at(low->more);
	fact("file", file);
	fact("pair", pair[0]);

	told("openat", syscall(X32 | SYS_openat, AT_FDCWD, low->path, O_RDONLY));
	told("writev", syscall(X32 | 516, file, low->vec, 2));
	told("preadv", syscall(X32 | 534, file, low->vec + 2, 1, 2L, 7L)); /* the position is one register here */
	told("sendmsg", syscall(X32 | 518, pair[0], &low->message, 0));
	told("own", syscall(516, file, low->vec, 1)); /* an own number works without the bit, too */
	told("execve", syscall(X32 | 520, "/files/none", low->argv, NULL));
	told("unknown", syscall(X32 | 999, 1, 2, 3));
	told("beyond", syscall(X32 | 547, -1, low->vec, 1, 0, 0, 0));
}

/* A call as a 32-bit program makes it. */
static long call32(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "r8", "r9", "r10", "r11", "memory");
	return (int)ret;
}

/* A socketcall whose words nobody can read. */
static void deed_socketcall(void)
{
	void *nowhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	must("mmap", (long)nowhere);
	fact("nowhere", (long)nowhere);
	fact("ret", call32(102, 3, at(nowhere), 0));
}

/* Ids of 16 bits, and what the kernel makes of those that have more. */
static void deed_ids(void)
{
	struct { uint32_t cur, max; } *limit;

	low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	must("mmap", (long)low);
	limit = (void *)low;
	fact("limit", call32(76, 15, at(limit), 0)); /* RLIMIT_RTTIME is infinite */
	fact("newlimit", call32(191, 15, at(limit), 0));
	fact("setresuid", call32(164, 7, 8, 9));
	fact("root", call32(23, 65536 + 9, 0, 0));
	fact("uid", getuid());
	fact("euid", geteuid());
	fact("none", call32(70, 65535, 7, 0));
}
