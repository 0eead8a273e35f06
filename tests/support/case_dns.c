// SPDX-License-Identifier: BSD-3-Clause
/*
 * dns: a matcher written from "sluice gen dns -- --help", that walks name and
 * pattern label by label.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "case_priv.h"

#define ROOM 2000 /* bytes of zeros behind a frame of which no load may miss */

static const struct {
	const char *name;
	uint16_t value;
} qtypes[] = {{"A", 1}, {"AAAA", 28}, {"any", 255}, {"txt", 16}, {"257", 257}, {"TYPE65", 65}};

struct pattern {
	bool icase;
	bool stops; /* a star does not take the end of the name for a label */
	const char *qtypes; /* NULL: any */
};

static int
hex(char c)
{
	const char *digits = "0123456789abcdef";

	return (int)(strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) - digits);
}

/* The @n characters of a label against the bytes at @q; how many bytes they stand for. */
static bool
chars(const char *label, size_t n, bool icase, const uint8_t *q, size_t len, size_t *ret_used)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++, used++) {
		uint8_t c = (uint8_t)label[i];
		const bool any = c == '?';

		if (c == '%') {
			c = (uint8_t)(hex(label[i + 1]) * 16 + hex(label[i + 2]));
			i += 2;
		}
		if (used >= len)
			return false;
		if (any)
			continue;
		if (icase ? (q[used] | 0x20) != (c | 0x20) : q[used] != c)
			return false;
	}
	*ret_used = used;
	return true;
}

/*
 * The end of a name is no label. One star alone may take it for one, as in
 * bpftools; no query has a name that goes on behind its end.
 */
static bool
stops(const char *s, bool is_last)
{
	int n = 0;

	for (const char *c = s; *c != '\0'; c++)
		n += (c == s || c[-1] == '.') && *c == '*' &&
			(c[1] == '\0' || c[1] == '.' || c[1] == '{');
	return n > 1 && !is_last;
}

/* The question's type behind the name, against a list as --qtype takes it. */
static bool
has_qtype(const char *list, const uint8_t *q, size_t len)
{
	char copy[GENCASE_TEXT];
	bool found = false;

	if (list == NULL)
		return true;
	if (len < 2)
		return false;
	(void)snprintf(copy, sizeof(copy), "%s", list);
	for (char *s = strtok(copy, ","); s != NULL; s = strtok(NULL, ","))
		for (size_t i = 0; i < DIM(qtypes); i++)
			found |= strcmp(s, qtypes[i].name) == 0 && load_be16(q) == qtypes[i].value;
	return found;
}

static bool
labels(const struct pattern *pat, const char *s, const uint8_t *q, size_t len)
{
	const char *dot;
	size_t n, used;

	if (s[0] == '\0') /* the root */
		return len >= 1 && q[0] == 0 && has_qtype(pat->qtypes, q + 1, len - 1);
	if (strcmp(s, "**") == 0)
		return true;
	dot = strchr(s, '.');
	n = dot != NULL ? (size_t)(dot - s) : strlen(s);

	if (s[0] == '*' && (n == 1 || s[1] == '{')) {
		int min = 0, max = 255;

		if (n > 1)
			(void)sscanf(s, "*{%d-%d}", &min, &max);
		if (len < 1 || q[0] < min || q[0] > max || (pat->stops && q[0] == 0))
			return false;
		used = MIN(len, q[0] + 1u);
		return labels(pat, dot != NULL ? dot + 1 : "", q + used, len - used);
	}
	if (dot == NULL && n >= 2 && strcmp(s + n - 2, "**") == 0)
		return len >= 1 && chars(s, n - 2, pat->icase, q + 1, len - 1, &used);
	if (len < 1 || !chars(s, n, pat->icase, q + 1, len - 1, &used) || q[0] != used)
		return false;
	return labels(pat, dot != NULL ? dot + 1 : "", q + 1 + used, len - 1 - used);
}

/* @q: @len bytes from where the first question's name starts. */
static bool
matches(const struct pattern *pat, const char *text, const uint8_t *q, size_t len)
{
	char s[GENCASE_TEXT];
	size_t n;

	while (*text == '.')
		text++;
	(void)snprintf(s, sizeof(s), "%s", text);
	n = strlen(s);
	if (strcmp(s, "**") == 0)
		return len >= 1;
	while (n > 0 && s[n - 1] == '.')
		s[--n] = '\0';

	if (strncmp(s, "**", 2) == 0 && (s[2] == '.' || s[2] == '\0')) {
		const char *rest = s[2] == '.' ? s + 3 : "";

		for (size_t at = 0; at < len && q[at] >= 1 && q[at] <= 63;) {
			at += q[at] + 1u;
			if (at <= len ? labels(pat, rest, q + at, len - at)
				      : strcmp(rest, "**") == 0)
				return true;
		}
		return false;
	}
	return labels(pat, s, q, len);
}

/* The first word that is a name. */
static int
first_name(const struct gencase *c)
{
	for (int i = 0; i < c->argc; i++)
		if (strcmp(c->argv[i], "--") == 0)
			return i + 1;
	return c->argc;
}

/* Where the name starts: behind IP, UDP or TCP with a length of two bytes, and DNS' header. */
static uint32_t
name_at(const struct gencase *c, const uint8_t *p)
{
	const uint32_t l4 = case_l4(c, p);

	if (!case_has(c, "--tcp"))
		return l4 + 8 + 12;
	return l4 + (p[l4 + 12] >> 4) * 4u + 2 + 12;
}

static enum case_verdict
judge(const struct gencase *c, const uint8_t *p, uint32_t len)
{
	const uint32_t at = name_at(c, p);
	struct pattern pat = {
		.icase = case_has(c, "-i"),
		.qtypes = case_value(c, "--qtype"),
	};

	for (int i = first_name(c); i < c->argc; i++) {
		pat.stops = stops(c->argv[i], i + 1 == c->argc);
		if (at <= len && matches(&pat, c->argv[i], p + at, len - at))
			return CASE_YES;
	}
	return CASE_NO;
}

/* ---- patterns ---- */

static const char *const plain_labels[] = {"a", "ab", "www", "example", "Exa-m_p1e", "x*", "uk",
	"com", "a?c", "??", "%2a", "%00%ff", "%2e", "abcdefghijklmnop", "*x", "z?"};
static const char *const stars[] = {"*", "*", "*{2-4}", "*{1-63}", "*{3-3}", "*{0-9}", "*{4-255}"};

static void
random_name(struct rng *rng, bool ends, char *s)
{
	uint32_t n = rng_below(rng, 5);

	*s = '\0';
	if (one_in(rng, 10))
		strcat(s, ".");
	if (one_in(rng, 6))
		strcat(s, "**.");
	for (uint32_t i = 0; i < n; i++) {
		strcat(s,
			one_in(rng, 4) ? stars[rng_below(rng, DIM(stars))]
				       : plain_labels[rng_below(rng, DIM(plain_labels))]);
		strcat(s, i + 1 < n || one_in(rng, 3) ? "." : "");
	}
	if (n == 0 && s[0] != '\0')
		strcat(s, "uk");
	n = (uint32_t)strlen(s);
	if (ends)
		return;
	if (one_in(rng, 5) && (n == 0 || s[n - 1] == '.'))
		strcat(s, "**");
	else if (one_in(rng, 8) && n > 0 && s[n - 1] >= 'a' && s[n - 1] <= 'z')
		strcat(s, "**");
}

static void
pattern(struct rng *rng, struct gencase *c)
{
	const uint32_t n = one_in(rng, 2) ? 1 : 1 + rng_below(rng, 4);
	const bool has_types = one_in(rng, 4);
	char text[GENCASE_TEXT];

	if (one_in(rng, 2))
		case_word(c, "-i");
	if (one_in(rng, 4))
		case_word(c, "--tcp");
	if (has_types) {
		const char *first = qtypes[rng_below(rng, DIM(qtypes))].name;

		case_word(c, "--qtype");
		if (one_in(rng, 2))
			case_word(c, "%s", first);
		else
			case_word(c, "%s,%s", first, qtypes[rng_below(rng, DIM(qtypes))].name);
	}
	case_word(c, "--");
	for (uint32_t i = 0; i < n; i++) {
		random_name(rng, has_types, text);
		case_word(c, "%s", text);
	}
}

/* ---- frames ---- */

/* A name that @text should match: wildcards filled in. Returns its length. */
static uint32_t
satisfy(struct rng *rng, const char *text, uint8_t *q)
{
	uint32_t len = 0;

	while (*text == '.')
		text++;
	while (*text != '\0') {
		const char *dot = strchr(text, '.');
		size_t n = dot != NULL ? (size_t)(dot - text) : strlen(text);
		const uint32_t start = len++;
		uint32_t k = 1 + rng_below(rng, 5);

		if (text[0] == '*' && (n == 1 || text[1] == '{' || text[1] == '*')) {
			int min = 1, max = 63;

			(void)sscanf(text, "*{%d-%d}", &min, &max);
			max = MIN(max, 63);
			k = n > 2 ? (uint32_t)min + rng_below(rng, (uint32_t)(max - min + 1)) : k;
			for (uint32_t i = 0; i < k; i++)
				q[len++] = (uint8_t)('a' + rng_below(rng, 26));
		} else {
			for (size_t i = 0; i < n; i++) {
				if (text[i] == '%') {
					q[len++] =
						(uint8_t)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
					i += 2;
				} else if (text[i] != '*' || i == 0 || i + 2 < n || dot != NULL ||
					n < 3) {
					q[len++] = (uint8_t)text[i];
				}
			}
		}
		q[start] = (uint8_t)(len - start - 1);
		text += dot != NULL ? n + 1 : n;
	}
	q[len++] = 0;
	return len;
}

/* Change the name in @q a little: a bit, a length, a case, a label more or less. */
static uint32_t
mutate(struct rng *rng, uint8_t *q, uint32_t len)
{
	const uint32_t at = rng_below(rng, len);

	switch (rng_below(rng, 6)) {
	case 1: q[at] ^= (uint8_t)(1u << rng_below(rng, 8)); break;
	case 2: q[at] ^= 0x20; break;
	case 3: q[at]++; break;
	case 4: /* a label before */
		memmove(q + 3, q, len);
		memcpy(q, "\2qq", 3);
		return len + 3;
	case 5: /* without the first label */
		if (q[0] + 1u >= len)
			break;
		len -= q[0] + 1u;
		memmove(q, q + q[0] + 1, len);
		return len;
	default: break;
	}
	return len;
}

static uint32_t
frame(struct rng *rng, const struct gencase *c, uint8_t *p)
{
	const int first = first_name(c);
	const char *text = c->argv[first + (int)rng_below(rng, (uint32_t)(c->argc - first))];
	const bool tcp = case_has(c, "--tcp");
	const uint32_t l4 = case_headers(rng, c, p, tcp ? 6 : 17, tcp ? 80 : 20);
	uint32_t at, len;

	if (tcp)
		p[l4 + 12] = (uint8_t)((5 + rng_below(rng, 11)) << 4);
	at = name_at(c, p);
	len = satisfy(rng, text, p + at);
	for (uint32_t i = rng_below(rng, 3); i > 0; i--)
		if (len < 250)
			len = mutate(rng, p + at, len);
	store_be16(p + at + len,
		one_in(rng, 4) ? (uint16_t)rng_below(rng, 300)
			       : qtypes[rng_below(rng, DIM(qtypes))].value);
	store_be16(p + at + len + 2, 1);
	len += 4;
	/* A load outside ends the program, and the next pattern would not be asked. */
	if (c->opts.negate || c->argc - first > 1) {
		memset(p + at + len, 0, ROOM);
		return at + len + ROOM;
	}
	return at + (one_in(rng, 2) ? rng_below(rng, len + 1) : len);
}

const struct case_type case_dns = {
	.name = "dns", .extensions = true, .pattern = pattern, .frame = frame, .judge = judge};
