// SPDX-License-Identifier: BSD-3-Clause
/*
 * The assembler. As in bpf_asm a newline is a blank: statements need no
 * separator, and ';' starts a comment. An operand is read by its own shape
 * first; mnemonic and shape together then name the row of the opcode table.
 * "tcpdump -d" listings are the same language with a "(000)" in front and
 * "jt 2 jf 5" in place of labels, and are read too.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "base/vec.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "prog_impl.h"
#include "scan.h"

struct word {
	const char *s;
	size_t n;
	unsigned int line, col;
};

struct label {
	struct word name;
	size_t at; /* the instruction behind it */
};

/* A jump whose label may stand further down. */
struct fixup {
	struct word name;
	size_t insn;
	enum { FIX_JT, FIX_JF, FIX_K } field;
};

struct assembler {
	struct scan s;
	struct insn_list out;
	struct {
		struct label *v;
		size_t n, cap;
	} labels;
	struct {
		struct fixup *v;
		size_t n, cap;
	} fixups;
};

struct operand {
	enum op_form form;
	uint32_t k;
};

/* Spellings that are not rows of the table. */
static const struct alias {
	const char *name;
	const char *row;
	bool plain_number; /* the '#' of an immediate may be left out */
	bool inverse; /* the branches are exchanged */
} aliases[] = {
	{"ldi", "ld", true, false},
	{"ldxi", "ldx", true, false},
	{"jmp", "ja", false, false},
	{"jneq", "jeq", false, true},
	{"jne", "jeq", false, true},
	{"jlt", "jge", false, true},
	{"jle", "jgt", false, true},
};

static bool
word_is(const struct word *w, const char *s)
{
	return w->n == strlen(s) && memcmp(w->s, s, w->n) == 0;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int
skip(struct assembler *as)
{
	return scan_skip(&as->s, SCAN_ASM);
}

/* An identifier at the cursor; empty when there is none. */
static struct word
take_word(struct assembler *as)
{
	struct scan *s = &as->s;
	struct word w = {s->p, 0, s->line, (unsigned int)(s->p - s->line_start) + 1};

	if (is_letter(*s->p))
		while (is_letter(*s->p) || (*s->p >= '0' && *s->p <= '9'))
			s->p++;
	w.n = (size_t)(s->p - w.s);
	return w;
}

static int
fail_at_word(struct assembler *as, const struct word *w, const char *what)
{
	return diag_fail_at(as->s.diag, -EINVAL, w->line, w->col, "%s '%.*s'", what,
		(int)MIN(w->n, (size_t)64), w->s);
}

/* Skip blanks, then @c must come. */
static int
expect(struct assembler *as, char c)
{
	const char want[] = {'\'', c, '\'', '\0'};
	int r = skip(as);

	if (r < 0)
		return r;
	return scan_take(&as->s, c) ? 0 : scan_fail(&as->s, want);
}

/* Skip blanks, then a number with an optional sign. */
static int
take_number(struct assembler *as, const char *want, uint32_t *ret)
{
	bool minus;
	int r = skip(as);

	if (r < 0)
		return r;
	minus = scan_take(&as->s, '-');
	r = scan_number(&as->s, want, minus ? 0x80000000u : UINT32_MAX, ret);
	if (r == 0 && minus)
		*ret = 0 - *ret;
	return r;
}

static bool
is_len(const struct word *w)
{
	return word_is(w, "len") || word_is(w, "pktlen");
}

static int
refuse_name(struct assembler *as, const struct word *w)
{
	for (size_t i = 0; i < ANCILLARY_COUNT; i++)
		if (word_is(w, ancillary_names[i]))
			return fail_at_word(
				as, w, "only a packet inside the Linux kernel has the extension");
	if (word_is(w, "vlan_avail"))
		return fail_at_word(
			as, w, "only a packet inside the Linux kernel has the extension");
	return fail_at_word(as, w, "an operand expected, but there came");
}

/* Behind "[": "k]", "x + k]" or "%x + k]". */
static int
take_bracket(struct assembler *as, struct operand *op)
{
	struct word w;
	int r = skip(as);

	if (r < 0)
		return r;
	(void)scan_take(&as->s, '%');
	w = take_word(as);
	op->form = FORM_ABS;
	if (w.n > 0) {
		if (!word_is(&w, "x"))
			return fail_at_word(as, &w, "'x' or an offset expected, but there came");
		op->form = FORM_IND;
		r = expect(as, '+');
		if (r < 0)
			return r;
	}
	r = take_number(as, "an offset", &op->k);
	return r < 0 ? r : expect(as, ']');
}

/* "4*([k]&0xf)", the length of an IPv4 header. */
static int
take_msh(struct assembler *as, struct operand *op)
{
	uint32_t n;
	int r = scan_number(&as->s, "'4*([k]&0xf)'", 4, &n);

	if (r < 0 || n != 4)
		return r < 0 ? r : scan_fail(&as->s, "'4*([k]&0xf)'");
	if ((r = expect(as, '*')) < 0 || (r = expect(as, '(')) < 0 || (r = expect(as, '[')) < 0 ||
		(r = take_number(as, "an offset", &op->k)) < 0 || (r = expect(as, ']')) < 0 ||
		(r = expect(as, '&')) < 0 || (r = take_number(as, "0xf", &n)) < 0)
		return r;
	if (n != 15)
		return scan_fail(&as->s, "the mask 0xf");
	op->form = FORM_MSH;
	return expect(as, ')');
}

/* Behind "#": a number or "len". */
static int
take_immediate(struct assembler *as, struct operand *op)
{
	struct word w;
	int r = skip(as);

	if (r < 0)
		return r;
	w = take_word(as);
	op->form = FORM_LEN;
	if (w.n > 0)
		return is_len(&w) ? 0 : refuse_name(as, &w);
	op->form = FORM_IMM;
	return take_number(as, "a number", &op->k);
}

static int
take_name(struct assembler *as, struct operand *op)
{
	bool percent = scan_take(&as->s, '%');
	struct word w = take_word(as);
	int r;

	if (word_is(&w, "x") || word_is(&w, "a")) {
		op->form = w.s[0] == 'x' ? FORM_REGX : FORM_REGA;
		return 0;
	}
	if (percent || w.n == 0)
		return scan_fail(&as->s, "an operand");
	if (is_len(&w)) {
		op->form = FORM_LEN;
		return 0;
	}
	if (!word_is(&w, "M"))
		return refuse_name(as, &w);
	op->form = FORM_MEM;
	if ((r = expect(as, '[')) < 0 || (r = take_number(as, "a number", &op->k)) < 0)
		return r;
	return expect(as, ']');
}

static int
take_operand(struct assembler *as, bool plain_number, struct operand *op)
{
	int r = skip(as);

	*op = (struct operand){FORM_NONE, 0};
	if (r < 0)
		return r;
	if (scan_take(&as->s, '['))
		return take_bracket(as, op);
	if (scan_take(&as->s, '#'))
		return take_immediate(as, op);
	if (*as->s.p == '-' || (*as->s.p >= '0' && *as->s.p <= '9')) {
		if (!plain_number)
			return take_msh(as, op);
		op->form = FORM_IMM;
		return take_number(as, "a number", &op->k);
	}
	return take_name(as, op);
}

static int
add_fixup(struct assembler *as, const struct word *name, int field)
{
	struct fixup *f = vec_push(&as->fixups);

	if (f == NULL)
		return diag_fail(as->s.diag, -ENOMEM, "out of memory");
	f->name = *name;
	f->insn = as->out.n;
	f->field = field;
	return 0;
}

static int
take_target(struct assembler *as, int field)
{
	struct word w;
	int r = skip(as);

	if (r < 0)
		return r;
	w = take_word(as);
	if (w.n == 0)
		return scan_fail(&as->s, "a label");
	return add_fixup(as, &w, field);
}

/* A target in a listing: the number of an instruction further down. */
static int
take_listed(struct assembler *as, uint32_t *ret_by)
{
	uint32_t at;
	int r = take_number(as, "an instruction's number", &at);

	if (r < 0)
		return r;
	if (at <= as->out.n || at > CBPF_MAX_INSNS)
		return scan_fail(&as->s, "a jump forward");
	*ret_by = at - (uint32_t)as->out.n - 1;
	return 0;
}

/* "jt 2 jf 5" of a listing. */
static int
take_listed_branches(struct assembler *as, struct cbpf_insn *in)
{
	static const char *const names[] = {"jt", "jf"};
	uint32_t by[2];

	for (size_t i = 0; i < 2; i++) {
		struct word w;
		int r = skip(as);

		if (r < 0)
			return r;
		w = take_word(as);
		if (!word_is(&w, names[i]))
			return scan_fail(&as->s, "'jt N jf N'");
		r = take_listed(as, &by[i]);
		if (r < 0)
			return r;
		if (by[i] > UINT8_MAX)
			return scan_fail(&as->s, "a jump over at most 255 instructions");
	}
	in->jt = (uint8_t)by[0];
	in->jf = (uint8_t)by[1];
	return 0;
}

/* ", target [, target]"; the one that is left out is the next instruction. */
static int
take_branches(struct assembler *as, bool inverse)
{
	int r;

	if ((r = expect(as, ',')) < 0 || (r = take_target(as, inverse ? FIX_JF : FIX_JT)) < 0 ||
		(r = skip(as)) < 0)
		return r;
	if (!scan_take(&as->s, ','))
		return 0;
	return take_target(as, inverse ? FIX_JT : FIX_JF);
}

/* The row for @name with an operand of @form; CBPF_OP_COUNT when there is none. */
static enum cbpf_op
find_row(const struct word *name, enum op_form form)
{
	for (int i = 0; i < CBPF_OP_COUNT; i++)
		if (op_rows[i].form == form && word_is(name, op_rows[i].name))
			return (enum cbpf_op)i;
	return CBPF_OP_COUNT;
}

static bool
is_mnemonic(const struct word *name)
{
	for (int i = 0; i < CBPF_OP_COUNT; i++)
		if (word_is(name, op_rows[i].name))
			return true;
	return false;
}

static bool
has_branches(const struct word *name)
{
	return find_row(name, FORM_JMPK) != CBPF_OP_COUNT;
}

/* The operand and, for jumps, the targets of @name. Fills code, k and listed jumps. */
static int
take_arguments(struct assembler *as, const struct word *name, const struct alias *alias,
	bool listing, struct cbpf_insn *in)
{
	static const struct word ldxb = {"ldxb", 4, 0, 0};
	bool branches = has_branches(name);
	struct operand op = {FORM_NONE, 0};
	enum cbpf_op row;
	int r;

	if (find_row(name, FORM_JA) != CBPF_OP_COUNT) {
		in->code = CBPF_CODE_JA;
		return listing ? take_listed(as, &in->k) : take_target(as, FIX_K);
	}
	if (find_row(name, FORM_NONE) == CBPF_OP_COUNT) {
		r = take_operand(as, alias != NULL && alias->plain_number, &op);
		if (r < 0)
			return r;
	}
	if (branches && op.form == FORM_IMM)
		op.form = FORM_JMPK;
	else if (branches && op.form == FORM_REGX)
		op.form = FORM_JMPX;
	if (op.form == FORM_MSH && word_is(name, "ldx"))
		name = &ldxb;

	row = find_row(name, op.form);
	if (row == CBPF_OP_COUNT)
		return fail_at_word(as, name, "this operand does not go with");
	in->code = op_rows[row].code;
	in->k = op.k;
	if (!branches)
		return 0;
	return listing ? take_listed_branches(as, in)
		       : take_branches(as, alias != NULL && alias->inverse);
}

static int
add_label(struct assembler *as, const struct word *name)
{
	struct label *l;

	for (size_t i = 0; i < as->labels.n; i++) {
		const struct word *old = &as->labels.v[i].name;

		if (old->n == name->n && memcmp(old->s, name->s, old->n) == 0)
			return fail_at_word(as, name, "a second label is named");
	}
	l = vec_push(&as->labels);
	if (l == NULL)
		return diag_fail(as->s.diag, -ENOMEM, "out of memory");
	l->name = *name;
	l->at = as->out.n;
	return 0;
}

/* "(012)" in front of a listed instruction. */
static int
take_list_number(struct assembler *as)
{
	uint32_t at;
	int r = skip(as);

	if (r < 0)
		return r;
	r = scan_decimal(&as->s, "an instruction's number", CBPF_MAX_INSNS, &at);
	if (r < 0)
		return r;
	if (at != as->out.n)
		return diag_fail_at(as->s.diag, -EINVAL, as->s.line, 0,
			"instruction %zu expected, but number %u came", as->out.n, at);
	r = expect(as, ')');
	return r < 0 ? r : skip(as);
}

/* One label or one instruction. */
static int
take_statement(struct assembler *as)
{
	bool listing = scan_take(&as->s, '(');
	const struct alias *alias = NULL;
	struct cbpf_insn in = {0};
	struct word name, row;
	int r;

	if (listing && (r = take_list_number(as)) < 0)
		return r;
	name = take_word(as);
	if (name.n == 0)
		return scan_fail(&as->s, "an instruction or a label");
	if ((r = skip(as)) < 0)
		return r;
	if (!listing && scan_take(&as->s, ':'))
		return add_label(as, &name);

	row = name;
	for (size_t i = 0; i < DIM(aliases); i++)
		if (word_is(&name, aliases[i].name)) {
			alias = &aliases[i];
			row.s = alias->row;
			row.n = strlen(alias->row);
		}
	if (!is_mnemonic(&row))
		return fail_at_word(as, &name, "there is no instruction");
	r = take_arguments(as, &row, alias, listing, &in);
	return r < 0 ? r : insn_list_add(&as->out, &in, &as->s);
}

static const struct label *
find_label(const struct assembler *as, const struct word *name)
{
	for (size_t i = 0; i < as->labels.n; i++) {
		const struct word *l = &as->labels.v[i].name;

		if (l->n == name->n && memcmp(l->s, name->s, l->n) == 0)
			return &as->labels.v[i];
	}
	return NULL;
}

static int
resolve(struct assembler *as, const struct fixup *f)
{
	struct cbpf_insn *in = &as->out.v[f->insn];
	const struct label *l = find_label(as, &f->name);
	size_t by;

	if (l == NULL)
		return fail_at_word(as, &f->name, "there is no label");
	if (l->at <= f->insn)
		return fail_at_word(as, &f->name, "a jump can only go forward, not to");
	if (l->at == as->out.n)
		return fail_at_word(as, &f->name, "no instruction follows the label");
	by = l->at - f->insn - 1;
	if (f->field != FIX_K && by > UINT8_MAX)
		return fail_at_word(as, &f->name, "over 255 instructions away is the label");

	switch (f->field) {
	case FIX_JT: in->jt = (uint8_t)by; break;
	case FIX_JF: in->jf = (uint8_t)by; break;
	case FIX_K: in->k = (uint32_t)by; break;
	}
	return 0;
}

int
cbpf_asm(const char *text, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag)
{
	struct assembler as = {0};
	int r;

	scan_init(&as.s, text, diag);
	r = skip(&as);
	while (r == 0 && *as.s.p != '\0') {
		r = take_statement(&as);
		if (r == 0)
			r = skip(&as);
	}
	for (size_t i = 0; r == 0 && i < as.fixups.n; i++)
		r = resolve(&as, &as.fixups.v[i]);
	if (r == 0 && as.out.n == 0)
		r = diag_fail_at(
			diag, -EINVAL, as.s.line, 1, "an instruction expected, but the text ends");
	if (r == 0) {
		*ret_insns = as.out.v;
		*ret_n = as.out.n;
		as.out.v = NULL;
	}
	mem_free(as.out.v);
	mem_free(as.labels.v);
	mem_free(as.fixups.v);
	return r;
}
