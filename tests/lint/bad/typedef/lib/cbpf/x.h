/* SPDX-License-Identifier: BSD-3-Clause */
typedef struct x {
	int a;
} x_t;
typedef int (*x_fn)(void);
typedef struct x *(*x_new_fn)(void);
