// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Events about data that moves through descriptors, and those that make pipes
 * and rings for it. Data is cut to the frame's snaplen.
 */
#include <linux/compiler.h>
#include <linux/file.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "file.h"
#include "fill.h"
#include "iov.h"

/* 32-bit callers have a sendfile for each width of off_t. */
#define NARROW_SENDFILE 187

/* The first of two registers for a 64-bit position: on ARM, pairs begin at even ones. */
#ifdef CONFIG_ARM64
#define PAIR_OF_POSITION 4
#else
#define PAIR_OF_POSITION 3
#endif

/* The beginning of struct io_uring_params. */
struct uring_params {
	u32 sq_entries;
	u32 cq_entries;
	u32 flags;
	u32 sq_thread_cpu;
	u32 sq_thread_idle;
	u32 features;
};

/* What was read is as long as the call says. */
static void write_data_in(struct falco_frame *f, const struct falco_call *c)
{
	if (c->ret > 0)
		falco_write_user_bytes(f, c->args[1], c->ret, f->snaplen);
	else
		falco_write_absent(f);
}

/* What was written too; but what could not be written is worth seeing as well. */
static void write_data_out(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_user_bytes(f, c->args[1], c->ret > 0 ? c->ret : c->args[2], f->snaplen);
}

/* Argument 3, of which 32-bit callers pass the halves in arguments @low and @low + 1. */
static u64 position(const struct falco_call *c, unsigned int low)
{
	return c->regs32 ? (u32)c->args[low] | c->args[low + 1] << 32 : c->args[3];
}

static struct falco_iov vector(const struct falco_call *c)
{
	return falco_iov(c, c->args[1], c->args[2]);
}

void falco_fill_read_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	write_data_in(f, c);
	falco_write_fd(f, c->args[0]);
	falco_write_u32(f, c->args[2]);
}

void falco_fill_write_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	write_data_out(f, c);
	falco_write_fd(f, c->args[0]);
	falco_write_u32(f, c->args[2]);
}

void falco_fill_pread_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_fill_read_x(f, c);
	falco_write_u64(f, position(c, PAIR_OF_POSITION));
}

void falco_fill_pwrite_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_fill_write_x(f, c);
	falco_write_u64(f, position(c, PAIR_OF_POSITION));
}

void falco_fill_readv_x(struct falco_frame *f, const struct falco_call *c)
{
	struct falco_iov iov = vector(c);

	falco_write_s64(f, c->ret);
	if (c->ret > 0) {
		falco_write_u32(f, min_t(u64, falco_iov_size(f, &iov), c->ret));
		falco_write_iov(f, &iov, c->ret);
	} else {
		falco_write_u32(f, 0);
		falco_write_absent(f);
	}
	falco_write_fd(f, c->args[0]);
}

void falco_fill_writev_x(struct falco_frame *f, const struct falco_call *c)
{
	struct falco_iov iov = vector(c);

	falco_write_s64(f, c->ret);
	falco_write_iov(f, &iov, U64_MAX);
	falco_write_fd(f, c->args[0]);
	falco_write_u32(f, falco_iov_size(f, &iov));
}

void falco_fill_preadv_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_fill_readv_x(f, c);
	falco_write_u64(f, position(c, 3)); /* two arguments, no pair */
}

void falco_fill_pwritev_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_fill_writev_x(f, c);
	falco_write_u64(f, position(c, 3));
}

/* offset is what the kernel left in the caller's variable, 0 without one. */
void falco_fill_sendfile_x(struct falco_frame *f, const struct falco_call *c)
{
	u64 offset = 0;

	if (c->args[2])
		falco_read_user(f, &offset, c->args[2],
				c->compat && c->nr == NARROW_SENDFILE ? sizeof(u32) : sizeof(u64));
	falco_write_s64(f, c->ret);
	falco_write_u64(f, offset);
	falco_write_fd(f, c->args[0]);
	falco_write_fd(f, c->args[1]);
	falco_write_u64(f, c->args[3]);
}

void falco_fill_llseek_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	falco_write_fd(f, c->args[0]);
	falco_write_u64(f, c->args[1] << 32 | (u32)c->args[2]);
	falco_write_u8(f, falco_map(FALCO_MAP_LSEEK_WHENCE, c->args[4]));
}

void falco_fill_pipe_x(struct falco_frame *f, const struct falco_call *c)
{
	struct file *file = NULL;
	s32 fds[2];

	if (!c->ret && falco_read_user(f, fds, c->args[0], sizeof(fds)))
		file = falco_file_get(fds[0]);
	else
		memset(fds, -1, sizeof(fds));
	falco_write_s64(f, c->ret);
	falco_write_s64(f, fds[0]);
	falco_write_s64(f, fds[1]);
	falco_write_u64(f, file ? falco_file_ino(file) : 0);
	if (file)
		fput(file);
}

void falco_fill_pipe2_x(struct falco_frame *f, const struct falco_call *c)
{
	s32 flags = c->args[1];

	falco_fill_pipe_x(f, c);
	falco_write_u32(f, flags < 0 ? 0 : falco_map(FALCO_MAP_PIPE2_FLAGS, flags));
}

void falco_fill_io_uring_setup_x(struct falco_frame *f, const struct falco_call *c)
{
	struct uring_params params;

	falco_read_user(f, &params, c->args[1], sizeof(params));
	falco_write_s64(f, c->ret);
	falco_write_u32(f, c->args[0]);
	falco_write_u32(f, params.sq_entries);
	falco_write_u32(f, params.cq_entries);
	falco_write_u32(f, falco_map(FALCO_MAP_IO_URING_SETUP_FLAGS, params.flags));
	falco_write_u32(f, params.sq_thread_cpu);
	falco_write_u32(f, params.sq_thread_idle);
	falco_write_u32(f, falco_map(FALCO_MAP_IO_URING_FEATURES, params.features));
}
