// SPDX-License-Identifier: BSD-3-Clause
#include <inttypes.h>
#include <stdbool.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "prog_impl.h"

static enum op_form
form_of(const struct cbpf_insn *in)
{
	enum cbpf_op op = cbpf_op_of(in->code);

	return op == CBPF_OP_COUNT ? FORM_NONE : op_rows[op].form;
}

/* How far @in jumps at most; false when it is no jump. */
static bool
jumps(const struct cbpf_insn *in, uint32_t *ret_by)
{
	switch (form_of(in)) {
	case FORM_JA: *ret_by = in->k; return true;
	case FORM_JMPK:
	case FORM_JMPX: *ret_by = MAX(in->jt, in->jf); return true;
	case FORM_ABS:
	case FORM_IND:
	case FORM_MSH:
	case FORM_IMM:
	case FORM_MEM:
	case FORM_LEN:
	case FORM_REGX:
	case FORM_NONE:
	case FORM_REGA: return false;
	}
	return false;
}

/* What has no spelling: unknown opcodes, and jumps that leave the program. */
static bool
is_speakable(const struct cbpf_insn *in, size_t left)
{
	uint32_t by;

	if (cbpf_op_of(in->code) == CBPF_OP_COUNT)
		return false;
	return !jumps(in, &by) || by < left;
}

/* jeq, jgt, jge, jset by bits 4 to 6 of the opcode, counted from 1. */
static const struct {
	const char *name, *inverse;
} cond_names[] = {{"jeq", "jneq"}, {"jgt", "jle"}, {"jge", "jlt"}, {"jset", NULL}};

static size_t
cond_of(const struct cbpf_insn *in)
{
	return (size_t)(in->code >> 4 & 7) - 1;
}

/* True when only the false branch is spelled, with the name of the inverse test. */
static bool
is_inverse(const struct cbpf_insn *in)
{
	return in->jt == 0 && in->jf != 0 && cond_names[cond_of(in)].inverse != NULL;
}

static void
mark_targets(const struct cbpf_insn *insns, size_t n, bool *is_target)
{
	for (size_t i = 0; i < n; i++) {
		const struct cbpf_insn *in = &insns[i];

		if (!is_speakable(in, n - 1 - i))
			continue;
		if (form_of(in) == FORM_JA) {
			is_target[i + 1 + in->k] = true;
		} else if (form_of(in) == FORM_JMPK || form_of(in) == FORM_JMPX) {
			if (!is_inverse(in))
				is_target[i + 1 + in->jt] = true;
			if (in->jf > 0)
				is_target[i + 1 + in->jf] = true;
		}
	}
}

/*
 * The shortest spelling that means the same: the branch that goes to the next
 * instruction is left out where the test has an inverse.
 */
static void
dis_branches(const struct cbpf_insn *in, size_t at, struct sbuf *out)
{
	const char *name = cond_names[cond_of(in)].name;

	sbuf_addf(out, "%s ", is_inverse(in) ? cond_names[cond_of(in)].inverse : name);
	if (form_of(in) == FORM_JMPX)
		sbuf_adds(out, "x");
	else
		sbuf_addf(out, "#0x%" PRIx32, in->k);
	if (is_inverse(in)) {
		sbuf_addf(out, ", l%zu", at + 1 + in->jf);
		return;
	}
	sbuf_addf(out, ", l%zu", at + 1 + in->jt);
	if (in->jf != 0)
		sbuf_addf(out, ", l%zu", at + 1 + in->jf);
}

static void
dis_insn(const struct cbpf_insn *in, size_t at, struct sbuf *out)
{
	const struct op_row *row = &op_rows[cbpf_op_of(in->code)];

	switch (row->form) {
	case FORM_ABS: sbuf_addf(out, "%s [%" PRIu32 "]", row->name, in->k); return;
	case FORM_IND: sbuf_addf(out, "%s [x + %" PRIu32 "]", row->name, in->k); return;
	case FORM_MSH: sbuf_addf(out, "%s 4*([%" PRIu32 "]&0xf)", row->name, in->k); return;
	case FORM_IMM:
		sbuf_addf(out, in->k < 65536 ? "%s #%" PRIu32 : "%s #0x%" PRIx32, row->name, in->k);
		return;
	case FORM_MEM: sbuf_addf(out, "%s M[%" PRIu32 "]", row->name, in->k); return;
	case FORM_LEN: sbuf_addf(out, "%s #len", row->name); return;
	case FORM_REGX: sbuf_addf(out, "%s x", row->name); return;
	case FORM_REGA: sbuf_addf(out, "%s a", row->name); return;
	case FORM_NONE: sbuf_adds(out, row->name); return;
	case FORM_JA: sbuf_addf(out, "%s l%zu", row->name, at + 1 + in->k); return;
	case FORM_JMPK:
	case FORM_JMPX: dis_branches(in, at, out); return;
	}
}

void
cbpf_dis(const struct cbpf_insn *insns, size_t n, struct sbuf *out)
{
	bool is_target[CBPF_MAX_INSNS] = {false};

	n = MIN(n, (size_t)CBPF_MAX_INSNS);
	mark_targets(insns, n, is_target);
	for (size_t i = 0; i < n; i++) {
		const struct cbpf_insn *in = &insns[i];

		if (is_target[i])
			sbuf_addf(out, "l%zu:\n", i);
		sbuf_addc(out, '\t');
		if (is_speakable(in, n - 1 - i))
			dis_insn(in, i, out);
		else
			sbuf_addf(
				out, "; 0x%02x %u %u 0x%" PRIx32, in->code, in->jt, in->jf, in->k);
		sbuf_addc(out, '\n');
	}
}
