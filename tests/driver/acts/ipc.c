// SPDX-License-Identifier: Apache-2.0
/* Acts on semaphores and futexes. */
#include "acts.h"

#include <linux/futex.h>
#include <sys/ipc.h>
#include <sys/sem.h>

static void act_semaphores(void)
{
	struct sembuf ops[] = { { 0, 3, IPC_NOWAIT }, { 1, 2, SEM_UNDO }, { 0, -1, 0 } };
	static struct semid_ds ds;
	long id = CALL("semget", "semget_x", (SYS_semget, IPC_PRIVATE, 2, IPC_CREAT | 0600), "key=0 nsems=2 semflg=8192");

	must("semget", id);
	CALL("semget/missing", "semget_x", (SYS_semget, -77, 1, 0), "res=-2 key=-77 nsems=1 semflg=0");
	CALL("semget/exclusive", "semget_x", (SYS_semget, 5, -1, IPC_CREAT | IPC_EXCL), "res=-22 key=5 nsems=-1 semflg=24576");
	CALL("semctl/setval", "semctl_x", (SYS_semctl, id, 1, SETVAL, 9), "res=0 semid=%ld semnum=1 cmd=4096 val=9", id);
	CALL("semctl/getval", "semctl_x", (SYS_semctl, id, 1, GETVAL, 9), "res=9 cmd=512 val=0");
	CALL("semctl/stat", "semctl_x", (SYS_semctl, id, 0, IPC_STAT | (NARROW ? 0x100 : 0), &ds), "res=0 cmd=1 val=0");
	CALL("semctl/range", "semctl_x", (SYS_semctl, id, 99, SETVAL, 1), "res=-22 semnum=99 cmd=4096 val=1");
	CALL("semctl/negative", "semctl_x", (SYS_semctl, -1, -2, SETVAL, -3), "res=-22 semid=-1 semnum=-2 cmd=4096 val=-3");
#if NARROW
	/* i386 has no number for semop, only one for all calls of its kind. */
	raw(SYS_ipc, 1, id, 3, 0, ops);
	expect("ipc", "generic_x", "ID=276 nativeID=117");
#else
	raw(SYS_semop, id, ops, 3);
	expect("semop", "semop_x", "res=0 nsops=3 sem_num_0=0 sem_op_0=3 sem_flg_0=1 sem_num_1=1 sem_op_1=2 sem_flg_1=2 semid=%ld", id);
	raw(SYS_semop, id, ops + 1, 2);
	expect("semop/reverse", "semop_x", "res=0 nsops=2 sem_num_0=1 sem_op_0=2 sem_flg_0=2 sem_num_1=0 sem_op_1=-1 sem_flg_1=0");
	raw(SYS_semop, id, ops + 2, 1);
	expect("semop/one", "semop_x", "res=0 nsops=1 sem_num_0=0 sem_op_0=-1 sem_flg_0=0 sem_num_1=0 sem_op_1=0 sem_flg_1=0");
	CALL("semop/null", "semop_x", (SYS_semop, id, NULL, 1), "res=-14 nsops=1 sem_op_0=0");
	CALL("semop/bad", "semop_x", (SYS_semop, id, BAD, 1), "res=-14 nsops=1 sem_op_0=0");
	CALL("semop/failed", "semop_x", (SYS_semop, -1, ops, 2), "res=-22 nsops=2 sem_op_0=0 sem_op_1=0 semid=-1");
	CALL("semop/none", "semop_x", (SYS_semop, id, ops, 0), "res=-22 nsops=0 sem_op_0=0");
	CALL("semop/many", "semop_x", (SYS_semop, id, ops, 100000), "res=-7 nsops=100000");
#endif
	CALL("semctl/remove", "semctl_x", (SYS_semctl, id, 0, IPC_RMID, 0), "res=0 cmd=4 val=0");
}

static void act_futex(void)
{
	static int word, other;
	static const struct timespec brief = { 0, 1000 };
	unsigned long at = (unsigned long)&word;

	CALL("futex/wake", "futex_x", (SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0), "res=0 addr=%lu op=129 val=1", at);
	CALL("futex/wait", "futex_x", (SYS_futex, &word, FUTEX_WAIT, 7, NULL, NULL, 0), "res=-11 addr=%lu op=0 val=7", at);
	CALL("futex/timeout", "futex_x",
	     (SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &brief, NULL, -1), "res=-110 op=265 val=0");
	CALL("futex/requeue", "futex_x", (SYS_futex, &word, FUTEX_CMP_REQUEUE, 1, 1, &other, 0), "res=0 op=4 val=1");
#if NARROW
	static const int64_t wide[2] = { 0, 1000 };

	CALL("futex_time64", "futex_x", (SYS_futex_time64, &word, FUTEX_WAIT, 0, wide, NULL, 0), "res=-110 addr=%lu op=0 val=0", at);
#endif
	CALL("futex/unknown", "futex_x", (SYS_futex, &word, 127, 1, NULL, NULL, 0), "res=-38 op=0 val=1");
	CALL("futex/null", "futex_x", (SYS_futex, NULL, FUTEX_WAKE, 1, NULL, NULL, 0), "res=-14 addr=0 op=1");
	CALL("futex/bad", "futex_x", (SYS_futex, BAD, FUTEX_WAKE, -1, NULL, NULL, 0), "res=-14 addr=16 op=1 val=%lu", -1UL);
}

static void act_ipc(void)
{
	in_child(act_semaphores);
	in_child(act_futex);
}
