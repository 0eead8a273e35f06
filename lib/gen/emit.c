// SPDX-License-Identifier: BSD-3-Clause
#include "emit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "base/vec.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "gen/gen.h"
#include "gen_priv.h"
#include "pkt/proto.h"

enum item_kind { ITEM_OP, ITEM_JUMP, ITEM_LABEL, ITEM_NOTE };

#define IP6_NEXT 6 /* where it says what follows */
#define EXT_OFFSET_MASK 0xfff8 /* in a fragment header's second half */
#define M_NEXT 15 /* scratch word; the generators' own begin at 0 */
#define NEXT (-1) /* no label: the next instruction */

struct gen_item {
	enum item_kind kind;
	uint16_t code;
	bool when; /* ITEM_JUMP: the outcome that jumps */
	bool far; /* ITEM_JUMP: needs a ja of its own behind it */
	uint32_t k;
	int label; /* ITEM_JUMP, ITEM_LABEL */
	int other; /* ITEM_JUMP: where the other outcome goes, NEXT: on */
	char *note; /* ITEM_NOTE */
};

static struct gen_item *
add_item(struct gen_emit *e, enum item_kind kind)
{
	struct gen_item *it;

	if (e->err < 0)
		return NULL;
	if (e->n_insns > CBPF_MAX_INSNS) {
		e->err = -E2BIG;
		return NULL;
	}
	it = vec_push(&e->items);
	if (it == NULL) {
		e->err = -ENOMEM;
		return NULL;
	}
	it->kind = kind;
	if (kind == ITEM_OP || kind == ITEM_JUMP)
		e->n_insns++;
	return it;
}

int
gen_emit_label(struct gen_emit *e)
{
	return e->n_labels++;
}

void
gen_emit_place(struct gen_emit *e, int label)
{
	struct gen_item *it = add_item(e, ITEM_LABEL);

	if (it != NULL)
		it->label = label;
}

void
gen_emit_op(struct gen_emit *e, uint16_t code, uint32_t k)
{
	struct gen_item *it = add_item(e, ITEM_OP);

	if (it == NULL)
		return;
	it->code = code;
	it->k = k;
}

static void
add_jump(struct gen_emit *e, uint16_t code, uint32_t k, bool when, int label, int other)
{
	struct gen_item *it = add_item(e, ITEM_JUMP);

	if (it == NULL)
		return;
	it->code = code;
	it->k = k;
	it->when = when;
	it->label = label;
	it->other = other;
}

void
gen_emit_jump(struct gen_emit *e, uint16_t code, uint32_t k, bool when, int label)
{
	add_jump(e, code, k, when, label, NEXT);
}

void
gen_emit_branch(struct gen_emit *e, uint16_t code, uint32_t k, int yes, int no)
{
	add_jump(e, code, k, true, yes, no);
}

void
gen_emit_note(struct gen_emit *e, const char *fmt, ...)
{
	struct gen_item *it = add_item(e, ITEM_NOTE);
	struct sbuf b = SBUF_INIT;
	char text[512];
	va_list ap;

	if (it == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ')
			*c = ' '; /* a comment is one line */
	sbuf_adds(&b, text);
	it->note = sbuf_take(&b);
	if (it->note == NULL)
		e->err = -ENOMEM;
}

/*
 * Walk over the extension headers of IPv6, to X = where @proto starts. What Linux
 * walks (RFC 8200; AH: RFC 4302), and as many of them as in a rule.
 *
 *	ldb [6]
 *	jeq #17, done
 *	jeq #44, frag		; a fragment header has 8 bytes,
 *	jeq #51, ah		; AH (len + 2) * 4,
 *	jeq #0, other		; the others (len + 1) * 8
 *	...
 *	step: add x
 *	tax
 *	ld M[15]		; the next header's type
 */
static void
emit_extensions(struct gen_emit *e, const struct gen_opts *opts, uint32_t proto)
{
	const int done = gen_emit_label(e);

	gen_emit_op(e, CBPF_CODE_LDX_IMM, opts->l3_off + PKT_IP6_BYTES);
	gen_emit_op(e, CBPF_CODE_LD_B_ABS, opts->l3_off + IP6_NEXT);
	for (int i = 0; i < PKT_EXTS_MAX; i++) {
		const int other = gen_emit_label(e), frag = gen_emit_label(e);
		const int ah = gen_emit_label(e), step = gen_emit_label(e);
		const int first = gen_emit_label(e);

		gen_emit_note(e, "extension header %d", i + 1);
		gen_emit_jump(e, CBPF_CODE_JEQ_K, proto, true, done);
		gen_emit_jump(e, CBPF_CODE_JEQ_K, PKT_PROTO_FRAGMENT, true, frag);
		gen_emit_jump(e, CBPF_CODE_JEQ_K, PKT_PROTO_AH, true, ah);
		gen_emit_jump(e, CBPF_CODE_JEQ_K, PKT_PROTO_HOPOPTS, true, other);
		gen_emit_jump(e, CBPF_CODE_JEQ_K, PKT_PROTO_ROUTING, true, other);
		gen_emit_jump(e, CBPF_CODE_JEQ_K, PKT_PROTO_DSTOPTS, true, other);
		gen_emit_op(e, CBPF_CODE_RET_K, 0);
		gen_emit_place(e, frag);
		gen_emit_op(e, CBPF_CODE_LD_H_IND, 2);
		gen_emit_jump(e, CBPF_CODE_JSET_K, EXT_OFFSET_MASK, false, first);
		gen_emit_op(e, CBPF_CODE_RET_K, 0);
		gen_emit_place(e, first);
		gen_emit_op(e, CBPF_CODE_LD_B_IND, 0);
		gen_emit_op(e, CBPF_CODE_ST, M_NEXT);
		gen_emit_op(e, CBPF_CODE_LD_IMM, 8);
		gen_emit_jump(e, CBPF_CODE_JA, 0, true, step);
		gen_emit_place(e, ah);
		gen_emit_op(e, CBPF_CODE_LD_B_IND, 0);
		gen_emit_op(e, CBPF_CODE_ST, M_NEXT);
		gen_emit_op(e, CBPF_CODE_LD_B_IND, 1);
		gen_emit_op(e, CBPF_CODE_ALU_ADD_K, 2);
		gen_emit_op(e, CBPF_CODE_ALU_LSH_K, 2);
		gen_emit_jump(e, CBPF_CODE_JA, 0, true, step);
		gen_emit_place(e, other);
		gen_emit_op(e, CBPF_CODE_LD_B_IND, 0);
		gen_emit_op(e, CBPF_CODE_ST, M_NEXT);
		gen_emit_op(e, CBPF_CODE_LD_B_IND, 1);
		gen_emit_op(e, CBPF_CODE_ALU_ADD_K, 1);
		gen_emit_op(e, CBPF_CODE_ALU_LSH_K, 3);
		gen_emit_place(e, step);
		gen_emit_op(e, CBPF_CODE_ALU_ADD_X, 0);
		gen_emit_op(e, CBPF_CODE_TAX, 0);
		gen_emit_op(e, CBPF_CODE_LD_MEM, M_NEXT);
	}
	gen_emit_jump(e, CBPF_CODE_JEQ_K, proto, true, done);
	gen_emit_op(e, CBPF_CODE_RET_K, 0);
	gen_emit_place(e, done);
}

void
gen_emit_l4(struct gen_emit *e, const struct gen_opts *opts, const char *what)
{
	gen_emit_note(e, "x is where %s starts", what);
	if (opts->extensions) {
		emit_extensions(e, opts, strcmp(what, "TCP") == 0 ? PKT_PROTO_TCP : PKT_PROTO_UDP);
		return;
	}
	if (opts->family == 6) {
		gen_emit_op(e, CBPF_CODE_LDX_IMM, opts->l3_off + PKT_IP6_BYTES);
		return;
	}
	gen_emit_op(e, CBPF_CODE_LDX_MSH, opts->l3_off);
	if (opts->l3_off != 0) {
		gen_emit_op(e, CBPF_CODE_LD_IMM, opts->l3_off);
		gen_emit_op(e, CBPF_CODE_ALU_ADD_X, 0);
		gen_emit_op(e, CBPF_CODE_TAX, 0);
	}
}

void
gen_emit_ends(struct gen_emit *e, const struct gen_opts *opts, bool falls, int other)
{
	gen_emit_op(e, CBPF_CODE_RET_K, gen_ret(opts, falls));
	gen_emit_place(e, other);
	gen_emit_op(e, CBPF_CODE_RET_K, gen_ret(opts, !falls));
}

/* Instructions that @it becomes. */
static size_t
item_size(const struct gen_item *it)
{
	switch (it->kind) {
	case ITEM_OP: return 1;
	case ITEM_JUMP: return !it->far ? 1 : it->other == NEXT ? 2 : 3;
	case ITEM_LABEL:
	case ITEM_NOTE: return 0;
	}
	__builtin_unreachable();
}

/* Set @at[label] for all labels. Returns the program's length. */
static size_t
layout(const struct gen_emit *e, size_t *at)
{
	size_t pc = 0;

	for (size_t i = 0; i < e->items.n; i++) {
		if (e->items.v[i].kind == ITEM_LABEL)
			at[e->items.v[i].label] = pc;
		pc += item_size(&e->items.v[i]);
	}
	return pc;
}

/* A branch at @pc does not reach @label. */
static bool
too_far(const size_t *at, int label, size_t pc)
{
	return label != NEXT && at[label] - pc - 1 > UINT8_MAX;
}

/*
 * A conditional branch reaches 255 instructions. One that must reach further
 * goes over a ja for each label. That moves others apart, so go on until all reach;
 * each round makes at least one branch far, hence it ends.
 */
static size_t
layout_far(struct gen_emit *e, size_t *at)
{
	size_t len, pc;
	bool again;

	do {
		len = layout(e, at);
		again = false;
		pc = 0;
		for (size_t i = 0; i < e->items.n; i++) {
			struct gen_item *it = &e->items.v[i];
			/* As @at was laid out: before this round makes it far. */
			const size_t size = item_size(it);

			if (it->kind == ITEM_JUMP && !it->far && it->code != CBPF_CODE_JA &&
				(too_far(at, it->label, pc) || too_far(at, it->other, pc))) {
				it->far = true;
				again = true;
			}
			pc += size;
		}
	} while (again);
	return len;
}

/* The instructions of conditional branch @it, which end at @end. */
static void
write_branch(const struct gen_item *it, const size_t *at, size_t end, struct cbpf_insn *in)
{
	uint8_t *taken = it->when ? &in->jt : &in->jf;
	uint8_t *other = it->when ? &in->jf : &in->jt;

	if (!it->far) {
		*taken = (uint8_t)(at[it->label] - end);
		*other = it->other == NEXT ? 0 : (uint8_t)(at[it->other] - end);
		return;
	}
	*other = 1;
	in[1].code = CBPF_CODE_JA;
	in[1].k = (uint32_t)(at[it->label] - (it->other == NEXT ? end : end - 1));
	if (it->other == NEXT)
		return;
	in[2].code = CBPF_CODE_JA;
	in[2].k = (uint32_t)(at[it->other] - end);
}

static void
write_insns(const struct gen_emit *e, const size_t *at, struct cbpf_insn *insns)
{
	size_t pc = 0;

	for (size_t i = 0; i < e->items.n; i++) {
		const struct gen_item *it = &e->items.v[i];
		struct cbpf_insn *in = &insns[pc];

		pc += item_size(it);
		if (it->kind == ITEM_LABEL || it->kind == ITEM_NOTE)
			continue;
		in->code = it->code;
		in->k = it->k;
		if (it->kind == ITEM_OP)
			continue;
		if (it->code == CBPF_CODE_JA)
			in->k = (uint32_t)(at[it->label] - pc);
		else
			write_branch(it, at, pc, in);
	}
}

/*
 * Mnemonics of a branch that is taken when the test is true, and when it is
 * false; NULL where the assembler has none.
 */
static const struct {
	uint16_t code;
	bool with_x;
	const char *name[2];
} jump_names[] = {
	{CBPF_CODE_JEQ_K, false, {"jneq", "jeq"}},
	{CBPF_CODE_JGT_K, false, {"jle", "jgt"}},
	{CBPF_CODE_JGE_K, false, {"jlt", "jge"}},
	{CBPF_CODE_JSET_K, false, {NULL, "jset"}},
	{CBPF_CODE_JEQ_X, true, {"jneq", "jeq"}},
	{CBPF_CODE_JGT_X, true, {"jle", "jgt"}},
	{CBPF_CODE_JGE_X, true, {"jlt", "jge"}},
	{CBPF_CODE_JSET_X, true, {NULL, "jset"}},
};

/*
 * A branch to @yes when it is @when, else to @no; each a label's name, @no may
 * be "" for the next instruction. @n makes the names of labels unique.
 */
static void
write_test(const struct gen_item *it, bool when, const char *yes, const char *no, size_t n,
	struct sbuf *out)
{
	size_t row = 0;
	char k[16];

	while (row + 1 < DIM(jump_names) && jump_names[row].code != it->code)
		row++;
	/* Lengths read better in decimal, bytes of a name in hexadecimal. */
	(void)snprintf(k, sizeof(k),
		jump_names[row].with_x                                     ? "x"
			: it->code == CBPF_CODE_JEQ_K && it->k > UINT8_MAX ? "#0x%08x"
									   : "#%u",
		it->k);
	if (no[0] == '\0' && jump_names[row].name[when] == NULL)
		sbuf_addf(out, "    %s %s, on_%zu, %s\non_%zu:\n", jump_names[row].name[true], k, n,
			yes, n);
	else if (no[0] == '\0')
		sbuf_addf(out, "    %s %s, %s\n", jump_names[row].name[when], k, yes);
	else
		sbuf_addf(out, "    %s %s, %s, %s\n", jump_names[row].name[true], k,
			when ? yes : no, when ? no : yes);
}

/* Branch number @n of the program. */
static void
write_jump(const struct gen_item *it, size_t n, struct sbuf *out)
{
	char label[32], other[32] = "", far[32];

	(void)snprintf(label, sizeof(label), "lb_%d", it->label);
	(void)snprintf(far, sizeof(far), "far_%zu", n);
	if (it->other != NEXT)
		(void)snprintf(other, sizeof(other), "lb_%d", it->other);
	if (it->code == CBPF_CODE_JA) {
		sbuf_addf(out, "    ja %s\n", label);
	} else if (!it->far) {
		write_test(it, it->when, label, other, n, out);
	} else {
		write_test(it, !it->when, far, "", n, out);
		sbuf_addf(out, "    ja %s\n%s:\n", label, far);
		if (other[0] != '\0')
			sbuf_addf(out, "    ja %s\n", other);
	}
}

/* How the operand of an instruction is written. The branch forms are write_jump()'s. */
enum form {
	FORM_ABS,
	FORM_IND,
	FORM_MSH,
	FORM_IMM,
	FORM_MEM,
	FORM_LEN,
	FORM_REGX,
	FORM_NONE,
	FORM_REGA,
	FORM_JA,
	FORM_JMPK,
	FORM_JMPX,
};

static const struct {
	const char *name;
	enum form form;
} op_texts[CBPF_OP_COUNT + 1] = {
#define X(id, code, name, form) [CBPF_OP_##id] = {name, FORM_##form},
	CBPF_OPCODES(X)
#undef X
		[CBPF_OP_COUNT] = {"?", FORM_NONE},
};

static void
write_op(const struct gen_item *it, struct sbuf *out)
{
	const char *name = op_texts[cbpf_op_of(it->code)].name;
	char k[16];

	/* A mask reads better in hexadecimal. */
	(void)snprintf(k, sizeof(k),
		it->code == CBPF_CODE_ALU_OR_K || it->code == CBPF_CODE_ALU_AND_K ? "#0x%08x"
										  : "#%u",
		it->k);
	switch (op_texts[cbpf_op_of(it->code)].form) {
	case FORM_ABS: sbuf_addf(out, "    %s [%u]\n", name, it->k); break;
	case FORM_IND: sbuf_addf(out, "    %s [x + %u]\n", name, it->k); break;
	case FORM_MSH: sbuf_addf(out, "    %s 4*([%u]&0xf)\n", name, it->k); break;
	case FORM_IMM: sbuf_addf(out, "    %s %s\n", name, k); break;
	case FORM_MEM: sbuf_addf(out, "    %s M[%u]\n", name, it->k); break;
	case FORM_LEN: sbuf_addf(out, "    %s #len\n", name); break;
	case FORM_REGX: sbuf_addf(out, "    %s x\n", name); break;
	case FORM_NONE: sbuf_addf(out, "    %s\n", name); break;
	case FORM_REGA: sbuf_addf(out, "    %s a\n", name); break;
	case FORM_JA:
	case FORM_JMPK:
	case FORM_JMPX: break;
	}
}

static void
write_text(const struct gen_emit *e, struct sbuf *out)
{
	for (size_t i = 0; i < e->items.n; i++) {
		const struct gen_item *it = &e->items.v[i];

		switch (it->kind) {
		case ITEM_OP: write_op(it, out); break;
		case ITEM_JUMP: write_jump(it, i, out); break;
		case ITEM_LABEL: sbuf_addf(out, "lb_%d:\n", it->label); break;
		case ITEM_NOTE: sbuf_addf(out, "    ; %s\n", it->note); break;
		}
	}
}

int
gen_emit_done(struct gen_emit *e, struct gen_out *ret_out, struct diag *diag)
{
	struct cbpf_insn *insns = NULL;
	struct sbuf text = SBUF_INIT;
	size_t *at = NULL;
	size_t len = 0;
	int r = e->err;

	if (r == 0) {
		at = mem_calloc((size_t)e->n_labels + 1, sizeof(*at));
		if (at == NULL)
			r = -ENOMEM;
	}
	if (r == 0) {
		len = layout_far(e, at);
		if (len > CBPF_MAX_INSNS)
			r = -E2BIG;
	}
	if (r == 0) {
		insns = mem_calloc(len, sizeof(*insns));
		write_text(e, &text);
		if (insns == NULL || !sbuf_ok(&text))
			r = -ENOMEM;
	}
	if (r < 0) {
		if (r == -E2BIG)
			(void)diag_fail(diag, r, "the program would have more than %d instructions",
				CBPF_MAX_INSNS);
		else
			(void)diag_fail(diag, r, "out of memory");
		goto out;
	}
	write_insns(e, at, insns);
	ret_out->insns = insns;
	ret_out->n = len;
	ret_out->text = sbuf_take(&text);
	insns = NULL;
out:
	mem_free(insns);
	mem_free(at);
	sbuf_fini(&text);
	return r;
}

void
gen_emit_fini(struct gen_emit *e)
{
	for (size_t i = 0; i < e->items.n; i++)
		mem_free(e->items.v[i].note);
	mem_free(e->items.v);
	*e = (struct gen_emit)GEN_EMIT_INIT;
}
