// SPDX-License-Identifier: BSD-3-Clause
void
x_run(void)
{
	char *p = malloc(10);
	char *q = strdup("a");

	free(p);
	mem_free(q);
	ops->free(q);
	/* lint: heap: the C library allocated this line */
	free(line);
}
