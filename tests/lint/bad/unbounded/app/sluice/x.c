// SPDX-License-Identifier: BSD-3-Clause
void
x_run(void)
{
	strcpy(a, b);
	sprintf(a, "%s", b);
	snprintf(a, n, "%s", b);
}
