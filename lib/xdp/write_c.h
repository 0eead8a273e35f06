/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef XDP_WRITE_C_H
#define XDP_WRITE_C_H

/* The parts of the C writer. */

struct cbpf_prog;
struct sbuf;

/* Append @prog as the C function @name, which says whether it matches a window. */
void write_c_body(struct sbuf *out, const char *name, const struct cbpf_prog *prog);

/* skeleton.inc, as it stands. */
extern const char xdp_skeleton[];

#endif
