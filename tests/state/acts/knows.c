// SPDX-License-Identifier: Apache-2.0
/*
 * Program knows does what changes the tables, family by family, and says what it
 * knows about itself: see families_test.go.
 *
 *	knows                 all of it
 *	knows exec LABEL …    what others have executed: says who it is
 */
#define _GNU_SOURCE
#include "knows.h"

#include "knows_tasks.c"
#include "knows_files.c"
#include "knows_sockets.c"

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "exec")) {
		after_exec(argv[2]);
		return 0;
	}
	umask(0);
	if (mkdir("/tmp/knows", 0755) && errno != EEXIST)
		return 1;
	if (mkdir("/tmp/knows/sub", 0755) && errno != EEXIST)
		return 1;
	if (chdir("/tmp/knows"))
		return 1;
	tasks();
	descriptors();
	sockets();
	mark("end", "");
	return 0;
}
