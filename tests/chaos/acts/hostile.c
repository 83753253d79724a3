// SPDX-License-Identifier: Apache-2.0
/*
 * hostile WHAT: what only a C program can do to the module, or to what the module looks at.
 */
#include "hostile.h"

#include "mappings.c"
#include "race.c"
#include "unserved.c"

static void hung(int sig)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "hangs behind line %d\n", at_line);

	(void)!write(2, text, n);
	_exit(1);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	signal(SIGALRM, hung);
	if (strcmp(what, "unserved"))
		alarm(strcmp(what, "racing") ? 60 : 600);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "mappings"))
		mappings();
	else if (!strcmp(what, "inheritance"))
		inheritance();
	else if (!strcmp(what, "unserved"))
		unserved();
	else if (!strcmp(what, "racing") && argc > 2)
		racing(atoi(argv[2]));
	else
		return 2;
	printf("checks=%d\n", checks);
	return failures > 0;
}
