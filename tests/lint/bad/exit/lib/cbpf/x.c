// SPDX-License-Identifier: BSD-3-Clause
void
x_run(void)
{
	exit(1);
	abort();
	atexit(x_run);
}
