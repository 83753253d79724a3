// SPDX-License-Identifier: Apache-2.0
/*
 * Program flood makes more of everything than tables hold, and watches what the
 * daemon takes meanwhile:
 *
 *	flood PROCESSES OPENS
 *
 * It prints the daemon's anonymous memory in kB: before, at the peak, and
 * afterwards, when nothing of the flood is left.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ALIVE = 1500, KEPT = 4000, PATIENCE = 60 };

static int daemon_pid;
static long peak;

static int find(const char *name)
{
	char path[300], comm[32] = "";
	struct dirent *e;
	DIR *proc = opendir("/proc");
	int pid = 0, fd, n;

	while (!pid && (e = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		n = read(fd, comm, sizeof(comm) - 1);
		close(fd);
		if (n > 0 && !strncmp(comm, name, strlen(name)) && comm[strlen(name)] == '\n')
			pid = atoi(e->d_name);
	}
	closedir(proc);
	return pid;
}

static long look(void)
{
	char path[64], text[4096], *at;
	long now;
	int fd, n;

	snprintf(path, sizeof(path), "/proc/%d/status", daemon_pid);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		exit(3);
	text[n] = 0;
	at = strstr(text, "RssAnon:");
	now = at ? strtol(at + 8, NULL, 10) : 0;
	if (now > peak)
		peak = now;
	return now;
}

static void end_all(pid_t *pids, int n)
{
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < n; i++)
		waitpid(pids[i], NULL, 0);
}

static void processes(int total)
{
	static pid_t pids[ALIVE];
	int n = 0;

	for (int i = 0; i < total; i++) {
		pids[n] = fork();
		if (pids[n] < 0)
			exit(4);
		if (!pids[n]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		if (++n == ALIVE) {
			look();
			end_all(pids, n);
			n = 0;
		}
	}
	end_all(pids, n);
}

/* opens lets processes hold as much as they may. */
static void opens(int total)
{
	static pid_t pids[8];
	char name[256];
	int n = 0, ready[2], fd;
	char c;

	memset(name, 'n', sizeof(name));
	memcpy(name, "/tmp/flood/", 11);
	name[250] = 0;
	mkdir("/tmp/flood", 0755);
	fd = open(name, O_RDONLY | O_CREAT, 0600);
	if (fd < 0 || pipe(ready))
		exit(5);
	close(fd);
	for (int i = 0; i < total; i += KEPT) {
		pids[n] = fork();
		if (!pids[n]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (int k = 0; k < KEPT; k++)
				if (open(name, O_RDONLY) < 0)
					_exit(1);
			if (write(ready[1], "", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		if (read(ready[0], &c, 1) != 1)
			exit(6);
		look();
		if (++n == 8) {
			end_all(pids, n);
			n = 0;
		}
	}
	end_all(pids, n);
}

static void *nothing(void *unused)
{
	return unused;
}

static void threads(int total)
{
	pthread_t t[64];

	for (int i = 0; i < total; i += 64) {
		int n = 0;

		while (n < 64 && !pthread_create(&t[n], NULL, nothing, NULL))
			n++;
		while (n > 0)
			pthread_join(t[--n], NULL);
		look();
	}
}

int main(int argc, char **argv)
{
	struct rlimit many = { 8192, 8192 };
	long before, after = 0;

	daemon_pid = find("falco");
	if (argc < 3 || !daemon_pid || setrlimit(RLIMIT_NOFILE, &many))
		return 2;
	before = look();
	processes(atoi(argv[1]));
	printf("processes peak=%ld\n", peak);
	threads(atoi(argv[1]) / 4);
	printf("threads peak=%ld\n", peak);
	opens(atoi(argv[2]));
	printf("opens peak=%ld\n", peak);
	for (int i = 0; i < PATIENCE; i++) {
		sleep(1);
		after = look();
		if (after < before + 8192)
			break;
	}
	printf("flood before=%ld peak=%ld after=%ld\n", before, peak, after);
	return 0;
}
