// SPDX-License-Identifier: BSD-3-Clause
int
x_run(int a)
{
    return a;
}
