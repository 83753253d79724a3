// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * /dev/falco: open, ioctl, mmap, poll. Arguments are checked here; what they
 * mean is consumer.c's business.
 */
#include "device.h"

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "compat/mm.h"
#include "compat/security.h"
#include "compat/uaccess.h"
#include "consumer.h"

/* ---- open, release, poll ---- */

static int falco_open(struct inode *inode, struct file *file)
{
	struct falco_consumer *c;
	int err;

	/* All I/O of all tasks can be read here. capable() asks in the initial user namespace. */
	if (!capable(CAP_SYS_ADMIN) && !capable(CAP_PERFMON))
		return -EPERM;
	err = security_locked_down(LOCKDOWN_PERF);
	if (err)
		return err;
	c = falco_consumer_alloc();
	if (!c)
		return -ENOMEM;
	file->private_data = c;
	return nonseekable_open(inode, file);
}

static int falco_release(struct inode *inode, struct file *file)
{
	falco_consumer_release(file->private_data);
	return 0;
}

/* A pure level: nothing is remembered, so that no edge can be missed. */
static __poll_t falco_poll(struct file *file, poll_table *wait)
{
	struct falco_consumer *c = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &c->wait, wait);
	if (falco_consumer_ready(c))
		events |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(c->stopped))
		events |= EPOLLHUP;
	return events;
}

/* ---- ioctl ---- */

/* Every argument begins with the size that its caller knows; see uapi/falco.h. */
static int get_struct(void *dst, u32 size, void __user *arg, u32 *usize)
{
	if (get_user(*usize, (u32 __user *)arg))
		return -EFAULT;
	if (*usize < sizeof(u32) || *usize > PAGE_SIZE)
		return -EINVAL;
	return copy_struct_from_user(dst, size, arg, *usize);
}

/* The reverse: what the caller knows, and zeros where it knows more than we. */
static int put_struct(void __user *arg, u32 usize, const void *src, u32 size)
{
	if (copy_to_user(arg, src, min(size, usize)))
		return -EFAULT;
	if (usize > size && clear_user((u8 __user *)arg + size, usize - size))
		return -EFAULT;
	return 0;
}

static int ioctl_get_info(struct falco_consumer *c, void __user *arg)
{
	struct falco_info info;
	u32 usize;
	int err = get_struct(&info, sizeof(info), arg, &usize);

	if (err)
		return err;
	falco_consumer_info(c, &info);
	return put_struct(arg, usize, &info, sizeof(info));
}

static int ioctl_config(struct falco_consumer *c, void __user *arg)
{
	struct falco_config config;
	u32 usize;
	int err = get_struct(&config, sizeof(config), arg, &usize);

	return err ? err : falco_consumer_configure(c, &config);
}

static int ioctl_filter_set(struct falco_consumer *c, void __user *arg)
{
	struct falco_filter filter;
	u32 usize;
	int err = get_struct(&filter, sizeof(filter), arg, &usize);

	return err ? err : falco_consumer_select(c, &filter);
}

static int ioctl_stats(struct falco_consumer *c, void __user *arg)
{
	struct falco_count *counts;
	struct falco_stats stats;
	void __user *to;
	u32 usize, n;
	int err = get_struct(&stats, sizeof(stats), arg, &usize);

	if (err)
		return err;
	if (stats.reserved)
		return -EINVAL;
	counts = kvcalloc(FALCO_EV_MAX, sizeof(*counts), GFP_KERNEL);
	if (!counts)
		return -ENOMEM;
	err = falco_consumer_stats(c, &stats, counts);
	if (err)
		goto out;
	to = (void __user *)(unsigned long)stats.counts;
	n = to ? min_t(u32, stats.ncounts, FALCO_EV_MAX) : 0;
	if (n && copy_to_user(to, counts, n * sizeof(*counts))) {
		err = -EFAULT;
		goto out;
	}
	stats.size = sizeof(stats);
	stats.ncounts = FALCO_EV_MAX;
	err = put_struct(arg, usize, &stats, sizeof(stats));
out:
	kvfree(counts);
	return err;
}

static long falco_ioctl(struct file *file, unsigned int cmd, unsigned long ptr)
{
	struct falco_consumer *c = file->private_data;
	void __user *arg = (void __user *)ptr;

	if (_IOC_TYPE(cmd) != FALCO_IOC_MAGIC)
		return -ENOTTY;
	/* By number alone: the size in cmd is that of the caller's version of the struct. */
	switch (_IOC_NR(cmd)) {
	case _IOC_NR(FALCO_IOC_GET_INFO):
		return ioctl_get_info(c, arg);
	case _IOC_NR(FALCO_IOC_CONFIG):
		return ioctl_config(c, arg);
	case _IOC_NR(FALCO_IOC_FILTER_SET):
		return ioctl_filter_set(c, arg);
	case _IOC_NR(FALCO_IOC_START):
		return falco_consumer_start(c);
	case _IOC_NR(FALCO_IOC_STOP):
		falco_consumer_stop(c);
		return 0;
	case _IOC_NR(FALCO_IOC_STATS):
		return ioctl_stats(c, arg);
	}
	return -ENOTTY;
}

/* ---- mmap ---- */

static void vma_open(struct vm_area_struct *vma)
{
	struct falco_consumer *c = vma->vm_private_data;

	atomic_inc(&c->mappings);
}

static void vma_close(struct vm_area_struct *vma)
{
	struct falco_consumer *c = vma->vm_private_data;

	atomic_dec(&c->mappings);
}

/* Half a ring is no ring: the back-to-back pair stays one mapping. */
static int vma_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static const struct vm_operations_struct vm_ops = {
	.open = vma_open,
	.close = vma_close,
	.vm_ops_may_split = vma_may_split,
};

static int insert_pages(struct vm_area_struct *vma, unsigned long addr, struct page **pages, u32 n)
{
	u32 i;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		err = vm_insert_page(vma, addr + i * PAGE_SIZE, pages[i]);
		cond_resched();
	}
	return err;
}

static int map_control(struct vm_area_struct *vma, struct falco_ring *r)
{
	if (vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	vm_flags_mod(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);
	return insert_pages(vma, vma->vm_start, r->pages, 1);
}

static int map_data(struct vm_area_struct *vma, struct falco_ring *r)
{
	u32 n = r->size >> PAGE_SHIFT;
	int err;

	if (vma->vm_end - vma->vm_start != 2UL * r->size)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	/* VM_MAYWRITE goes too, or mprotect() would bring VM_WRITE back. */
	vm_flags_mod(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP, VM_MAYWRITE | VM_MAYEXEC);
	err = insert_pages(vma, vma->vm_start, r->pages + 1, n);
	if (!err)
		err = insert_pages(vma, vma->vm_start + r->size, r->pages + 1, n);
	return err;
}

static int falco_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct falco_consumer *c = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u32 region = offset & (BIT_ULL(FALCO_MMAP_CPU_SHIFT) - 1);
	u64 cpu = offset >> FALCO_MMAP_CPU_SHIFT;
	struct falco_ring *r;
	int err = 0;

	/* A private mapping would read its own copies of pages that go on changing. */
	if (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	if (region != FALCO_MMAP_CONTROL && region != FALCO_MMAP_DATA)
		return -EINVAL;

	mutex_lock(&falco_rings_lock);
	r = falco_consumer_ring(c, cpu);
	if (!c->ring_bytes)
		err = -ENXIO;
	else if (!r || !r->data)
		err = -ENODEV;
	else
		atomic_inc(&c->mappings); /* from here on the ring stays */
	mutex_unlock(&falco_rings_lock);
	if (err)
		return err;

	vma->vm_private_data = c;
	vma->vm_ops = &vm_ops;
	err = region == FALCO_MMAP_CONTROL ? map_control(vma, r) : map_data(vma, r);
	if (err)
		atomic_dec(&c->mappings); /* nobody calls vma_close() */
	return err;
}

/* ---- the device ---- */

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.open = falco_open,
	.release = falco_release,
	.unlocked_ioctl = falco_ioctl,
	.compat_ioctl = falco_ioctl, /* all layouts are the same for 32-bit callers */
	.mmap = falco_mmap,
	.poll = falco_poll,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "falco",
	.fops = &fops,
	.mode = 0600,
};

int falco_device_init(void)
{
	return misc_register(&device);
}

void falco_device_exit(void)
{
	misc_deregister(&device);
}
