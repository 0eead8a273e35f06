// SPDX-License-Identifier: BSD-3-Clause
int
_x_run(void)
{
	return 0;
}
