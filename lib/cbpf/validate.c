// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "prog_impl.h"

/*
 * What Linux reads instead of the packet when the offset is SKF_AD_OFF + n
 * (linux/filter.h). None of it exists for a frame that no kernel has seen.
 */
#define AD_OFF 0xfffff000u
#define NET_OFF 0xfff00000u
#define LL_OFF 0xffe00000u

const char *const ancillary_names[ANCILLARY_COUNT] = {"proto", "type", "ifidx", "nla", "nlan",
	"mark", "queue", "hatype", "rxhash", "cpu", "alu_xor_x", "vlan_tci", "vlan_pr", "poff",
	"rand", "vlan_tpid"};

static int
refuse_negative(uint32_t k, unsigned int line, struct diag *diag)
{
	uint32_t ad = k - AD_OFF;

	if (k >= AD_OFF && ad % 4 == 0 && ad / 4 < ANCILLARY_COUNT)
		return diag_fail_at(diag, -EINVAL, line, 0,
			"instruction %u loads the Linux extension '%s', which only a packet "
			"inside the kernel has",
			line, ancillary_names[ad / 4]);
	if (k >= LL_OFF)
		return diag_fail_at(diag, -EINVAL, line, 0,
			"instruction %u loads relative to the %s header (offset %d), which only "
			"Linux does",
			line, k >= NET_OFF ? "network" : "link", (int)k);
	return diag_fail_at(diag, -EINVAL, line, 0,
		"instruction %u loads from the negative offset %d", line, (int)k);
}

static int
refuse_jump(unsigned int line, uint32_t by, size_t left, struct diag *diag)
{
	return diag_fail_at(diag, -EINVAL, line, 0,
		"instruction %u jumps %u instructions ahead, but only %zu follow", line, by, left);
}

/* One instruction by itself; @left instructions follow it. */
static int
check_insn(const struct cbpf_insn *in, unsigned int line, size_t left, struct diag *diag)
{
	enum cbpf_op op = cbpf_op_of(in->code);

	if (op == CBPF_OP_COUNT)
		return diag_fail_at(diag, -EINVAL, line, 0,
			"instruction %u has the unknown opcode 0x%02x", line, in->code);

	switch (op_rows[op].form) {
	case FORM_ABS:
	case FORM_MSH:
		if (in->k >= 0x80000000u)
			return refuse_negative(in->k, line, diag);
		break;
	case FORM_MEM:
		if (in->k >= CBPF_MEM_WORDS)
			return diag_fail_at(diag, -EINVAL, line, 0,
				"instruction %u uses M[%u], the last one is M[%d]", line, in->k,
				CBPF_MEM_WORDS - 1);
		break;
	case FORM_JA:
		if (in->k >= left)
			return refuse_jump(line, in->k, left, diag);
		break;
	case FORM_JMPK:
	case FORM_JMPX:
		if (MAX(in->jt, in->jf) >= left)
			return refuse_jump(line, MAX(in->jt, in->jf), left, diag);
		break;
	case FORM_IMM:
	case FORM_IND:
	case FORM_LEN:
	case FORM_REGX:
	case FORM_NONE:
	case FORM_REGA: break;
	}

	if ((op == CBPF_OP_ALU_DIV_K || op == CBPF_OP_ALU_MOD_K) && in->k == 0)
		return diag_fail_at(
			diag, -EINVAL, line, 0, "instruction %u divides by the constant 0", line);
	if ((op == CBPF_OP_ALU_LSH_K || op == CBPF_OP_ALU_RSH_K) && in->k >= 32)
		return diag_fail_at(diag, -EINVAL, line, 0,
			"instruction %u shifts by %u, at most 31 makes sense", line, in->k);
	return 0;
}

static bool
is_return(uint16_t code)
{
	return code == CBPF_CODE_RET_K || code == CBPF_CODE_RET_A;
}

/*
 * Every M[] that is read was written before on each path to the read. Jumps go
 * forward only, so that one pass sees all predecessors of an instruction before
 * it: @stored[i] is the set of words written on every path to instruction i.
 * What no path reaches starts as "all written" and never complains.
 */
static int
check_stores(const struct cbpf_insn *insns, size_t n, struct diag *diag)
{
	uint16_t stored[CBPF_MAX_INSNS];

	memset(stored, 0xff, n * sizeof(stored[0]));
	stored[0] = 0;
	for (size_t i = 0; i < n; i++) {
		const struct cbpf_insn *in = &insns[i];
		enum cbpf_op op = cbpf_op_of(in->code);
		uint16_t now = stored[i];

		if ((op == CBPF_OP_LD_MEM || op == CBPF_OP_LDX_MEM) && !(now >> in->k & 1))
			return diag_fail_at(diag, -EINVAL, (unsigned int)i + 1, 0,
				"instruction %zu reads M[%u], which some path to it has not "
				"written",
				i + 1, in->k);
		if (op == CBPF_OP_ST || op == CBPF_OP_STX)
			now |= (uint16_t)(1u << in->k);

		if (op_rows[op].form == FORM_JA) {
			stored[i + 1 + in->k] &= now;
		} else if (op_rows[op].form == FORM_JMPK || op_rows[op].form == FORM_JMPX) {
			stored[i + 1 + in->jt] &= now;
			stored[i + 1 + in->jf] &= now;
		} else if (!is_return(in->code)) {
			stored[i + 1] &= now;
		}
	}
	return 0;
}

/*
 * Fields that an opcode does not use are ignored by every engine; they are kept
 * as 0, so that two programs of the same meaning look the same.
 */
static struct cbpf_insn
without_unused(const struct cbpf_insn *in)
{
	struct cbpf_insn out = *in;

	switch (op_rows[cbpf_op_of(in->code)].form) {
	case FORM_JMPK: return out;
	case FORM_JMPX: out.k = 0; return out;
	case FORM_LEN:
	case FORM_REGX:
	case FORM_REGA:
	case FORM_NONE: out.k = 0; break;
	case FORM_ABS:
	case FORM_IND:
	case FORM_MSH:
	case FORM_IMM:
	case FORM_MEM:
	case FORM_JA: break;
	}
	out.jt = 0;
	out.jf = 0;
	return out;
}

static struct cbpf_prog *
prog_copy(const struct cbpf_insn *insns, size_t n)
{
	struct cbpf_prog *prog;
	struct cbpf_insn *copy;
	struct prog_step *steps;

	_Static_assert(sizeof(*prog) % _Alignof(struct cbpf_insn) == 0, "arrays behind the struct");
	prog = mem_alloc(sizeof(*prog) + n * (sizeof(*copy) + sizeof(*steps)));
	if (prog == NULL)
		return NULL;
	copy = (struct cbpf_insn *)(prog + 1);
	steps = (struct prog_step *)(copy + n);
	for (size_t i = 0; i < n; i++) {
		copy[i] = without_unused(&insns[i]);
		steps[i] = (struct prog_step){
			(uint16_t)cbpf_op_of(copy[i].code), copy[i].jt, copy[i].jf, copy[i].k};
	}
	prog->n = (uint32_t)n;
	prog->insns = copy;
	prog->steps = steps;
	return prog;
}

int
cbpf_prog_new(
	const struct cbpf_insn *insns, size_t n, struct cbpf_prog **ret_prog, struct diag *diag)
{
	struct cbpf_prog *prog;
	int r;

	if (n == 0)
		return diag_fail(diag, -EINVAL, "the program is empty");
	if (n > CBPF_MAX_INSNS)
		return diag_fail(diag, -E2BIG, "the program has %zu instructions, at most %d fit",
			n, CBPF_MAX_INSNS);
	for (size_t i = 0; i < n; i++) {
		r = check_insn(&insns[i], (unsigned int)i + 1, n - 1 - i, diag);
		if (r < 0)
			return r;
	}
	if (!is_return(insns[n - 1].code))
		return diag_fail_at(diag, -EINVAL, (unsigned int)n, 0,
			"instruction %zu is the last and no return", n);
	r = check_stores(insns, n, diag);
	if (r < 0)
		return r;

	prog = prog_copy(insns, n);
	if (prog == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	*ret_prog = prog;
	return 0;
}

void
cbpf_prog_free(struct cbpf_prog *prog)
{
	mem_free(prog);
}

const struct cbpf_insn *
cbpf_prog_insns(const struct cbpf_prog *prog, size_t *ret_n)
{
	*ret_n = prog->n;
	return prog->insns;
}
