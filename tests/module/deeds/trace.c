// SPDX-License-Identifier: Apache-2.0
/* Deeds that tracepoints tell of. */

static volatile sig_atomic_t caught;

static void catch(int sig)
{
	caught++;
}

static volatile char *hole;

static void mend(int sig)
{
	mprotect((void *)hole, PAGE, PROT_READ | PROT_WRITE);
	caught++;
}

static void wait_for(int n)
{
	sigset_t none;

	sigemptyset(&none);
	while (caught < n)
		sigsuspend(&none);
}

static void timer_with(int sig)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig };
	struct itimerspec soon = { .it_value.tv_nsec = 1000000 };
	timer_t timer;

	must("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer));
	must("timer_settime", timer_settime(timer, 0, &soon, NULL));
}

/* Signals one after the other: blocked, but for when they are waited for. */
static void deed_signals(void)
{
	struct sigaction action = { .sa_handler = catch };
	struct itimerval soon = { .it_value.tv_usec = 1000 };
	pid_t self = getpid(), child, killed;
	int go[2], done[2];
	sigset_t all, segv;
	char byte;

	for (int sig = 1; sig < 64; sig++)
		sigaction(sig, &action, NULL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	must("pipe", pipe(go));
	must("pipe", pipe(done));
	child = must("fork", fork());
	if (!child) {
		for (int i = 0; read(go[0], &byte, 1) == 1; i++) {
			switch (i) {
			case 0: kill(self, SIGTERM); break;
			case 1: kill(self, SIGHUP); break;
			case 2: syscall(SYS_tgkill, self, self, SIGINT); break;
			case 3: kill(self, SIGUSR1); break;
			case 4: sigqueue(self, 34, (union sigval){ .sival_int = 7 }); break;
			case 5: _exit(0);
			}
		}
		_exit(1);
	}
	fact("child", child);
	for (int i = 1; i <= 5; i++) {
		write(go[1], "", 1);
		wait_for(i);
	}
	timer_with(35);
	wait_for(6);
	timer_with(SIGTERM);
	wait_for(7);
	setitimer(ITIMER_REAL, &soon, NULL);
	wait_for(8);
	/* Blocked, it would kill us; its handler makes the page writable. */
	action.sa_handler = mend;
	sigaction(SIGSEGV, &action, NULL);
	hole = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigemptyset(&segv);
	sigaddset(&segv, SIGSEGV);
	sigprocmask(SIG_UNBLOCK, &segv, NULL);
	*hole = 1;
	wait_for(9);
	write(go[1], "", 1);
	wait_for(10);
	waitpid(child, NULL, 0);

	killed = must("fork", fork());
	if (!killed) {
		write(done[1], "", 1);
		for (;;)
			pause();
	}
	fact("killed", killed);
	read(done[0], &byte, 1);
	kill(killed, SIGKILL);
	wait_for(11);
	waitpid(killed, NULL, 0);
}

/* Pages that are touched once; what no call has touched yet the module cannot read either. */
static void deed_faults(void)
{
	volatile char *written = pages(1), *empty = pages(1), *filled = pages(1), *ours = pages(1);
	volatile char *protected = pages(1);
	int zero = must("open", open("/dev/zero", O_RDONLY)), null = must("open", open("/dev/null", O_WRONLY));
	struct sigaction action = { .sa_handler = mend };

	fact("written", (long)written);
	fact("read", (long)empty);
	fact("filled", (long)filled);
	fact("ours", (long)ours);
	fact("protected", (long)protected);
	*written = 1;
	(void)*empty;
	must("read", read(zero, (void *)filled, 1));
	must("write", syscall(SYS_write, null, ours, PAGE)); /* looks at no byte of it */

	sigaction(SIGSEGV, &action, NULL);
	hole = protected;
	must("read", read(zero, (void *)hole, 1));
	mprotect((void *)hole, PAGE, PROT_READ);
	*hole = 2;
}

#define ROUNDS 200
static int there[2], back[2];

static void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must("sched_setaffinity", sched_setaffinity(0, sizeof(set), &set));
}

static void *answer(void *unused)
{
	char byte;

	on_cpu(0);
	fact("other", syscall(SYS_gettid));
	for (int i = 0; i < ROUNDS; i++) {
		read(there[0], &byte, 1);
		write(back[1], "", 1);
	}
	return NULL;
}

/* Two threads that take turns on one CPU. */
static void deed_switches(void)
{
	pthread_t thread;
	char byte;

	fact("rounds", ROUNDS);
	on_cpu(0);
	must("pipe", pipe(there));
	must("pipe", pipe(back));
	pthread_create(&thread, NULL, answer, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		write(there[1], "", 1);
		read(back[0], &byte, 1);
	}
	pthread_join(thread, NULL);
	usleep(20000);
}

static void deed_getpid(void)
{
	fact("calls", 20000);
	for (int i = 0; i < 20000; i++)
		syscall(SYS_getpid);
}
