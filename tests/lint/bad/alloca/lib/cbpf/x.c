// SPDX-License-Identifier: BSD-3-Clause
void
x_run(void)
{
	char *p = alloca(n);
}
