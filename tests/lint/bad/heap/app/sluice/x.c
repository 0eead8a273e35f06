// SPDX-License-Identifier: BSD-3-Clause
void
x_run(void)
{
	free(asprintf(&p, "a"));
}
