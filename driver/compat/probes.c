// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Questions to the kernel's headers. probe.sh compiles this file once for each
 * PROBE_ section, with the module's own flags and with wrong types as errors;
 * what compiles becomes a FALCO_HAVE_ line of features.h. Distributions carry
 * interfaces back, so that a version number answers nothing.
 *
 * A section is a few lines that use the interface in the way that we do.
 */
#ifdef PROBE_SANITY /* must compile, or nothing that follows means anything */
#include <linux/module.h>
int probe(void);
int probe(void)
{
	return 0;
}
#endif

#ifdef PROBE_ACCESS_OK_2
#include <linux/uaccess.h>
int probe(const void __user *p);
int probe(const void __user *p)
{
	return access_ok(p, 1);
}
#endif

#ifdef PROBE_CALL_RCU_SCHED
#include <linux/rcupdate.h>
void probe(struct rcu_head *head, void (*fn)(struct rcu_head *head));
void probe(struct rcu_head *head, void (*fn)(struct rcu_head *head))
{
	call_rcu_sched(head, fn);
}
#endif

#ifdef PROBE_CAP_VAL
#include <linux/capability.h>
u64 probe(kernel_cap_t *cap);
u64 probe(kernel_cap_t *cap)
{
	return cap->val;
}
#endif

#ifdef PROBE_CGROUP_ID
#include <linux/cgroup.h>
u64 probe(struct cgroup *cgrp);
u64 probe(struct cgroup *cgrp)
{
	return cgrp->root == &cgrp_dfl_root ? cgroup_id(cgrp) : 0;
}
#endif

#ifdef PROBE_COPY_FROM_KERNEL_NOFAULT
#include <linux/uaccess.h>
long probe(void *dst, const void *src);
long probe(void *dst, const void *src)
{
	return copy_from_kernel_nofault(dst, src, 1);
}
#endif

#ifdef PROBE_COPY_FROM_USER_NOFAULT
#include <linux/uaccess.h>
long probe(void *dst, const void __user *src);
long probe(void *dst, const void __user *src)
{
	return copy_from_user_nofault(dst, src, 1);
}
#endif

#ifdef PROBE_COPY_STRUCT_FROM_USER
#include <linux/uaccess.h>
int probe(void *dst, const void __user *src);
int probe(void *dst, const void __user *src)
{
	return copy_struct_from_user(dst, 1, src, 1);
}
#endif

#ifdef PROBE_EXIT_GROUP_DEAD
#include <linux/sched.h>
#include <trace/events/sched.h>
void probe(void (*fn)(void *data, struct task_struct *task, bool group_dead));
void probe(void (*fn)(void *data, struct task_struct *task, bool group_dead))
{
	check_trace_callback_type_sched_process_exit(fn);
}
#endif

#ifdef PROBE_FAULTS_GENERIC
#include <linux/ptrace.h>
#include <trace/events/exceptions.h>
void probe(void (*fn)(void *data, unsigned long address, struct pt_regs *regs,
		      unsigned long error_code));
void probe(void (*fn)(void *data, unsigned long address, struct pt_regs *regs,
		      unsigned long error_code))
{
	check_trace_callback_type_page_fault_user(fn);
}
#endif

#ifdef PROBE_FAULTS_X86
#include <linux/ptrace.h>
#include <asm/trace/exceptions.h>
void probe(void (*fn)(void *data, unsigned long address, struct pt_regs *regs,
		      unsigned long error_code));
void probe(void (*fn)(void *data, unsigned long address, struct pt_regs *regs,
		      unsigned long error_code))
{
	check_trace_callback_type_page_fault_user(fn);
}
#endif

#ifdef PROBE_FILE_MNT_IDMAP
#include <linux/fs.h>
struct mnt_idmap *probe(struct file *file);
struct mnt_idmap *probe(struct file *file)
{
	return file_mnt_idmap(file);
}
#endif

#ifdef PROBE_FILE_MNT_USER_NS
#include <linux/fs.h>
kuid_t probe(struct file *file);
kuid_t probe(struct file *file)
{
	return i_uid_into_mnt(file_mnt_user_ns(file), file_inode(file));
}
#endif

#ifdef PROBE_FILE_PERMISSION
#include <linux/fs.h>
int probe(struct file *file);
int probe(struct file *file)
{
	return file_permission(file, MAY_WRITE);
}
#endif

#ifdef PROBE_FSCONFIG
#include <uapi/linux/mount.h>
int probe(void);
int probe(void)
{
	return FSCONFIG_SET_PATH;
}
#endif

#ifdef PROBE_GET_FILE_RCU_SLOT
#include <linux/fs.h>
struct file *probe(struct file __rcu **slot);
struct file *probe(struct file __rcu **slot)
{
	return get_file_rcu(slot);
}
#endif

#ifdef PROBE_GET_KERNEL_NOFAULT_LABEL
#include <linux/uaccess.h>
unsigned long probe(const void *from);
unsigned long probe(const void *from)
{
	unsigned long to;

	__get_kernel_nofault(&to, from, unsigned long, fault);
	return to;
fault:
	return 0;
}
#endif

#ifdef PROBE_INODE_GET_CTIME
#include <linux/fs.h>
struct timespec64 probe(const struct inode *inode);
struct timespec64 probe(const struct inode *inode)
{
	return inode_get_ctime(inode);
}
#endif

#ifdef PROBE_INODE_GET_MTIME
#include <linux/fs.h>
struct timespec64 probe(const struct inode *inode);
struct timespec64 probe(const struct inode *inode)
{
	return inode_get_mtime(inode);
}
#endif

#ifdef PROBE_KERNEL_SIGINFO
#include <linux/signal.h>
pid_t probe(const struct kernel_siginfo *info);
pid_t probe(const struct kernel_siginfo *info)
{
	return info->si_pid;
}
#endif

#ifdef PROBE_KTIME_GET_BOOTTIME_NS
#include <linux/ktime.h>
#include <linux/timekeeping.h>
u64 probe(void);
u64 probe(void)
{
	return ktime_get_boottime_ns();
}
#endif

#ifdef PROBE_LOCKDOWN
#include <linux/security.h>
int probe(void);
int probe(void)
{
	return security_locked_down(LOCKDOWN_PERF);
}
#endif

#ifdef PROBE_SOCK_FROM_FILE_1
#include <linux/net.h>
struct socket *probe(struct file *file);
struct socket *probe(struct file *file)
{
	return sock_from_file(file);
}
#endif

#ifdef PROBE_SWITCH_PREV_STATE
#include <linux/sched.h>
#include <trace/events/sched.h>
void probe(void (*fn)(void *data, bool preempt, struct task_struct *prev,
		      struct task_struct *next, unsigned int prev_state));
void probe(void (*fn)(void *data, bool preempt, struct task_struct *prev,
		      struct task_struct *next, unsigned int prev_state))
{
	check_trace_callback_type_sched_switch(fn);
}
#endif

#ifdef PROBE_SWITCH_PREV_STATE_SECOND
#include <linux/sched.h>
#include <trace/events/sched.h>
void probe(void (*fn)(void *data, bool preempt, unsigned int prev_state,
		      struct task_struct *prev, struct task_struct *next));
void probe(void (*fn)(void *data, bool preempt, unsigned int prev_state,
		      struct task_struct *prev, struct task_struct *next))
{
	check_trace_callback_type_sched_switch(fn);
}
#endif

#ifdef PROBE_SYSCALL_ARGS_3
#include <linux/sched.h>
#include <asm/syscall.h>
void probe(struct pt_regs *regs, unsigned long *args);
void probe(struct pt_regs *regs, unsigned long *args)
{
	syscall_get_arguments(current, regs, args);
}
#endif

#ifdef PROBE_UAPI_MOUNT
#include <uapi/linux/mount.h>
int probe(void);
int probe(void)
{
	return MS_MGC_VAL != 0;
}
#endif

#ifdef PROBE_VM_FLAGS_SET
#include <linux/mm.h>
void probe(struct vm_area_struct *vma);
void probe(struct vm_area_struct *vma)
{
	vm_flags_mod(vma, VM_DONTCOPY, VM_MAYWRITE);
}
#endif

#ifdef PROBE_VM_MAY_SPLIT
#include <linux/mm.h>
size_t probe(void);
size_t probe(void)
{
	return offsetof(struct vm_operations_struct, may_split);
}
#endif
