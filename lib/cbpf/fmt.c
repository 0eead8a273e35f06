// SPDX-License-Identifier: BSD-3-Clause
/* Programs as numbers: xt_bpf's line, tcpdump -ddd, tcpdump -dd, JSON. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "scan.h"

typedef int (*number_fn)(struct scan *s, const char *want, uint32_t max, uint32_t *ret);

static const struct {
	const char *name;
	uint32_t max;
} fields[4] = {
	{"an opcode", UINT16_MAX},
	{"a jt", UINT8_MAX},
	{"a jf", UINT8_MAX},
	{"a k", UINT32_MAX},
};

/* Four numbers, with @sep between them unless it is NUL. */
static int
take_insn(struct scan *s, number_fn number, char sep, struct cbpf_insn *in)
{
	const char want[] = {'\'', sep, '\'', '\0'};
	uint32_t v[4];

	for (int i = 0; i < 4; i++) {
		int r = scan_skip(s, SCAN_PLAIN);

		if (r == 0 && i > 0 && sep != '\0') {
			if (!scan_take(s, sep))
				return scan_fail(s, want);
			r = scan_skip(s, SCAN_PLAIN);
		}
		if (r == 0)
			r = number(s, fields[i].name, fields[i].max, &v[i]);
		if (r < 0)
			return r;
	}
	*in = (struct cbpf_insn){(uint16_t)v[0], (uint8_t)v[1], (uint8_t)v[2], v[3]};
	return 0;
}

/* Hand over what was read, or free it. */
static int
finish(int r, struct insn_list *list, struct cbpf_insn **ret_insns, size_t *ret_n)
{
	if (r < 0) {
		mem_free(list->v);
		return r;
	}
	*ret_insns = list->v;
	*ret_n = list->n;
	return 0;
}

static int
read_counted(struct scan *s, struct insn_list *list)
{
	uint32_t n;
	int r;

	(void)scan_skip(s, SCAN_PLAIN);
	r = scan_decimal(s, "the number of instructions", UINT32_MAX, &n);
	if (r < 0)
		return r;
	if (n == 0)
		return diag_fail_at(s->diag, -EINVAL, s->line, 0, "the program is empty");
	if (n > CBPF_MAX_INSNS)
		return diag_fail_at(s->diag, -E2BIG, s->line, 0,
			"the program has %" PRIu32 " instructions, at most %d fit", n,
			CBPF_MAX_INSNS);
	for (;;) {
		struct cbpf_insn in = {0};

		(void)scan_skip(s, SCAN_PLAIN);
		(void)scan_take(s, ',');
		(void)scan_skip(s, SCAN_PLAIN);
		if (*s->p == '\0' || list->n == n)
			break;
		r = take_insn(s, scan_decimal, '\0', &in);
		if (r < 0 || (r = insn_list_add(list, &in, s)) < 0)
			return r;
	}
	if (list->n < n)
		return diag_fail_at(s->diag, -EINVAL, s->line, 0,
			"%" PRIu32 " instructions are announced, but %zu came", n, list->n);
	return *s->p == '\0' ? 0 : scan_fail(s, "the end after the last instruction");
}

int
cbpf_read_xt(const char *text, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag)
{
	struct insn_list list = {0};
	struct scan s;

	scan_init(&s, text, diag);
	return finish(read_counted(&s, &list), &list, ret_insns, ret_n);
}

/* "{ 0x28, 0, 0, 0x0000000c }", each followed by a comma or nothing. */
static int
read_rows(struct scan *s, struct insn_list *list)
{
	for (;;) {
		struct cbpf_insn in = {0};
		int r = scan_skip(s, SCAN_C);

		if (r < 0 || !scan_take(s, '{'))
			return r;
		r = take_insn(s, scan_number, ',', &in);
		if (r < 0)
			return r;
		(void)scan_skip(s, SCAN_PLAIN);
		(void)scan_take(s, ',');
		(void)scan_skip(s, SCAN_PLAIN);
		if (!scan_take(s, '}'))
			return scan_fail(s, "'}'");
		r = insn_list_add(list, &in, s);
		if (r < 0 || (r = scan_skip(s, SCAN_C)) < 0)
			return r;
		(void)scan_take(s, ',');
	}
}

/* Skip "static struct sock_filter code[] =", if there is one; NULL-free, single line counting. */
static void
skip_declaration(struct scan *s)
{
	const char *brace = strchr(s->p, '{');
	const char *equals = strchr(s->p, '=');

	if (equals == NULL || (brace != NULL && brace < equals))
		return;
	while (s->p <= equals) {
		if (*s->p == '\n') {
			s->line++;
			s->line_start = s->p + 1;
		}
		s->p++;
	}
}

static int
read_c_array(struct scan *s, struct insn_list *list)
{
	struct scan outer;
	bool braces;
	int r;

	skip_declaration(s);
	if ((r = scan_skip(s, SCAN_C)) < 0)
		return r;

	/* A brace right behind the first one means that the first encloses all rows. */
	outer = *s;
	braces = scan_take(&outer, '{') && scan_skip(&outer, SCAN_C) == 0 && *outer.p == '{';
	if (braces)
		*s = outer;
	if ((r = read_rows(s, list)) < 0)
		return r;
	if (braces && !scan_take(s, '}'))
		return scan_fail(s, "'{' or '}'");
	if ((r = scan_skip(s, SCAN_C)) < 0)
		return r;
	if (scan_take(s, ';') && (r = scan_skip(s, SCAN_C)) < 0)
		return r;
	if (list->n == 0)
		return scan_fail(s, "'{'");
	return *s->p == '\0' ? 0 : scan_fail(s, "'{' or the end");
}

int
cbpf_read_c_array(const char *text, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag)
{
	struct insn_list list = {0};
	struct scan s;

	scan_init(&s, text, diag);
	return finish(read_c_array(&s, &list), &list, ret_insns, ret_n);
}

static int
expect(struct scan *s, char c)
{
	const char want[] = {'\'', c, '\'', '\0'};

	(void)scan_skip(s, SCAN_PLAIN);
	return scan_take(s, c) ? 0 : scan_fail(s, want);
}

/* {"instructions":[[code,jt,jf,k],…]} */
static int
read_json(struct scan *s, struct insn_list *list)
{
	static const char key[] = "\"instructions\"";
	int r = expect(s, '{');

	if (r < 0)
		return r;
	(void)scan_skip(s, SCAN_PLAIN);
	if (strncmp(s->p, key, sizeof(key) - 1) != 0)
		return scan_fail(s, key);
	s->p += sizeof(key) - 1;
	if ((r = expect(s, ':')) < 0 || (r = expect(s, '[')) < 0)
		return r;
	do {
		struct cbpf_insn in = {0};

		if ((r = expect(s, '[')) < 0 || (r = take_insn(s, scan_decimal, ',', &in)) < 0 ||
			(r = expect(s, ']')) < 0 || (r = insn_list_add(list, &in, s)) < 0)
			return r;
		(void)scan_skip(s, SCAN_PLAIN);
	} while (scan_take(s, ','));
	if ((r = expect(s, ']')) < 0 || (r = expect(s, '}')) < 0)
		return r;
	(void)scan_skip(s, SCAN_PLAIN);
	return *s->p == '\0' ? 0 : scan_fail(s, "the end behind '}'");
}

int
cbpf_read_json(const char *text, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag)
{
	struct insn_list list = {0};
	struct scan s;

	scan_init(&s, text, diag);
	return finish(read_json(&s, &list), &list, ret_insns, ret_n);
}

/* Whether "{" begins an object with a key, and not a row of numbers. */
static bool
is_json(struct scan s)
{
	if (!scan_take(&s, '{'))
		return false;
	(void)scan_skip(&s, SCAN_PLAIN);
	return *s.p == '"';
}

int
cbpf_read(const char *text, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag)
{
	struct diag ignored;
	struct scan s;

	scan_init(&s, text, &ignored);
	(void)scan_skip(&s, SCAN_PLAIN);
	if (*s.p >= '0' && *s.p <= '9')
		return cbpf_read_xt(text, ret_insns, ret_n, diag);
	if (is_json(s))
		return cbpf_read_json(text, ret_insns, ret_n, diag);
	if (scan_skip(&s, SCAN_ASM) == 0 &&
		(*s.p == '{' || strncmp(s.p, "struct ", 7) == 0 ||
			strncmp(s.p, "static ", 7) == 0 || strncmp(s.p, "const ", 6) == 0))
		return cbpf_read_c_array(text, ret_insns, ret_n, diag);
	return cbpf_asm(text, ret_insns, ret_n, diag);
}

static void
write_counted(const struct cbpf_insn *insns, size_t n, const char *sep, struct sbuf *out)
{
	sbuf_addf(out, "%zu", n);
	for (size_t i = 0; i < n; i++)
		sbuf_addf(out, "%s%u %u %u %" PRIu32, sep, insns[i].code, insns[i].jt, insns[i].jf,
			insns[i].k);
	sbuf_addc(out, '\n');
}

void
cbpf_write_xt(const struct cbpf_insn *insns, size_t n, struct sbuf *out)
{
	write_counted(insns, n, ",", out);
}

void
cbpf_write_ddd(const struct cbpf_insn *insns, size_t n, struct sbuf *out)
{
	write_counted(insns, n, "\n", out);
}

void
cbpf_write_c_array(const struct cbpf_insn *insns, size_t n, struct sbuf *out)
{
	for (size_t i = 0; i < n; i++)
		sbuf_addf(out, "{ 0x%02x, %u, %u, 0x%08" PRIx32 " },\n", insns[i].code, insns[i].jt,
			insns[i].jf, insns[i].k);
}

void
cbpf_write_json(const struct cbpf_insn *insns, size_t n, struct sbuf *out)
{
	sbuf_adds(out, "{\"instructions\":[");
	for (size_t i = 0; i < n; i++)
		sbuf_addf(out, "%s[%u,%u,%u,%" PRIu32 "]", i > 0 ? "," : "", insns[i].code,
			insns[i].jt, insns[i].jf, insns[i].k);
	sbuf_adds(out, "]}\n");
}
