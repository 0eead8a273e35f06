/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_X_H
#define CBPF_X_H

uint32_t x_run(void);

#endif
