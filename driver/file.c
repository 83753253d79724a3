// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Questions to a struct file. Functions stand in the order of the header.
 */
#include "file.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/ktime.h>
#include <linux/magic.h>
#include <linux/net.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/uidgid.h>
#include <net/sock.h>

#include "compat/fs.h"
#include "compat/net.h"
#include "compat/uaccess.h"
#include "schema_gen.h"
#include "write.h"

#ifndef OVERLAYFS_SUPER_MAGIC
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#endif

#define MEMFD_PREFIX "memfd:"

/*
 * fget_raw() looks the descriptor up under RCU and takes no lock. If another
 * thread closes it while we hold the file, fput() hands the last reference to
 * task work, which runs on our way out of the system call.
 */
struct file *falco_file_get(s64 fd)
{
	if (fd < 0 || fd > INT_MAX || !current->files)
		return NULL;
	return fget_raw(fd);
}

static u32 kind_of_socket(struct file *file)
{
	struct socket *sock = sock_from_file(file);
	struct sock *sk = sock ? READ_ONCE(sock->sk) : NULL;

	switch (sk ? READ_ONCE(sk->sk_family) : AF_UNSPEC) {
	case AF_INET:
	case AF_INET6:
		return FALCO_FD_INET;
	case AF_UNIX:
		return FALCO_FD_UNIX;
	}
	return FALCO_FD_SOCKET;
}

static u32 kind_of(struct file *file)
{
	const struct inode *inode = file_inode(file);

	/* First: what type these inodes show depends on the kernel. */
	if (inode->i_sb->s_magic == ANON_INODE_FS_MAGIC)
		return FALCO_FD_ANON;
	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		return FALCO_FD_REGULAR;
	case S_IFDIR:
		return FALCO_FD_DIRECTORY;
	case S_IFCHR:
		return FALCO_FD_CHAR;
	case S_IFBLK:
		return FALCO_FD_BLOCK;
	case S_IFIFO:
		return FALCO_FD_PIPE;
	case S_IFSOCK:
		return kind_of_socket(file);
	}
	return FALCO_FD_OTHER;
}

u32 falco_file_kind(s64 fd)
{
	struct file *file = falco_file_get(fd);
	u32 kind;

	if (!file)
		return FALCO_FD_NONE;
	kind = kind_of(file);
	fput(file);
	return kind;
}

u32 falco_file_dev(struct file *file)
{
	return new_encode_dev(file_inode(file)->i_sb->s_dev);
}

u64 falco_file_ino(struct file *file)
{
	return file_inode(file)->i_ino;
}

static u64 to_ns(struct timespec64 time)
{
	return timespec64_to_ns(&time);
}

u64 falco_file_ctime(struct file *file)
{
	return to_ns(inode_get_ctime(file_inode(file)));
}

u64 falco_file_mtime(struct file *file)
{
	return to_ns(inode_get_mtime(file_inode(file)));
}

bool falco_file_created(struct file *file)
{
	return READ_ONCE(file->f_mode) & FMODE_CREATED;
}

/*
 * Overlayfs has no interface for this. Since 4.13 the inode of an overlay sits
 * in a structure whose next member is the dentry in the upper layer, NULL while
 * there is none. Should that ever change, what we find there is no dentry of
 * another file system, and we say that we do not know.
 */
enum falco_layer falco_file_layer(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct super_block *sb;
	struct dentry *upper;
	unsigned long magic;

	if (inode->i_sb->s_magic != OVERLAYFS_SUPER_MAGIC)
		return FALCO_LAYER_NONE;
	if (copy_from_kernel_nofault(&upper, inode + 1, sizeof(upper)))
		return FALCO_LAYER_NONE;
	if (!upper)
		return FALCO_LAYER_LOWER;
	if (copy_from_kernel_nofault(&sb, &upper->d_sb, sizeof(sb)) ||
	    copy_from_kernel_nofault(&magic, &sb->s_magic, sizeof(magic)) ||
	    sb == inode->i_sb)
		return FALCO_LAYER_NONE;
	return FALCO_LAYER_UPPER;
}

bool falco_file_memfd(struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;

	return IS_ROOT(dentry) &&
	       !strncmp(dentry->d_name.name, MEMFD_PREFIX, strlen(MEMFD_PREFIX));
}

/*
 * As the kernel's inode_owner_or_capable(), but without asking the security
 * modules aloud: a refusal here is no attempt and must not end up in an audit
 * log.
 */
static bool may_chmod(struct file *file)
{
	kuid_t owner = file_owner(file);

	if (uid_eq(current_fsuid(), owner))
		return true;
	return kuid_has_mapping(current_user_ns(), owner) &&
	       ns_capable_noaudit(current_user_ns(), CAP_FOWNER);
}

bool falco_file_writable(struct file *file)
{
	int err;

	/* MAY_NOT_BLOCK: ACLs are read under RCU, and what would need to sleep is -ECHILD. */
	rcu_read_lock();
	err = file_permission(file, MAY_WRITE | MAY_NOT_BLOCK);
	rcu_read_unlock();
	return !err || may_chmod(file);
}

u32 falco_file_path(struct falco_frame *f, struct file *file, char *buf, u32 size)
{
	char *path = d_path(&file->f_path, buf, size);
	u32 len;

	if (IS_ERR(path)) {
		f->flags |= FALCO_REC_TRUNCATED; /* the kernel knows no other reason */
		return 0;
	}
	/* It was put together backwards, from the end of the buffer. */
	len = strnlen(path, buf + size - path - 1) + 1;
	memmove(buf, path, len);
	return len;
}
