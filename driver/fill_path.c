// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Path events that need code: the open family, mknod, getcwd.
 *
 * The name that an open call was given is read after the kernel has read it, so
 * its owner may have made it unreadable. Then the name is the path of the file
 * that was opened, which nobody can take back; the record's FALCO_REC_FAULT
 * tells that it is.
 */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "file.h"
#include "fill.h"

/* openat2's argument; later members are none of the schema's business. */
struct how {
	u64 flags;
	u64 mode;
	u64 resolve;
};

/* The mode counts only where a file can come into being. */
static u32 open_mode(u64 flags, u64 mode)
{
	if (!(flags & O_CREAT) && (flags & O_TMPFILE) != O_TMPFILE)
		return 0;
	return falco_map(FALCO_MAP_CHMOD_MODE, mode);
}

static u32 open_flags(u64 flags)
{
	return falco_map(FALCO_MAP_OPEN_FLAGS, flags);
}

/* The file that the call returned, with a reference, or NULL. */
static struct file *opened(const struct falco_call *c)
{
	return c->ret < 0 ? NULL : falco_file_get(c->ret);
}

static void done_with(struct file *file)
{
	if (file)
		fput(file);
}

/* What only an exit event can add to the flags. */
static u32 opened_flags(struct file *file)
{
	u32 flags = 0;

	if (!file)
		return 0;
	if (falco_file_created(file))
		flags |= FALCO_O_F_CREATED;
	switch (falco_file_layer(file)) {
	case FALCO_LAYER_UPPER:
		flags |= FALCO_FD_UPPER_LAYER;
		break;
	case FALCO_LAYER_LOWER:
		flags |= FALCO_FD_LOWER_LAYER;
		break;
	case FALCO_LAYER_NONE:
		break;
	}
	return flags;
}

static void write_file_path(struct falco_frame *f, struct file *file)
{
	u32 room;
	u8 *p = falco_param_begin(f, &room);

	falco_param_end(f, falco_file_path(f, file, p, min_t(u32, room, FALCO_PATH_MAX)));
}

static void write_name(struct falco_frame *f, u64 uptr, struct file *file)
{
	u32 room, n;
	u8 *p = falco_param_begin(f, &room);

	room = min_t(u32, room, FALCO_PATH_MAX);
	n = falco_read_user_str(f, p, uptr, room);
	if (!n && uptr && file)
		n = falco_file_path(f, file, p, room);
	falco_param_end(f, n);
}

static void write_dev_ino(struct falco_frame *f, struct file *file)
{
	falco_write_u32(f, file ? falco_file_dev(file) : 0);
	falco_write_u64(f, file ? falco_file_ino(file) : 0);
}

void falco_fill_open_e(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_user_str(f, c->args[0], FALCO_PATH_MAX);
	falco_write_u32(f, open_flags(c->args[1]));
	falco_write_u32(f, open_mode(c->args[1], c->args[2]));
}

void falco_fill_open_x(struct falco_frame *f, const struct falco_call *c)
{
	struct file *file = opened(c);

	falco_write_s64(f, c->ret);
	write_name(f, c->args[0], file);
	falco_write_u32(f, open_flags(c->args[1]) | opened_flags(file));
	falco_write_u32(f, open_mode(c->args[1], c->args[2]));
	write_dev_ino(f, file);
	done_with(file);
}

void falco_fill_creat_e(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_user_str(f, c->args[0], FALCO_PATH_MAX);
	falco_write_u32(f, open_mode(O_CREAT, c->args[1]));
}

void falco_fill_creat_x(struct falco_frame *f, const struct falco_call *c)
{
	struct file *file = opened(c);
	u32 flags = opened_flags(file);
	u16 layer = 0;

	if (flags & FALCO_FD_UPPER_LAYER)
		layer = FALCO_FD_UPPER_LAYER_CREAT;
	else if (flags & FALCO_FD_LOWER_LAYER)
		layer = FALCO_FD_LOWER_LAYER_CREAT;

	falco_write_s64(f, c->ret);
	write_name(f, c->args[0], file);
	falco_write_u32(f, open_mode(O_CREAT, c->args[1]));
	write_dev_ino(f, file);
	falco_write_u16(f, layer);
	done_with(file);
}

void falco_fill_openat_e(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_fd(f, c->args[0]);
	falco_write_user_str(f, c->args[1], FALCO_PATH_MAX);
	falco_write_u32(f, open_flags(c->args[2]));
	falco_write_u32(f, open_mode(c->args[2], c->args[3]));
}

void falco_fill_openat_x(struct falco_frame *f, const struct falco_call *c)
{
	struct file *file = opened(c);

	falco_write_s64(f, c->ret);
	falco_write_fd(f, c->args[0]);
	write_name(f, c->args[1], file);
	falco_write_u32(f, open_flags(c->args[2]) | opened_flags(file));
	falco_write_u32(f, open_mode(c->args[2], c->args[3]));
	write_dev_ino(f, file);
	done_with(file);
}

/* flags, mode, resolve; of @file as far as it knows if @uptr cannot be read. */
static void write_how(struct falco_frame *f, u64 uptr, struct file *file)
{
	struct how how;

	if (falco_read_user(f, &how, uptr, sizeof(how))) {
		falco_write_u32(f, open_flags(how.flags) | opened_flags(file));
		falco_write_u32(f, open_mode(how.flags, how.mode));
		falco_write_u32(f, falco_map(FALCO_MAP_OPENAT2_RESOLVE, how.resolve));
		return;
	}
	if (file)
		falco_write_u32(f, open_flags(READ_ONCE(file->f_flags)) | opened_flags(file));
	else
		falco_write_absent(f);
	falco_write_absent(f);
	falco_write_absent(f);
}

void falco_fill_openat2_e(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_fd(f, c->args[0]);
	falco_write_user_str(f, c->args[1], FALCO_PATH_MAX);
	write_how(f, c->args[2], NULL);
}

void falco_fill_openat2_x(struct falco_frame *f, const struct falco_call *c)
{
	struct file *file = opened(c);

	falco_write_s64(f, c->ret);
	falco_write_fd(f, c->args[0]);
	write_name(f, c->args[1], file);
	write_how(f, c->args[2], file);
	write_dev_ino(f, file);
	done_with(file);
}

void falco_fill_open_by_handle_at_x(struct falco_frame *f, const struct falco_call *c)
{
	struct file *file = opened(c);

	falco_write_s64(f, c->ret);
	falco_write_fd(f, c->args[0]);
	falco_write_u32(f, open_flags(c->args[2]) | opened_flags(file));
	if (file)
		write_file_path(f, file);
	else
		falco_write_absent(f);
	write_dev_ino(f, file);
	done_with(file);
}

void falco_ext_realpath(struct falco_frame *f, s64 fd)
{
	struct file *file = falco_file_get(fd);
	u32 room;
	u8 *p = falco_ext_begin(f, &room);

	if (!file)
		return; /* closed by another thread already */
	falco_ext_end(f, FALCO_EXT_REALPATH,
		      falco_file_path(f, file, p, min_t(u32, room, FALCO_STR_MAX)));
	fput(file);
}

/* A type of 0 means a regular file; types that mknod refuses are left out. */
static u32 mknod_mode(u64 mode)
{
	return falco_map(FALCO_MAP_MKNOD_TYPE, (mode & S_IFMT) >> 12) |
	       falco_map(FALCO_MAP_CHMOD_MODE, mode);
}

/* The device number is the caller's: user space encodes it as all of our dev. */
void falco_fill_mknod_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	falco_write_user_str(f, c->args[0], FALCO_PATH_MAX);
	falco_write_u32(f, mknod_mode(c->args[1]));
	falco_write_u32(f, c->args[2]);
}

void falco_fill_mknodat_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	falco_write_fd(f, c->args[0]);
	falco_write_user_str(f, c->args[1], FALCO_PATH_MAX);
	falco_write_u32(f, mknod_mode(c->args[2]));
	falco_write_u32(f, c->args[3]);
}

void falco_fill_getcwd_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	if (c->ret >= 0)
		falco_write_user_str(f, c->args[0], FALCO_PATH_MAX);
	else
		falco_write_absent(f);
}
