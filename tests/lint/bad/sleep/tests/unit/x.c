// SPDX-License-Identifier: BSD-3-Clause
void
x_run(void)
{
	usleep(1000);
	nanosleep(&t, NULL);
}
