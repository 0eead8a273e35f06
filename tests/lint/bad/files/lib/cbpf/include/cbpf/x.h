/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef X_H
#define X_H
#endif
