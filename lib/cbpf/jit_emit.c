// SPDX-License-Identifier: BSD-3-Clause
/*
 * From the plan to machine code. rdi is the packet, esi the bytes captured, edx
 * the length on the wire; rax and rcx are scratch within one step. Values are
 * 32 bits wide and zero-extended in their register, so that they can be part
 * of an address. A chain's function is a loop in which a return goes on with
 * the next record.
 */
#include "jit_emit.h"

#include "base/util.h"
#include "cbpf/jit.h"

struct emitter {
	struct x86_buf *b;
	const struct plan_list *p;
	const struct cbpf_records *records; /* of a chain, or NULL */
	uint32_t saved; /* registers, as bits */
	uint32_t nslots; /* of 8 bytes, the plan's and a chain's own, the last */
	int drop, next, end; /* labels, see EMIT_DROP */
	bool drop_used;
};

static struct x86_rm
slot_of(const struct ir_val *v)
{
	return x86_mem(RSP, X86_NONE, 0, 8 * v->slot);
}

static const enum x86_reg arg_regs[] = {
	[IR_ARG_KEY] = EMIT_KEY,
	[IR_ARG_ALLOWED] = EMIT_ALLOWED,
	[IR_ARG_SPORT] = EMIT_SPORT,
};

/* The register that holds @v; @scratch, loaded with it, when it is in none. */
static enum x86_reg
get(struct emitter *e, const struct ir_val *v, enum x86_reg scratch)
{
	if (v->op == IR_CONST) {
		x86_mov_imm(e->b, scratch, v->k);
		return scratch;
	}
	if (v->op == IR_LEN && !e->p->has_div)
		return RDX;
	if (v->op == IR_ARG)
		return arg_regs[v->k];
	if (v->reg >= 0)
		return (enum x86_reg)v->reg;
	x86_load(e->b, v->op == IR_RAW && v->size == 8 ? 8 : 4, scratch, slot_of(v));
	return scratch;
}

/* Where to compute @v: its register, or rax, which put() then stores. */
static enum x86_reg
dest(const struct ir_val *v)
{
	return v->reg >= 0 ? (enum x86_reg)v->reg : RAX;
}

static void
put(struct emitter *e, const struct ir_val *v)
{
	if (v->reg < 0)
		x86_store(e->b, 8, slot_of(v), RAX);
}

/*
 * The memory that @load loads. May use rcx, and rax for an offset
 * that does not fit a displacement.
 */
static struct x86_rm
packet(struct emitter *e, const struct ir_val *load)
{
	enum x86_reg index = X86_NONE;
	uint8_t scale = 0;
	int64_t off = load->k;

	if (load->a != NULL)
		index = get(e, plan_index(e->p->ir, load, &scale, &off), RCX);
	if (off <= INT32_MAX)
		return x86_mem(RDI, index, scale, (int32_t)off);
	x86_mov_imm(e->b, RAX, (uint64_t)off);
	x86_alu(e->b, X86_ADD, 8, RAX, x86_reg(RDI));
	return x86_mem(RAX, index, scale, 0);
}

static void
emit_load(struct emitter *e, const struct ir_val *v)
{
	enum x86_reg d = dest(v);

	x86_load(e->b, v->size, d, packet(e, v));
	if (v->op == IR_LOAD && v->size == 4)
		x86_bswap(e->b, d);
	else if (v->op == IR_LOAD && v->size == 2)
		x86_shift_imm(e->b, X86_ROL, 2, d, 8);
	put(e, v);
}

/* a + b, and a << 1..3, as one lea. */
static void
emit_add(struct emitter *e, const struct ir_val *v)
{
	enum x86_reg d = dest(v), a = get(e, v->a, RAX), index;
	uint8_t scale;

	if (v->b->op == IR_CONST) {
		if (a == d)
			x86_alu_imm(e->b, X86_ADD, 4, x86_reg(d), v->b->k);
		else
			x86_lea(e->b, 4, d, x86_mem(a, X86_NONE, 0, (int32_t)v->b->k));
		return;
	}
	index = get(e, plan_shifted(v->b, &scale), RCX);
	if (a == d && scale == 0)
		x86_alu(e->b, X86_ADD, 4, d, x86_reg(index));
	else
		x86_lea(e->b, 4, d, x86_mem(a, index, scale, 0));
}

/* Two-address arithmetic; d may be the register of a or of b. */
static void
emit_two(struct emitter *e, enum x86_alu op, const struct ir_val *v)
{
	enum x86_reg d = dest(v), a = get(e, v->a, RAX), b;

	if (v->b->op == IR_CONST) {
		x86_mov(e->b, 4, d, x86_reg(a));
		x86_alu_imm(e->b, op, 4, x86_reg(d), v->b->k);
		return;
	}
	b = get(e, v->b, RCX);
	if (b == d && a != d) {
		x86_mov(e->b, 4, RCX, x86_reg(b));
		b = RCX;
	}
	x86_mov(e->b, 4, d, x86_reg(a));
	x86_alu(e->b, op, 4, d, x86_reg(b));
}

static void
emit_mul(struct emitter *e, const struct ir_val *v)
{
	enum x86_reg d = dest(v), a = get(e, v->a, RAX), b;

	if (v->b->op == IR_CONST) {
		x86_imul_imm(e->b, 4, d, a, v->b->k);
		return;
	}
	b = get(e, v->b, RCX);
	if (b == d) {
		x86_imul(e->b, 4, d, x86_reg(a));
		return;
	}
	x86_mov(e->b, 4, d, x86_reg(a));
	x86_imul(e->b, 4, d, x86_reg(b));
}

/*
 * A multiplier and shift with n / d == n * mul >> shift for all n <= @max
 * (Granlund, Montgomery, PLDI 1994), the product within 63 bits and mul within
 * 31: false when there is none. d is no power of two.
 */
static bool
reciprocal(uint32_t d, uint64_t max, uint32_t *ret_mul, uint8_t *ret_shift)
{
	for (uint8_t shift = 32; shift < 62; shift++) {
		uint64_t one = UINT64_C(1) << shift;
		uint64_t mul = one / d + 1;

		if (mul > INT32_MAX || (max != 0 && mul > (UINT64_C(1) << 62) / max))
			return false;
		if ((mul * d - one) * max < one) {
			*ret_mul = (uint32_t)mul;
			*ret_shift = shift;
			return true;
		}
	}
	return false;
}

/* rax = a / b; for IR's mod also edx = a % b, where it divided for real. */
static void
emit_div(struct emitter *e, const struct ir_val *v)
{
	bool mod = v->alu == CBPF_ALU_MOD;
	enum x86_reg b;
	uint32_t mul;
	uint8_t shift;

	if (v->b->op == IR_CONST && reciprocal(v->b->k, v->a->umax, &mul, &shift)) {
		enum x86_reg a = get(e, v->a, RCX);

		x86_imul_imm(e->b, 8, RAX, a, mul);
		x86_shift_imm(e->b, X86_SHR, 8, RAX, shift);
		if (!mod) {
			x86_mov(e->b, 4, dest(v), x86_reg(RAX));
			return;
		}
		x86_imul_imm(e->b, 4, RAX, RAX, v->b->k);
		x86_mov(e->b, 4, RDX, x86_reg(a));
		x86_alu(e->b, X86_SUB, 4, RDX, x86_reg(RAX));
		x86_mov(e->b, 4, dest(v), x86_reg(RDX));
		return;
	}
	b = get(e, v->b, RCX);
	x86_mov(e->b, 4, RAX, x86_reg(get(e, v->a, RAX)));
	x86_alu(e->b, X86_XOR, 4, RDX, x86_reg(RDX));
	x86_div(e->b, b);
	x86_mov(e->b, 4, dest(v), x86_reg(mod ? RDX : RAX));
}

/* The hardware takes the count modulo 32; from 32 on the result is masked to 0. */
static void
emit_shift(struct emitter *e, enum x86_shift op, const struct ir_val *v)
{
	enum x86_reg d = dest(v), a = get(e, v->a, RAX);

	if (v->b->op == IR_CONST && v->b->k >= 32) {
		x86_mov_imm(e->b, d, 0);
	} else if (v->b->op == IR_CONST && op == X86_SHL && v->b->k <= 3 && a != d) {
		x86_lea(e->b, 4, d, x86_mem(X86_NONE, a, (uint8_t)v->b->k, 0));
	} else if (v->b->op == IR_CONST) {
		x86_mov(e->b, 4, d, x86_reg(a));
		x86_shift_imm(e->b, op, 4, d, (uint8_t)v->b->k);
	} else {
		x86_mov(e->b, 4, RAX, x86_reg(a));
		x86_mov(e->b, 4, RCX, x86_reg(get(e, v->b, RCX)));
		x86_shift_cl(e->b, op, RAX);
		x86_alu_imm(e->b, X86_CMP, 4, x86_reg(RCX), 32);
		x86_alu(e->b, X86_SBB, 4, RCX, x86_reg(RCX));
		x86_alu(e->b, X86_AND, 4, RAX, x86_reg(RCX));
		x86_mov(e->b, 4, d, x86_reg(RAX));
	}
}

static void
emit_alu(struct emitter *e, const struct ir_val *v)
{
	switch (v->alu) {
	case CBPF_ALU_ADD: emit_add(e, v); break;
	case CBPF_ALU_SUB: emit_two(e, X86_SUB, v); break;
	case CBPF_ALU_AND: emit_two(e, X86_AND, v); break;
	case CBPF_ALU_OR: emit_two(e, X86_OR, v); break;
	case CBPF_ALU_XOR: emit_two(e, X86_XOR, v); break;
	case CBPF_ALU_MUL: emit_mul(e, v); break;
	case CBPF_ALU_DIV:
	case CBPF_ALU_MOD: emit_div(e, v); break;
	case CBPF_ALU_LSH: emit_shift(e, X86_SHL, v); break;
	case CBPF_ALU_RSH: emit_shift(e, X86_SHR, v); break;
	}
	put(e, v);
}

static void
emit_val(struct emitter *e, const struct ir_val *v)
{
	switch (v->op) {
	case IR_CONST:
	case IR_ARG:
	case IR_PHI: break;
	case IR_LEN:
		x86_mov(e->b, 4, dest(v), x86_reg(RDX));
		put(e, v);
		break;
	case IR_LOAD:
	case IR_RAW: emit_load(e, v); break;
	case IR_ALU: emit_alu(e, v); break;
	}
}

/* The condition under which the guard @g is passed. */
static enum x86_cc
emit_there(struct emitter *e, const struct ir_guard *g)
{
	struct x86_rm end;
	enum x86_reg v;
	uint8_t scale, size;

	if (g->end == 0) {
		v = get(e, g->v, RAX);
		x86_test(e->b, 4, v, x86_reg(v));
		return CC_NE;
	}
	if (g->v == NULL) {
		x86_alu_imm(e->b, X86_CMP, 4, x86_reg(RSI), (uint32_t)g->end);
		return CC_AE;
	}
	v = get(e, plan_shifted(g->v, &scale), RCX);
	end = scale > 0 ? x86_mem(X86_NONE, v, scale, (int32_t)g->end)
			: x86_mem(v, X86_NONE, 0, (int32_t)g->end);
	size = plan_guard_is_narrow(g) ? 4 : 8;
	if (size == 8 && g->end > INT32_MAX) {
		x86_mov_imm(e->b, RAX, g->end);
		end = x86_mem(RAX, v, scale, 0);
	}
	x86_lea(e->b, size, RAX, end);
	x86_alu(e->b, X86_CMP, size, RSI, x86_reg(RAX));
	return CC_AE;
}

static void
emit_guard(struct emitter *e, const struct ir_guard *g)
{
	e->drop_used = true;
	x86_jcc(e->b, emit_there(e, g) ^ 1, e->drop);
}

/* What a test that compares the bits of @t compares them in: a register or memory. */
static struct x86_rm
raw_operand(struct emitter *e, const struct ir_test *t)
{
	if (t->a->inline_)
		return packet(e, t->a);
	return x86_reg(get(e, t->a, RAX));
}

/* (a & mask) == want for 8 bytes; constants of that size need a register. */
static enum x86_cc
emit_raw8(struct emitter *e, const struct ir_test *t)
{
	struct x86_rm a = raw_operand(e, t);
	enum x86_reg k = RCX;

	/* Memory whose address takes no scratch register is an operand, else it is loaded. */
	if (a.is_mem && (a.reg == RAX || a.index == RCX)) {
		x86_load(e->b, 8, RAX, a);
		a = x86_reg(RAX);
	} else if (a.is_mem) {
		k = RAX;
	}
	if (t->mask == UINT64_MAX) {
		x86_mov_imm(e->b, k, t->want);
		x86_alu(e->b, X86_CMP, 8, k, a);
		return CC_E;
	}
	x86_mov_imm(e->b, k, t->mask);
	if (t->want == 0) {
		x86_test(e->b, 8, k, a);
		return CC_E;
	}
	x86_alu(e->b, X86_AND, 8, k, a);
	x86_mov_imm(e->b, k == RAX ? RCX : RAX, t->want);
	x86_alu(e->b, X86_CMP, 8, RAX, x86_reg(RCX));
	return CC_E;
}

static enum x86_cc
emit_raw(struct emitter *e, const struct ir_test *t)
{
	uint64_t ones = UINT64_MAX >> (64 - 8 * t->size);
	uint8_t size = t->size;
	struct x86_rm a;

	if (size == 8)
		return emit_raw8(e, t);
	a = raw_operand(e, t);
	if (t->want == 0 && t->mask != ones) {
		/* A 16-bit immediate makes decoders stall; two bytes are loaded instead. */
		if (size == 2 && a.is_mem) {
			x86_load(e->b, 2, RAX, a);
			a = x86_reg(RAX);
		}
		x86_test_imm(e->b, size == 1 && a.is_mem ? 1 : 4, a, (uint32_t)t->mask);
		return CC_E;
	}
	if (t->mask != ones || (size == 2 && a.is_mem)) {
		if (a.is_mem)
			x86_load(e->b, size, RAX, a);
		else
			x86_mov(e->b, 4, RAX, a);
		a = x86_reg(RAX);
	}
	if (t->mask != ones)
		x86_alu_imm(e->b, X86_AND, 4, a, (uint32_t)t->mask);
	if (t->want == 0 && !a.is_mem)
		x86_test(e->b, 4, a.reg, a);
	else
		x86_alu_imm(e->b, X86_CMP, size == 1 && a.is_mem ? 1 : 4, a, (uint32_t)t->want);
	return CC_E;
}

static enum x86_cc
cc_of(enum ir_test_kind kind)
{
	switch (kind) {
	case IR_GT: return CC_A;
	case IR_GE: return CC_AE;
	case IR_SET: return CC_NE;
	case IR_EQ:
	case IR_MEM:
	case IR_RAWEQ:
	case IR_THERE: break;
	}
	return CC_E;
}

/* Compare; the condition under which the test holds. */
static enum x86_cc
emit_compare(struct emitter *e, const struct ir_test *t)
{
	uint8_t size;
	struct x86_rm a;

	if (t->kind == IR_THERE)
		return emit_there(e, t->guard);
	if (t->kind == IR_RAWEQ)
		return emit_raw(e, t);
	size = t->a->inline_ ? 1 : 4;
	a = raw_operand(e, t);
	if (t->b->op == IR_CONST && t->kind == IR_SET)
		x86_test_imm(e->b, size, a, t->b->k);
	else if (t->b->op == IR_CONST && t->b->k == 0 && !a.is_mem)
		x86_test(e->b, 4, a.reg, a);
	else if (t->b->op == IR_CONST)
		x86_alu_imm(e->b, X86_CMP, size, a, t->b->k);
	else if (t->kind == IR_SET)
		x86_test(e->b, 4, get(e, t->b, RCX), a);
	else
		x86_alu(e->b, X86_CMP, 4, a.reg, x86_reg(get(e, t->b, RCX)));
	return cc_of(t->kind);
}

static int
label_of(struct emitter *e, const struct ir_block *b)
{
	if (!ir_is_drop(b))
		return (int)b->index;
	e->drop_used = true;
	return e->drop;
}

static void
emit_test(struct emitter *e, const struct plan_step *s, const struct ir_block *next)
{
	enum x86_cc cc = emit_compare(e, s->test);
	const struct ir_block *yes = s->block->yes, *no = s->block->no;

	if (s->test->neg)
		cc ^= 1;
	if (s->kind == PLAN_LAST_TEST && next == no) {
		x86_jcc(e->b, cc, label_of(e, yes));
		return;
	}
	x86_jcc(e->b, cc ^ 1, label_of(e, no));
	if (s->kind == PLAN_LAST_TEST && next != yes)
		x86_jmp(e->b, label_of(e, yes));
}

/* The frame exists only where values did not find registers of the caller. */
static void
emit_prologue(struct emitter *e)
{
	for (int r = 0; r < 16; r++)
		if (e->saved >> r & 1)
			x86_push(e->b, (enum x86_reg)r);
	if (e->nslots > 0)
		x86_alu_imm(e->b, X86_SUB, 8, x86_reg(RSP), 8 * e->nslots);
	/* The caller leaves anything in the upper half. */
	if (e->p->wide_guard && e->records == NULL)
		x86_store(e->b, 4, x86_reg(RSI), RSI);
}

/* Return eax. */
static void
emit_epilogue(struct emitter *e)
{
	if (e->nslots > 0)
		x86_alu_imm(e->b, X86_ADD, 8, x86_reg(RSP), 8 * e->nslots);
	for (int r = 15; r >= 0; r--)
		if (e->saved >> r & 1)
			x86_pop(e->b, (enum x86_reg)r);
	x86_ret(e->b);
}

static struct x86_rm
record_at(uint32_t off)
{
	return x86_mem(EMIT_RECORD, X86_NONE, 0, (int32_t)off);
}

/* Where the results end: nothing has a register for it, and all ask it once a frame. */
static struct x86_rm
results_end(const struct emitter *e)
{
	return x86_mem(RSP, X86_NONE, 0, 8 * (int32_t)(e->nslots - 1));
}

/* From the arguments of a cbpf_chain_fn to those of a program, for a record at a time. */
static void
emit_next(struct emitter *e)
{
	const struct cbpf_records *r = e->records;

	x86_mov(e->b, 8, EMIT_RECORD, x86_reg(RDI));
	x86_mov(e->b, 8, EMIT_RESULT, x86_reg(RCX));
	x86_mov(e->b, 4, EMIT_ALLOWED, x86_reg(RDX));
	x86_store(e->b, 4, x86_reg(RSI), RSI); /* the upper half may be anything */
	x86_lea(e->b, 8, RAX, x86_mem(RCX, RSI, 2, 0));
	x86_store(e->b, 8, results_end(e), RAX);

	x86_label(e->b, e->next);
	x86_load(e->b, 2, RDI, record_at(r->start));
	x86_alu(e->b, X86_ADD, 8, RDI, record_at(r->frame));
	x86_load(e->b, 4, RSI, record_at(r->caplen));
	if (e->p->has_len)
		x86_load(e->b, 4, RDX, record_at(r->wirelen));
	x86_load(e->b, 4, EMIT_KEY, record_at(r->key));
	if (e->p->has_sport)
		x86_load(e->b, 2, EMIT_SPORT, record_at(r->sport));
}

/* eax is the number of this record. */
static void
emit_result(struct emitter *e)
{
	x86_store(e->b, 4, x86_mem(EMIT_RESULT, X86_NONE, 0, 0), RAX);
	x86_alu_imm(e->b, X86_ADD, 8, x86_reg(EMIT_RECORD), e->records->size);
	x86_alu_imm(e->b, X86_ADD, 8, x86_reg(EMIT_RESULT), sizeof(uint32_t));
	x86_alu(e->b, X86_CMP, 8, EMIT_RESULT, results_end(e));
	x86_jcc(e->b, CC_NE, e->next);
	x86_jmp(e->b, e->end);
}

static void
emit_return(struct emitter *e, const struct ir_val *v)
{
	if (v == NULL)
		x86_mov_imm(e->b, RAX, 0);
	else
		x86_mov(e->b, 4, RAX, x86_reg(get(e, v, RAX)));
	if (e->records != NULL)
		emit_result(e);
	else
		emit_epilogue(e);
}

static void
emit_move(struct emitter *e, const struct ir_val *phi, const struct ir_val *arg)
{
	x86_mov(e->b, 4, dest(phi), x86_reg(get(e, arg, dest(phi))));
	put(e, phi);
}

static void
emit_step(struct emitter *e, const struct plan_step *s, const struct ir_block *next)
{
	switch (s->kind) {
	case PLAN_BLOCK: x86_label(e->b, (int)s->block->index); return;
	case PLAN_VAL: emit_val(e, s->val); return;
	case PLAN_GUARD: emit_guard(e, s->guard); return;
	case PLAN_TEST:
	case PLAN_LAST_TEST: emit_test(e, s, next); return;
	case PLAN_MOVE: emit_move(e, s->val, s->arg); return;
	case PLAN_GOTO:
		if (s->block->yes != next)
			x86_jmp(e->b, label_of(e, s->block->yes));
		return;
	case PLAN_RET: emit_return(e, s->val); return;
	}
}

static void
emit_steps(struct emitter *e)
{
	const struct plan_list *p = e->p;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct ir_block *next = NULL;

		if (i + 1 < p->n && p->v[i + 1].kind == PLAN_BLOCK)
			next = p->v[i + 1].block;
		emit_step(e, &p->v[i], next);
	}
	x86_label(e->b, e->drop);
}

void
emit_plan(struct x86_buf *b, const struct plan_list *p, const struct cbpf_records *records)
{
	const bool is_chain = records != NULL;
	const int own = (int)p->ir->nblocks;
	struct emitter e = {.b = b,
		.p = p,
		.records = records,
		.saved = p->saved | (is_chain ? EMIT_SAVED : 0),
		.nslots = p->nslots + is_chain,
		.drop = own + EMIT_DROP,
		.next = own + EMIT_NEXT,
		.end = own + EMIT_END};

	emit_prologue(&e);
	if (is_chain)
		emit_next(&e);
	emit_steps(&e);
	if (e.drop_used)
		emit_return(&e, NULL);
	if (is_chain) {
		x86_label(b, e.end);
		emit_epilogue(&e);
	}
}
