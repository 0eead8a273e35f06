// SPDX-License-Identifier: BSD-3-Clause
#include "cbpf/trace.h"

#include <errno.h>

#include "base/mem.h"
#include "base/util.h"
#include "prog_impl.h"

/* A register or a word of memory, with its history. */
struct reg {
	uint32_t v;
	struct cbpf_origin from;
};

struct machine {
	const uint8_t *data;
	uint32_t caplen, wirelen;
	struct reg a, x, mem[CBPF_MEM_WORDS];
	struct cbpf_trace *t;
};

static struct reg
reg_const(uint32_t v)
{
	return (struct reg){v, {.kind = CBPF_ORIGIN_CONST, .loaded = v}};
}

static struct reg
reg_len(const struct machine *m)
{
	return (struct reg){m->wirelen, {.kind = CBPF_ORIGIN_LEN, .loaded = m->wirelen}};
}

/* Load @size bytes at @off. False: the program ends. */
static bool
load(struct machine *m, uint64_t off, uint8_t size, struct reg *ret)
{
	const uint8_t *p = m->data + off;
	uint32_t v;

	if (off + size > m->caplen) {
		m->t->end = CBPF_END_LOAD;
		m->t->off = off;
		m->t->size = size;
		return false;
	}
	v = size == 4 ? load_be32(p) : (size == 2 ? load_be16(p) : *p);
	*ret = (struct reg){
		v, {.kind = CBPF_ORIGIN_LOAD, .off = (uint32_t)off, .size = size, .loaded = v}};
	return true;
}

static bool
load_msh(struct machine *m, uint32_t k)
{
	struct reg byte;

	if (!load(m, k, 1, &byte))
		return false;
	m->x = byte;
	m->x.v = 4 * (byte.v & 15);
	m->x.from.kind = CBPF_ORIGIN_MSH;
	m->x.from.loaded = m->x.v;
	return true;
}

/* A op b, with its history as long as that is short. False: division by 0. */
static bool
alu(struct machine *m, enum cbpf_alu_op op, const struct reg *b)
{
	struct cbpf_origin *from = &m->a.from;

	if (!cbpf_alu(op, m->a.v, b->v, &m->a.v)) {
		m->t->end = CBPF_END_DIVISION;
		return false;
	}
	if (from->kind == CBPF_ORIGIN_CONST && b->from.kind == CBPF_ORIGIN_CONST) {
		from->loaded = m->a.v;
	} else if (from->kind == CBPF_ORIGIN_CONST || from->kind == CBPF_ORIGIN_OTHER ||
		b->from.kind != CBPF_ORIGIN_CONST || from->n_ops == CBPF_ORIGIN_OPS) {
		from->kind = CBPF_ORIGIN_OTHER;
	} else {
		from->ops[from->n_ops].op = op;
		from->ops[from->n_ops].k = b->v;
		from->n_ops++;
	}
	return true;
}

/* jeq, jgt, jge or jset, by bits 4 to 6 of the opcode. */
static bool
holds(enum cbpf_op op, uint32_t a, uint32_t b)
{
	switch (op_rows[op].code >> 4 & 7) {
	case 1: return a == b;
	case 2: return a > b;
	case 3: return a >= b;
	}
	return (a & b) != 0;
}

#define ALU_CASES(name) \
	case CBPF_OP_ALU_##name##_K: return alu(m, CBPF_ALU_##name, &k); \
	case CBPF_OP_ALU_##name##_X: return alu(m, CBPF_ALU_##name, &m->x)

/* What does not move the program counter. False: the program ends here. */
static bool
execute(struct machine *m, const struct prog_step *s)
{
	const struct reg k = reg_const(s->k);
	const uint64_t ind = (uint64_t)m->x.v + s->k;

	switch ((enum cbpf_op)s->op) {
	case CBPF_OP_LD_W_ABS: return load(m, s->k, 4, &m->a);
	case CBPF_OP_LD_H_ABS: return load(m, s->k, 2, &m->a);
	case CBPF_OP_LD_B_ABS: return load(m, s->k, 1, &m->a);
	case CBPF_OP_LD_W_IND: return load(m, ind, 4, &m->a);
	case CBPF_OP_LD_H_IND: return load(m, ind, 2, &m->a);
	case CBPF_OP_LD_B_IND: return load(m, ind, 1, &m->a);
	case CBPF_OP_LD_IMM: m->a = k; return true;
	case CBPF_OP_LD_MEM: m->a = m->mem[s->k]; return true;
	case CBPF_OP_LD_LEN: m->a = reg_len(m); return true;
	case CBPF_OP_LDX_IMM: m->x = k; return true;
	case CBPF_OP_LDX_MEM: m->x = m->mem[s->k]; return true;
	case CBPF_OP_LDX_LEN: m->x = reg_len(m); return true;
	case CBPF_OP_LDX_MSH: return load_msh(m, s->k);
	case CBPF_OP_ST: m->mem[s->k] = m->a; return true;
	case CBPF_OP_STX:
		m->mem[s->k] = m->x;
		return true;
		ALU_CASES(ADD);
		ALU_CASES(SUB);
		ALU_CASES(MUL);
		ALU_CASES(DIV);
		ALU_CASES(OR);
		ALU_CASES(AND);
		ALU_CASES(LSH);
		ALU_CASES(RSH);
		ALU_CASES(MOD);
		ALU_CASES(XOR);
	case CBPF_OP_ALU_NEG:
		m->a = (struct reg){0 - m->a.v, {.kind = CBPF_ORIGIN_OTHER}};
		return true;
	case CBPF_OP_TAX: m->x = m->a; return true;
	case CBPF_OP_TXA: m->a = m->x; return true;
	case CBPF_OP_JA:
	case CBPF_OP_JEQ_K:
	case CBPF_OP_JEQ_X:
	case CBPF_OP_JGT_K:
	case CBPF_OP_JGT_X:
	case CBPF_OP_JGE_K:
	case CBPF_OP_JGE_X:
	case CBPF_OP_JSET_K:
	case CBPF_OP_JSET_X: return true;
	case CBPF_OP_RET_K: m->t->result = s->k; return false;
	case CBPF_OP_RET_A: m->t->result = m->a.v; return false;
	case CBPF_OP_COUNT: break;
	}
	return false;
}

static bool
is_conditional(const struct prog_step *s)
{
	const enum op_form form = op_rows[s->op].form;

	return form == FORM_JMPK || form == FORM_JMPX;
}

/* The instruction behind @at, which has been executed. */
static uint32_t
next(const struct machine *m, const struct prog_step *s, struct cbpf_step *step)
{
	if (is_conditional(s)) {
		const bool with_x = op_rows[s->op].form == FORM_JMPX;

		step->taken = holds((enum cbpf_op)s->op, m->a.v, with_x ? m->x.v : s->k);
		return step->at + 1 + (step->taken ? s->jt : s->jf);
	}
	return step->at + 1 + (s->op == CBPF_OP_JA ? s->k : 0);
}

void
cbpf_may_match(const struct cbpf_prog *prog, bool *ret)
{
	/* Jumps only go forward, so that all that follows is known. */
	for (uint32_t i = prog->n; i-- > 0;) {
		const struct prog_step *s = &prog->steps[i];

		if (s->op == CBPF_OP_RET_K)
			ret[i] = s->k != 0;
		else if (s->op == CBPF_OP_RET_A)
			ret[i] = true;
		else if (s->op == CBPF_OP_JA)
			ret[i] = ret[i + 1 + s->k];
		else if (is_conditional(s))
			ret[i] = ret[i + 1 + s->jt] || ret[i + 1 + s->jf];
		else
			ret[i] = ret[i + 1];
	}
}

static void
find_decided(const struct cbpf_prog *prog, struct cbpf_trace *t, bool *may)
{
	cbpf_may_match(prog, may);
	t->decided = t->n - 1;
	for (size_t i = 0; i + 1 < t->n; i++) {
		const struct prog_step *s = &prog->steps[t->steps[i].at];

		/* Where nothing could match anyway no jump decides anything. */
		if (is_conditional(s) && may[t->steps[i].at] && !may[t->steps[i + 1].at]) {
			t->decided = i;
			return;
		}
	}
}

int
cbpf_trace(const struct cbpf_prog *prog, const uint8_t *data, uint32_t caplen, uint32_t wirelen,
	struct cbpf_trace *ret_trace)
{
	struct cbpf_trace t = {.end = CBPF_END_RETURN};
	struct machine m = {.data = data, .caplen = caplen, .wirelen = wirelen, .t = &t};
	bool *may = mem_calloc(prog->n, sizeof(*may));
	bool goes_on = true;
	uint32_t at = 0;

	m.a = m.x = reg_const(0);
	t.steps = mem_calloc(prog->n, sizeof(*t.steps));
	if (t.steps == NULL || may == NULL) {
		mem_free(may);
		mem_free(t.steps);
		return -ENOMEM;
	}
	while (goes_on) {
		const struct prog_step *s = &prog->steps[at];
		struct cbpf_step *step = &t.steps[t.n++];

		*step = (struct cbpf_step){.at = at, .a = m.a.v, .x = m.x.v, .origin = m.a.from};
		goes_on = execute(&m, s);
		if (goes_on)
			at = next(&m, s, step);
	}
	find_decided(prog, &t, may);
	mem_free(may);
	*ret_trace = t;
	return 0;
}

void
cbpf_trace_fini(struct cbpf_trace *trace)
{
	mem_free(trace->steps);
	*trace = (struct cbpf_trace){.end = CBPF_END_RETURN};
}
