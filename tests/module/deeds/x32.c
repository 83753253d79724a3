// SPDX-License-Identifier: Apache-2.0
/*
 * Calls of the x32 interface, whose numbers have a bit set and whose structures
 * are those of 32-bit callers. Where the kernel has it not they fail, and are
 * told all the same.
 */
#define X32 0x40000000

static struct {
	struct { uint32_t base, len; } vec[2];
	struct { uint32_t name, namelen, iov, iovlen, control, controllen, flags; } message;
	uint32_t argv[3];
	char text[16], path[32], more[16];
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
	low->message.iov = at(low->vec);
	low->message.iovlen = 2;
	low->argv[0] = at(low->text);
	low->argv[1] = at(low->more);
	fact("file", file);
	fact("pair", pair[0]);

	told("openat", syscall(X32 | SYS_openat, AT_FDCWD, low->path, O_RDONLY));
	told("writev", syscall(X32 | 516, file, low->vec, 2));
	told("preadv", syscall(X32 | 534, file, low->vec, 1, 2L, 7L)); /* the position is one register here */
	told("sendmsg", syscall(X32 | 518, pair[0], &low->message, 0));
	told("own", syscall(516, file, low->vec, 1)); /* an own number works without the bit, too */
	told("execve", syscall(X32 | 520, "/files/none", low->argv, NULL));
	told("unknown", syscall(X32 | 999, 1, 2, 3));
	told("beyond", syscall(X32 | 547, -1, low->vec, 1, 0, 0, 0));
}
