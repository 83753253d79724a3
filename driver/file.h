/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Questions to a struct file: which object it is, where it lies, what may be
 * done to it. The caller holds a reference for as long as it asks.
 */
#ifndef _FALCO_FILE_H
#define _FALCO_FILE_H

#include <linux/types.h>

struct falco_frame;
struct file;

/* Where in an overlay the opened object lies. */
enum falco_layer {
	FALCO_LAYER_NONE, /* no overlay, or one that we cannot look into */
	FALCO_LAYER_UPPER,
	FALCO_LAYER_LOWER,
};

/*
 * The current task's file behind descriptor @fd, O_PATH ones too, or NULL.
 * Give it back with fput(), which never closes a file on the spot.
 */
struct file *falco_file_get(s64 fd);

/* What the current task's descriptor @fd is: one of FALCO_FD_*. */
u32 falco_file_kind(s64 fd);

/* The superblock's device in the kernel's "new" encoding, the inode's number. */
u32 falco_file_dev(struct file *file);
u64 falco_file_ino(struct file *file);

/* Times of the inode, ns since the epoch. */
u64 falco_file_ctime(struct file *file);
u64 falco_file_mtime(struct file *file);

/* The call that opened the file created it. */
bool falco_file_created(struct file *file);

enum falco_layer falco_file_layer(struct file *file);

/* Memory without a name in any file system: memfd_create(2). */
bool falco_file_memfd(struct file *file);

/* The current task may write the file, or give itself the right to. */
bool falco_file_writable(struct file *file);

/*
 * The path as d_path() finds it, from the current task's root, to @buf of
 * @size bytes. Returns its length with the NUL, 0 if it does not fit, which
 * flags @f. What lies in @buf behind the path is undefined.
 */
u32 falco_file_path(struct falco_frame *f, struct file *file, char *buf, u32 size);

#endif /* _FALCO_FILE_H */
