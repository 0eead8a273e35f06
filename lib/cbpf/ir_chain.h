/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_IR_CHAIN_H
#define CBPF_IR_CHAIN_H

/*
 * The programs of a chain as one graph. Each program is built and optimised for
 * itself; what is left of it are questions: is a length there, do bytes compare.
 * They are put one behind the other, each once, and every way on leads past those
 * that what was asked before has answered: so rules share what they ask and load,
 * and a rule that fails where the next ones would, too, goes past them.
 */

#include "cbpf/jit.h"
#include "ir.h"

/*
 * Make @ir, which is zeroed, of the @n links; it returns what the chain's
 * function does. ir_fini() in any case. Returns 0, -E2BIG: it would become too
 * large, -ENOMEM.
 */
int ir_chain(struct ir *ir, const struct cbpf_link *links, size_t n);

#endif
