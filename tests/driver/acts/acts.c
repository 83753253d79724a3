// SPDX-License-Identifier: Apache-2.0
/*
 * Program acts makes system calls and says which events it expects of them:
 * see driver_test.go. Each act is a process of its own.
 *
 *	acts           all acts, expectations on standard output
 *	acts race      races, of which nothing is expected
 *	acts exit N    ends with N at once: what the acts execute
 */
#include "acts.h"

/* One program from several files, by family, as in driver/. */
#include "path.c"
#include "io.c"
#include "socket.c"
#include "process.c"
#include "rest.c"
#include "compat.c"
#include "overlay.c"
#include "race.c"

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "exit"))
		return atoi(argv[2]);
	if (argc > 1 && !strcmp(argv[1], "race"))
		return race_all();
	umask(0);
	book = mmap(NULL, sizeof(*book), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (book == MAP_FAILED)
		return 1;
	self = raw(SYS_gettid);
	act_path();
	act_io();
	act_socket();
	act_process();
	act_rest();
	act_compat();
	act_overlay();
	for (size_t at = 0; at < book->len;) {
		ssize_t n = write(STDOUT_FILENO, book->text + at, book->len - at);

		if (n < 0)
			return 1;
		at += n;
	}
	return 0;
}
