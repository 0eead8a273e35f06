// SPDX-License-Identifier: BSD-3-Clause
void
x_run(void)
{
	__attribute__((cleanup(x_free))) char *p = NULL;
}
