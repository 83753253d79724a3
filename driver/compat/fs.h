/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _FALCO_COMPAT_FS_H
#define _FALCO_COMPAT_FS_H

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/rcupdate.h>

/*
 * A reference to the file in *slot, or NULL. Until 6.6 a file's memory stayed a
 * file for a grace period, and get_file_rcu() was a macro over the pointer.
 */
#ifndef FALCO_HAVE_GET_FILE_RCU_SLOT
static inline struct file *falco_get_file_rcu(struct file __rcu **slot)
{
	struct file *file = rcu_dereference(*slot);

	return file && get_file_rcu(file) ? file : NULL;
}

#undef get_file_rcu
#define get_file_rcu falco_get_file_rcu
#endif

#ifndef fd_file /* 6.11: struct fd is a word */
#define fd_file(f) ((f).file)
#endif

#ifndef FALCO_HAVE_INODE_GET_CTIME /* 6.6 and some stable trees */
static inline struct timespec64 inode_get_ctime(const struct inode *inode)
{
	return inode->i_ctime;
}
#endif

#ifndef FALCO_HAVE_INODE_GET_MTIME /* 6.7 */
static inline struct timespec64 inode_get_mtime(const struct inode *inode)
{
	return inode->i_mtime;
}
#endif

#ifndef FALCO_HAVE_FILE_PERMISSION /* 5.8 */
static inline int file_permission(struct file *file, int mask)
{
	return inode_permission(file_inode(file), mask);
}
#endif

#ifndef FMODE_CREATED /* 4.19: before, nobody can tell afterwards */
#define FMODE_CREATED 0
#endif

/* The owner of a file as its mount shows it. */
static inline kuid_t file_owner(struct file *file)
{
#if defined(FALCO_HAVE_FILE_MNT_IDMAP) /* 6.3 */
	return vfsuid_into_kuid(i_uid_into_vfsuid(file_mnt_idmap(file), file_inode(file)));
#elif defined(FALCO_HAVE_FILE_MNT_USER_NS) /* 5.12 */
	return i_uid_into_mnt(file_mnt_user_ns(file), file_inode(file));
#else
	return file_inode(file)->i_uid;
#endif
}

#endif /* _FALCO_COMPAT_FS_H */
