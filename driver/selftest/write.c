// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the writers make of strings and buffers that end, or don't, in all the
 * unfriendly places of user memory. Runs in the process that loads the module.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "selftest.h"

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../schema_gen.h"
#include "../write.h"

#define EXPECT(cond)                                                      \
	do {                                                              \
		if (!(cond)) {                                            \
			pr_err("write self-test: line %d: %s\n", __LINE__, #cond); \
			return false;                                     \
		}                                                         \
	} while (0)

#define FRAME_BYTES 8192

/* chdir_x: res errno, path fspath. */
static void begin(struct falco_frame *f)
{
	falco_frame_begin(f, FALCO_EV_CHDIR_X, 7, 80);
	falco_write_s64(f, -2);
}

static u16 length(const struct falco_frame *f, u8 param)
{
	return ((const u16 *)(f->buf + FALCO_HEADER_SIZE))[param];
}

static const char *path(const struct falco_frame *f)
{
	return (const char *)f->buf + FALCO_HEADER_SIZE + 2 * sizeof(u16) + sizeof(s64);
}

static bool sums_up(const struct falco_frame *f)
{
	const struct falco_event_header *h = (const struct falco_event_header *)f->buf;
	u32 sum = FALCO_HEADER_SIZE + f->nparams * sizeof(u16);
	u8 i;

	for (i = 0; i < f->nparams; i++)
		sum += length(f, i);
	return h->len == sum && f->len == sum && !f->broken;
}

static int fill_user(u64 page, u8 with)
{
	u64 at;

	for (at = page; at < page + PAGE_SIZE; at++)
		if (put_user(with, (u8 __user *)(unsigned long)at))
			return -EFAULT;
	return 0;
}

/* The page at @page is mapped, the one behind it is not. */
static bool test_user_strings(struct falco_frame *f, u64 page)
{
	u64 end = page + PAGE_SIZE;
	static const struct {
		int from_end;        /* where the string begins */
		const char *text;    /* NULL: no NUL up to the end of the page */
		u32 max;
		u16 length;
		u32 flags;
	} cases[] = {
		{ 4096, "", 100, 1, 0 },
		{ 4096, "/etc/passwd", 100, 12, 0 },
		{ 12, "/etc/passwd", 100, 12, 0 },            /* the NUL is the page's last byte */
		{ 300, NULL, 4096, 0, FALCO_REC_FAULT },      /* runs into the hole */
		{ 300, NULL, 300, 300, FALCO_REC_TRUNCATED }, /* the limit comes first */
		{ 1, NULL, 4096, 0, FALCO_REC_FAULT },
		{ 0, NULL, 4096, 0, FALCO_REC_FAULT },        /* first byte */
		{ 4096, "/etc/passwd", 12, 12, 0 },           /* just fits */
		{ 4096, "/etc/passwd", 11, 11, FALCO_REC_TRUNCATED },
		{ 4096, "/etc/passwd", 1, 1, FALCO_REC_TRUNCATED },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 at = end - cases[i].from_end;

		EXPECT(!fill_user(page, 'x'));
		if (cases[i].text)
			EXPECT(!copy_to_user((void __user *)(unsigned long)at, cases[i].text,
					     strlen(cases[i].text) + 1));
		begin(f);
		falco_write_user_str(f, at, cases[i].max);
		falco_frame_end(f);
		if (length(f, 1) != cases[i].length || f->flags != cases[i].flags || !sums_up(f)) {
			pr_err("write self-test: string %u: length %u, flags %#x\n", i,
			       length(f, 1), f->flags);
			return false;
		}
		if (f->flags == 0)
			EXPECT(!strcmp(path(f), cases[i].text));
		if (f->flags == FALCO_REC_TRUNCATED)
			EXPECT(path(f)[length(f, 1) - 1] == '\0');
	}
	return true;
}

static bool test_pointers(struct falco_frame *f, u64 page)
{
	u64 word = 1;

	begin(f);
	falco_write_user_str(f, 0, 100); /* NULL is absent, and nothing is wrong */
	falco_frame_end(f);
	EXPECT(length(f, 1) == 0 && f->flags == 0 && sums_up(f));

	begin(f);
	falco_write_user_str(f, (unsigned long)f->buf, 100); /* the kernel's own memory */
	falco_frame_end(f);
	EXPECT(length(f, 1) == 0 && f->flags == FALCO_REC_FAULT && sums_up(f));

	begin(f);
	falco_write_user_str(f, U64_MAX - 3, 100);
	falco_frame_end(f);
	EXPECT(length(f, 1) == 0 && f->flags == FALCO_REC_FAULT && sums_up(f));

	begin(f);
	EXPECT(!falco_read_user(f, &word, page + PAGE_SIZE - 4, sizeof(word)));
	EXPECT(word == 0 && f->flags == FALCO_REC_FAULT);
	return true;
}

/* read_x: res errno, data bytebuf, fd fd, size uint32. */
static bool test_bytes(struct falco_frame *f, u64 page)
{
	static const struct {
		int from_end;
		u64 n;
		u32 max;
		u16 length;
		u32 flags;
	} cases[] = {
		{ 4096, 10, 80, 10, 0 },
		{ 4096, 1000, 80, 80, 0 },                        /* the snaplen's cut is no news */
		{ 4096, 1000, 100, 100, FALCO_REC_TRUNCATED },
		{ 4096, 0, 80, 0, 0 },
		{ 10, 80, 80, 10, FALCO_REC_FAULT },              /* what lies before the hole */
		{ 0, 80, 80, 0, FALCO_REC_FAULT },
		{ 4096, U64_MAX, 4096, 4096, FALCO_REC_TRUNCATED },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		falco_frame_begin(f, FALCO_EV_READ_X, 7, 80);
		falco_write_s64(f, cases[i].n);
		falco_write_user_bytes(f, page + PAGE_SIZE - cases[i].from_end, cases[i].n,
				       cases[i].max);
		falco_write_fd(f, 3);
		falco_write_u32(f, cases[i].n);
		falco_frame_end(f);
		if (length(f, 1) != cases[i].length || f->flags != cases[i].flags || !sums_up(f)) {
			pr_err("write self-test: bytes %u: length %u, flags %#x\n", i, length(f, 1),
			       f->flags);
			return false;
		}
	}
	return true;
}

/* A long value leaves room for what comes behind it. */
static bool test_room(struct falco_frame *f)
{
	static const u8 zeros[1000];
	u32 size = f->size, room;

	f->size = 128;
	falco_frame_begin(f, FALCO_EV_READ_X, 7, 80);
	falco_write_s64(f, 1);
	falco_param_begin(f, &room);
	EXPECT(room == 128 - FALCO_HEADER_SIZE - 4 * 2 - 8 - 2 * 8);
	falco_write_bytes(f, zeros, sizeof(zeros));
	EXPECT(f->flags == FALCO_REC_TRUNCATED);
	falco_write_fd(f, (u32)-100);
	falco_write_u32(f, 9);
	falco_frame_end(f);
	f->size = size;
	EXPECT(sums_up(f) && length(f, 1) == room && length(f, 2) == 8 && length(f, 3) == 4);
	EXPECT(!memcmp(f->buf + f->len - 12, "\x9c\xff\xff\xff\xff\xff\xff\xff\x09\0\0\0", 12));

	begin(f);
	falco_write_str(f, NULL);
	EXPECT(f->param == 2 && length(f, 1) == 0);
	begin(f);
	falco_write_str(f, "ab");
	EXPECT(length(f, 1) == 3 && !strcmp(path(f), "ab"));
	return true;
}

/* Extensions lie behind the event, which does not count them; what has no room is left out. */
static bool test_extensions(struct falco_frame *f)
{
	u32 size = f->size, room, len;
	u8 *p;

	begin(f);
	falco_write_str(f, "ab");
	falco_frame_end(f);
	len = f->len;
	EXPECT(!f->ext && !f->flags);
	falco_ext_end(f, 7, 0);
	EXPECT(!f->ext && !f->flags);

	p = falco_ext_begin(f, &room);
	EXPECT(p == f->buf + len + 4 && room == f->size - len - 4);
	memcpy(p, "one", 3);
	falco_ext_end(f, 7, 3);
	memcpy(falco_ext_begin(f, &room), "second", 6);
	falco_ext_end(f, 8, 6);
	EXPECT(f->ext == 4 + 3 + 4 + 6 && f->flags == FALCO_REC_EXT && sums_up(f));
	EXPECT(!memcmp(f->buf + len, "\7\0\3\0one\10\0\6\0second", f->ext));

	f->size = f->len + f->ext + 4 + 2;
	falco_ext_begin(f, &room);
	EXPECT(room == 2);
	falco_ext_end(f, 9, 3);
	EXPECT(f->ext == 4 + 3 + 4 + 6);
	f->size = f->len + f->ext + 3;
	falco_ext_begin(f, &room);
	EXPECT(room == 0);
	f->size = size;
	return true;
}

bool falco_selftest_write(void)
{
	struct falco_frame f = { .size = FRAME_BYTES };
	unsigned long page;
	bool pass = false;

	f.buf = kvmalloc(f.size, GFP_KERNEL);
	page = vm_mmap(NULL, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_ANONYMOUS | MAP_PRIVATE, 0);
	if (f.buf && !IS_ERR_VALUE(page)) {
		vm_munmap(page + PAGE_SIZE, PAGE_SIZE);
		pass = test_user_strings(&f, page) && test_pointers(&f, page) &&
		       test_bytes(&f, page) && test_room(&f) && test_extensions(&f);
		vm_munmap(page, PAGE_SIZE);
	}
	kvfree(f.buf);
	pr_info("write self-test: %s\n", pass ? "pass" : "FAIL");
	return pass;
}
