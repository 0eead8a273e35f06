// SPDX-License-Identifier: BSD-3-Clause
/*
 * The language of iptables' u32 match (iptables-extensions(8)), compiled:
 *
 *	0 >> 22 & 0x3C @ 12 >> 26 & 0x3C @ 0 = 0x47455420,0x48454144
 *
 * Text and meaning are those of libxt_u32 1.8.9 and of xt_u32.c. "@" moves the
 * place that loads count from by what was computed; A is the value, X that place.
 * What cannot lie in a packet fails before it is added up, so that nothing wraps:
 * for Linux X + k is a number of 32 bits, for this project an error.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "emit.h"
#include "gen_priv.h"

#define PARTS_MAX 10 /* tests, numbers in a location, ranges in a value; xt_u32's limit */
#define LOAD 4 /* bytes that every load reads */
#define SHIFT_MAX 31 /* the kernel refuses more */
#define FAR_AWAY 0xffffff /* bytes; no packet is that long */

enum op { OP_LOAD, OP_AND, OP_LSH, OP_RSH, OP_AT };

struct step {
	enum op op;
	uint32_t number;
};

struct range {
	uint32_t min, max; /* min > max: nothing, which iptables takes */
};

struct test {
	struct step steps[PARTS_MAX];
	size_t n_steps;
	struct range ranges[PARTS_MAX];
	size_t n_ranges;
};

struct u32 {
	struct test tests[PARTS_MAX];
	size_t n;
	bool invert;
};

/* ---- text ---- */

struct reader {
	const char *text, *p;
	struct diag *diag;
};

static int
fail_at(const struct reader *r, const char *at, int err, const char *what)
{
	return diag_fail_at(r->diag, err, 0, (unsigned int)(at - r->text) + 1,
		"u32: expected %s, got '%.40s'", what, at);
}

static void
skip_blanks(struct reader *r)
{
	while (*r->p == ' ' || (*r->p >= '\t' && *r->p <= '\r'))
		r->p++;
}

/* A number as strtoul(…, 0) reads it: 0x10, 020 or 16; without '-'. */
static int
take_number(struct reader *r, uint32_t *ret)
{
	const char *start;
	uint64_t v = 0;
	int base = 10;

	skip_blanks(r);
	start = r->p;
	if (*r->p == '+')
		r->p++;
	if (!parse_is_digit(*r->p, 10))
		return fail_at(r, start, -EINVAL, "a number from 0 to 0xffffffff");
	if (r->p[0] == '0')
		base = (r->p[1] == 'x' || r->p[1] == 'X') && parse_is_digit(r->p[2], 16) ? 16 : 8;
	r->p += base == 16 ? 2 : 0;
	for (; parse_is_digit(*r->p, base); r->p++) {
		v = v * (uint64_t)base + (uint64_t)parse_hex_digit(*r->p);
		if (v > UINT32_MAX)
			return fail_at(r, start, -EINVAL, "a number from 0 to 0xffffffff");
	}
	*ret = (uint32_t)v;
	return 0;
}

/* An operator; the first number of a location has none. */
static int
take_operator(struct reader *r, enum op *ret)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = {{"&", OP_AND}, {"<<", OP_LSH}, {">>", OP_RSH}, {"@", OP_AT}};

	for (size_t i = 0; i < DIM(ops); i++)
		if (strncmp(r->p, ops[i].text, strlen(ops[i].text)) == 0) {
			r->p += strlen(ops[i].text);
			*ret = ops[i].op;
			return 0;
		}
	return fail_at(r, r->p, -EINVAL, "an operator (&, <<, >>, @) or '='");
}

/* Up to and with the '='. */
static int
take_location(struct reader *r, struct test *t)
{
	for (;;) {
		struct step *step = &t->steps[t->n_steps];
		const char *at;
		int err = 0;

		skip_blanks(r);
		if (*r->p == '=' && t->n_steps > 0) {
			r->p++;
			return 0;
		}
		if (t->n_steps == PARTS_MAX)
			return fail_at(
				r, r->p, -E2BIG, "'=', since a location has at most 10 numbers");
		if (t->n_steps > 0)
			err = take_operator(r, &step->op);
		skip_blanks(r);
		at = r->p;
		if (err == 0)
			err = take_number(r, &step->number);
		if (err < 0)
			return err;
		if ((step->op == OP_LSH || step->op == OP_RSH) && step->number > SHIFT_MAX)
			return fail_at(r, at, -EINVAL, "a shift by at most 31");
		t->n_steps++;
	}
}

static int
take_range(struct reader *r, struct range *range)
{
	int err = take_number(r, &range->min);

	if (err < 0)
		return err;
	range->max = range->min;
	skip_blanks(r);
	if (*r->p != ':')
		return 0;
	r->p++;
	return take_number(r, &range->max);
}

/* Up to the end, or up to and with "&&". Returns 1 when another test follows. */
static int
take_value(struct reader *r, struct test *t)
{
	for (;;) {
		int err;

		if (t->n_ranges == PARTS_MAX)
			return fail_at(r, r->p, -E2BIG, "at most 10 ranges in a value");
		err = take_range(r, &t->ranges[t->n_ranges]);
		if (err < 0)
			return err;
		t->n_ranges++;
		skip_blanks(r);
		if (*r->p == '\0')
			return 0;
		if (r->p[0] == '&' && r->p[1] == '&') {
			r->p += 2;
			return 1;
		}
		if (*r->p != ',')
			return fail_at(r, r->p, -EINVAL, "',' or '&&'");
		r->p++;
	}
}

static int
parse(const char *text, struct u32 *u, struct diag *diag)
{
	struct reader r = {text, text, diag};
	int more = 1;

	while (more == 1) {
		if (u->n == PARTS_MAX)
			return fail_at(&r, r.p, -E2BIG, "at most 10 tests");
		more = take_location(&r, &u->tests[u->n]);
		if (more == 0)
			more = take_value(&r, &u->tests[u->n]);
		u->n++;
	}
	return more;
}

/* ---- code ---- */

struct state {
	struct gen_emit *e;
	uint32_t l3;
	bool exact; /* a load outside the packet is no end, but a test that fails */
	uint32_t checked; /* exact: the packet is known to be that long */
	int fail;
	int outside; /* where loads outside the packet lead; fail, when exact */
	bool moved; /* X is the place that loads count from */
	uint32_t x_most, a_most; /* no more than that */
};

/* Exact: the packet is long enough for a load at @off, or the test fails. */
static void
emit_bounds(struct state *s, uint32_t off)
{
	if (!s->exact || (!s->moved && off + LOAD <= s->checked))
		return;
	gen_emit_op(s->e, CBPF_CODE_LD_LEN, 0);
	if (s->moved) {
		gen_emit_jump(s->e, CBPF_CODE_JGE_X, 0, false, s->outside);
		gen_emit_op(s->e, CBPF_CODE_ALU_SUB_X, 0);
	} else {
		s->checked = off + LOAD;
	}
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, off + LOAD, false, s->outside);
}

/*
 * A = the word at @number, of which @mask is asked; a half or a byte where the mask
 * leaves no more, which end where the word ends.
 */
static void
emit_load(struct state *s, uint32_t number, uint32_t mask)
{
	static const struct {
		uint32_t mask, off;
		uint16_t abs, ind;
	} widths[] = {
		{0xff, 3, CBPF_CODE_LD_B_ABS, CBPF_CODE_LD_B_IND},
		{0xffff, 2, CBPF_CODE_LD_H_ABS, CBPF_CODE_LD_H_IND},
		{UINT32_MAX, 0, CBPF_CODE_LD_W_ABS, CBPF_CODE_LD_W_IND},
	};
	size_t i = 0;

	if (number > FAR_AWAY) {
		gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, s->outside);
		return;
	}
	emit_bounds(s, s->l3 + number);
	while (mask > widths[i].mask)
		i++;
	gen_emit_op(s->e, s->moved ? widths[i].ind : widths[i].abs, s->l3 + number + widths[i].off);
	if (mask != widths[i].mask)
		gen_emit_op(s->e, CBPF_CODE_ALU_AND_K, mask);
}

/* X += A. */
static void
emit_move(struct state *s)
{
	if (s->a_most > FAR_AWAY)
		gen_emit_jump(s->e, CBPF_CODE_JGT_K, FAR_AWAY, true, s->outside);
	s->a_most = MIN(s->a_most, FAR_AWAY);
	if (s->moved) {
		gen_emit_op(s->e, CBPF_CODE_ALU_ADD_X, 0);
		s->a_most += s->x_most;
		if (s->a_most > FAR_AWAY)
			gen_emit_jump(s->e, CBPF_CODE_JGT_K, FAR_AWAY, true, s->outside);
	}
	gen_emit_op(s->e, CBPF_CODE_TAX, 0);
	s->x_most = MIN(s->a_most, FAR_AWAY);
	s->moved = true;
}

/* Go on when A is in one of the ranges, else fail. */
static void
emit_value(const struct state *s, const struct test *t)
{
	const int yes = gen_emit_label(s->e);
	size_t n = t->n_ranges;

	while (n > 0 && t->ranges[n - 1].min > t->ranges[n - 1].max)
		n--;
	if (n == 0)
		gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, s->fail);
	for (size_t i = 0; i < n; i++) {
		const struct range *r = &t->ranges[i];
		const bool last = i + 1 == n;
		const int next = last ? s->fail : gen_emit_label(s->e);

		if (r->min == r->max) {
			gen_emit_jump(s->e, CBPF_CODE_JEQ_K, r->min, !last, last ? next : yes);
		} else if (r->min < r->max) {
			if (r->min > 0)
				gen_emit_jump(s->e, CBPF_CODE_JGE_K, r->min, false, next);
			gen_emit_jump(s->e, CBPF_CODE_JGT_K, r->max, last, last ? next : yes);
		}
		if (!last)
			gen_emit_place(s->e, next);
	}
	gen_emit_place(s->e, yes);
}

static void
emit_test(struct state *s, const struct test *t)
{
	s->moved = false;
	for (size_t i = 0; i < t->n_steps; i++) {
		const struct step *step = &t->steps[i];
		uint32_t mask = UINT32_MAX;

		switch (step->op) {
		case OP_AT: emit_move(s); __attribute__((fallthrough));
		case OP_LOAD:
			while (i + 1 < t->n_steps && t->steps[i + 1].op == OP_AND)
				mask &= t->steps[++i].number;
			emit_load(s, step->number, mask);
			s->a_most = mask;
			break;
		case OP_AND:
			gen_emit_op(s->e, CBPF_CODE_ALU_AND_K, step->number);
			s->a_most = MIN(s->a_most, step->number);
			break;
		case OP_LSH:
			gen_emit_op(s->e, CBPF_CODE_ALU_LSH_K, step->number);
			s->a_most = UINT32_MAX;
			break;
		case OP_RSH:
			gen_emit_op(s->e, CBPF_CODE_ALU_RSH_K, step->number);
			s->a_most >>= step->number;
			break;
		}
	}
	emit_value(s, t);
}

/* "!" and the test; several words are one test. */
static int
read_args(int argc, const char *const *argv, struct u32 *u, struct diag *diag)
{
	int i = argc > 0 && strcmp(argv[0], "--") == 0;

	if (i < argc && strcmp(argv[i], "!") == 0) {
		u->invert = true;
		i++;
	}
	if (argc - i != 1)
		return diag_fail(diag, -EINVAL,
			"u32 needs one test, as in: u32 '0 & 0xFFFF = 0x100:0xFFFF'; got %d words",
			argc - i);
	return parse(argv[i], u, diag);
}

static int
u32_run(const struct gen_opts *opts, int argc, const char *const *argv, struct gen_out *ret_out,
	struct diag *diag)
{
	struct gen_emit e = GEN_EMIT_INIT;
	struct state s = {.e = &e, .l3 = opts->l3_off};
	struct u32 u = {.n = 0};
	int r;

	r = read_args(argc, argv, &u, diag);
	if (r < 0)
		return r;
	s.exact = u.invert;
	s.fail = gen_emit_label(&e);
	s.outside = opts->negate && !s.exact ? gen_emit_label(&e) : s.fail;
	gen_emit_note(&e, "%s%.480s", u.invert ? "! " : "", argv[argc - 1]);
	for (size_t i = 0; i < u.n; i++) {
		if (u.n > 1)
			gen_emit_note(&e, "test %zu", i + 1);
		emit_test(&s, &u.tests[i]);
	}
	if (s.outside != s.fail)
		gen_emit_place(&e, s.outside); /* what a match gives under -n, too */
	gen_emit_ends(&e, opts, !u.invert, s.fail);
	r = gen_emit_done(&e, ret_out, diag);
	gen_emit_fini(&e);
	return r;
}

const struct gen_type gen_u32 = {
	.name = "u32",
	.help = "Match a test of iptables' u32 match.",
	.usage =
		"u32 [!] TEST\n"
		"\n"
		"  TEST  LOCATION = VALUE, several joined by &&\n"
		"\n"
		"A location is a number, which loads four bytes at that offset from the IP header,\n"
		"and steps: & NUMBER, << NUMBER, >> NUMBER, and @ NUMBER, which moves the place that\n"
		"offsets count from by the value so far and loads there. A value is a list of numbers\n"
		"and ranges: 1,5:9. Numbers are decimal, 0x hexadecimal or 0 octal. At most 10 tests,\n"
		"10 numbers in a location, 10 ranges in a value. A load outside the packet does not\n"
		"match; with ! it does, as with iptables.\n"
		"\n"
		"  u32 '6 & 0xFF = 1 && 4 & 0x3FFF = 0 && 0 >> 22 & 0x3C @ 0 >> 24 = 0'\n",
	.run = u32_run,
};
