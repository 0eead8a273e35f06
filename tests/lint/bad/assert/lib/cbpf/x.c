// SPDX-License-Identifier: BSD-3-Clause
#include <assert.h>

void
x_run(int n)
{
	assert(n > 0);
	_Static_assert(sizeof(int) == 4, "fine");
}
