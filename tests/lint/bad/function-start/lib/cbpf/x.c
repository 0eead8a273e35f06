// SPDX-License-Identifier: BSD-3-Clause
static int x_run(int a,
	int b)
{
	return a + b;
}

int
x_fine(int a,
	int b)
{
	return a + b;
}
