// SPDX-License-Identifier: BSD-3-Clause
void
x_run(void)
{
	int n = atoi(s);
	long m = strtoul(s, NULL, 10);
	sscanf(s, "%d", &n);
}
