/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TESTS_GEN_CHECK_H
#define TESTS_GEN_CHECK_H

/* What is true of every generator's result; after <cmocka.h>. */

#include <stddef.h>

#include "base/diag.h"
#include "base/mem.h"
#include "cbpf/insn.h"
#include "cbpf/text.h"
#include "gen/gen.h"

/* The text is the program: assembled, it gives the same instructions. */
static inline void
check_text(const struct gen_out *out)
{
	struct cbpf_insn *insns = NULL;
	struct diag diag = {0};
	size_t n = 0;

	if (cbpf_asm(out->text, &insns, &n, &diag) < 0)
		fail_msg("line %u: %s in\n%s", diag.line, diag.msg, out->text);
	assert_int_equal(n, out->n);
	assert_memory_equal(insns, out->insns, n * sizeof(*insns));
	mem_free(insns);
}

#endif
