// SPDX-License-Identifier: BSD-3-Clause
void
x_run(void)
{
	printf("no");
	fprintf(stderr, "no");
	syslog(3, "no");
	fputs("no", stdout);
	fputs("printf(", f);
}
