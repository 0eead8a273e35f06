// SPDX-License-Identifier: BSD-3-Clause
/*
 * sip: messages as user agents send them, with something changed, judged line by
 * line as "sluice gen sip -- --help" says (RFC 3261, RFC 5626).
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "case_priv.h"

static const char *const methods[] = {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER",
	"INFO", "MESSAGE", "NOTIFY", "PRACK", "PUBLISH", "REFER", "SUBSCRIBE", "UPDATE"};

/* ---- the help text, executed ---- */

/* The payload, by the UDP length. */
struct text {
	const uint8_t *p;
	uint32_t n;
};

static bool
begins(const struct text *t, const char *s)
{
	return t->n >= strlen(s) && memcmp(t->p, s, strlen(s)) == 0;
}

/* True when the payload begins with a method of @list, NULL: a registered one; and a blank. */
static bool
has_method(const struct text *t, const char *list)
{
	char copy[GENCASE_TEXT], word[GENCASE_TEXT];
	bool found = false;

	for (size_t i = 0; list == NULL && i < DIM(methods); i++) {
		(void)snprintf(word, sizeof(word), "%s ", methods[i]);
		found |= begins(t, word);
	}
	if (list == NULL)
		return found;
	(void)snprintf(copy, sizeof(copy), "%s", list);
	for (char *m = strtok(copy, ","); m != NULL; m = strtok(NULL, ",")) {
		(void)snprintf(word, sizeof(word), "%.100s ", m);
		found |= begins(t, word);
	}
	return found;
}

/* Room for the shortest of the methods, an address and the version. */
static bool
has_room(const struct text *t, const char *list)
{
	size_t least = list == NULL ? strlen("ACK") : strcspn(list, ",");

	for (const char *m = list; m != NULL; m = strchr(m, ','), m = m != NULL ? m + 1 : NULL)
		least = MIN(least, strcspn(m, ","));
	return t->n >= least + 1 + 11;
}

static bool
is_keepalive(const struct text *t)
{
	return (t->n == 2 && begins(t, "\r\n")) || (t->n == 4 && begins(t, "\r\n\r\n")) ||
		(t->n >= 20 && load_be16(t->p) == 1 && load_be32(t->p + 4) == 0x2112a442);
}

static bool
is_response(const struct text *t)
{
	return begins(t, "SIP/2.0 ") && t->p[8] >= '1' && t->p[8] <= '6' && t->p[9] >= '0' &&
		t->p[9] <= '9' && t->p[10] >= '0' && t->p[10] <= '9' && t->p[11] == ' ';
}

/* Case is bit 0x20, of every byte. */
static bool
is_header(const uint8_t *line, const char *name)
{
	const size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if ((line[i] | 0x20) != name[i])
			return false;
	return (line[n] | 0x20) == ':' || (line[n] | 0x20) == ' ';
}

/* The mandatory headers that the line begins, as a set. */
static unsigned int
headers_of(const uint8_t *line)
{
	static const char *const names[][2] = {
		{"via", "v"}, {"from", "f"}, {"to", "t"}, {"call-id", "i"}, {"cseq", "cseq"}};
	unsigned int set = 0;

	for (unsigned int i = 0; i < DIM(names); i++)
		if (is_header(line, names[i][0]) || is_header(line, names[i][1]))
			set |= 1u << i;
	return set;
}

/*
 * Go on from @at to the start of the next line, in pieces of 32 bytes. Returns how
 * many pieces that took, 0 when the payload has fewer than 40 bytes left before.
 */
static unsigned int
next_line(const struct text *t, uint32_t *at, unsigned int most)
{
	for (unsigned int pieces = 1; pieces <= most; pieces++) {
		if (t->n - *at < 40)
			return 0;
		for (uint32_t i = 0; i < 32; i++)
			if (t->p[*at + i] == '\n') {
				*at += i + 1;
				return pieces;
			}
		*at += 32;
	}
	return most + 1;
}

static bool
headers_are_missing(const struct text *t, uint32_t at)
{
	unsigned int seen = 0, left = 14;

	for (;;) {
		unsigned int pieces;

		if (memcmp(t->p + at, "\r\n", 2) == 0)
			return true;
		seen |= headers_of(t->p + at);
		if (seen == 31)
			return false;
		pieces = next_line(t, &at, left);
		if (pieces == 0)
			return __builtin_popcount(seen) < 4;
		if (pieces >= left)
			return false;
		left -= pieces;
	}
}

static bool
is_no_sip(const struct text *t, const char *list, bool start_line)
{
	const bool response = is_response(t);
	uint32_t at = 0;
	unsigned int pieces;

	if (is_keepalive(t))
		return false;
	if (t->n < 20 || (!response && !has_method(t, list)))
		return true;
	/* "SIP/" never begins a request. */
	if (!response && begins(t, "SIP/"))
		return true;
	if (start_line)
		return false;
	pieces = next_line(t, &at, 8);
	if (pieces == 0 || pieces > 8 || memcmp(t->p + at - 2, "\r\n", 2) != 0)
		return true;
	if (!response && memcmp(t->p + at - 10, " SIP/2.0", 8) != 0)
		return true;
	return headers_are_missing(t, at);
}

static enum case_verdict
judge(const struct gencase *c, const uint8_t *p, uint32_t len)
{
	const uint32_t l4 = case_l4(c, p);
	const struct text t = {p + l4 + 8, load_be16(p + l4 + 4) - 8u};
	const char *list = case_value(c, "--method");

	(void)len;
	if (case_has(c, "--invalid"))
		return is_no_sip(&t, list, case_has(c, "--start-line")) ? CASE_YES : CASE_NO;
	return has_room(&t, list) && has_method(&t, list) ? CASE_YES : CASE_NO;
}

/* ---- patterns and frames ---- */

static void
pattern(struct rng *rng, struct gencase *c)
{
	static const char *const others[] = {"A", "Be", "FOO-bar", "X.Y~Z", "PINGPINGPINGPING"};
	char list[GENCASE_TEXT] = "";

	if (one_in(rng, 2)) {
		const uint32_t n = 1 + rng_below(rng, 4);

		for (uint32_t i = 0; i < n; i++)
			(void)sprintf(list + strlen(list), "%s%s", i > 0 ? "," : "",
				one_in(rng, 4) ? others[rng_below(rng, DIM(others))]
					       : methods[rng_below(rng, DIM(methods))]);
		case_word(c, "--method");
		case_word(c, "%s", list);
	}
	if (one_in(rng, 3))
		return;
	case_word(c, "--invalid");
	if (one_in(rng, 4))
		case_word(c, "--start-line");
}

static const struct {
	const char *line;
	bool mandatory;
} lines[] = {
	{"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds", true},
	{"From: Alice <sip:alice@example.com>;tag=1928301774", true},
	{"To: Bob <sip:bob@example.com>", true},
	{"Call-ID: a84b4c76e66710@example.com", true},
	{"CSeq: 314159 INVITE", true},
	{"v: SIP/2.0/UDP 192.0.2.1", true},
	{"f :<sip:alice@example.com>;tag=1", true},
	{"T:<sip:b@example.com>", true},
	{"i: 1@h", true},
	{"CSEQ : 1 BYE", true},
	{"Max-Forwards: 70", false},
	{"Contact: <sip:alice@192.0.2.1>", false},
	{"Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE",
		false},
	{"User-Agent: an agent of some kind", false},
	{"-*x", false},
	{"Fromage: x", false},
	{"k: a\nb", false},
};

static uint32_t
put(uint8_t *p, const char *s)
{
	memcpy(p, s, strlen(s));
	return (uint32_t)strlen(s);
}

/* A method that is asked for, or another. */
static const char *
some_method(struct rng *rng, const struct gencase *c, char *out)
{
	const char *list = case_value(c, "--method");

	if (list == NULL || one_in(rng, 6))
		return methods[rng_below(rng, DIM(methods))];
	for (uint32_t i = rng_below(rng, 4); i > 0 && strchr(list, ',') != NULL; i--)
		list = strchr(list, ',') + 1;
	(void)sprintf(out, "%.*s", (int)strcspn(list, ","), list);
	return out;
}

static uint32_t
put_message(struct rng *rng, const struct gencase *c, uint8_t *p)
{
	const uint32_t compact = one_in(rng, 3) ? 5 : 0, skipped = rng_below(rng, 10);
	char method[GENCASE_TEXT];
	uint32_t n = 0;

	if (one_in(rng, 4)) {
		n += put(p, "SIP/2.0 200 OK\r\n");
	} else {
		n += put(p, some_method(rng, c, method));
		n += put(p + n, " sip:bob");
		for (uint32_t i = one_in(rng, 4) ? rng_below(rng, 260) : 0; i > 0; i--)
			p[n++] = 'b';
		n += put(p + n, "@example.com SIP/2.0\r\n");
	}
	for (uint32_t i = 0; i < 5; i++) {
		const uint32_t other = 10 + rng_below(rng, DIM(lines) - 10);

		if (i != skipped) /* in one of two messages all are there */
			n += put(p + n, lines[compact + i].line), n += put(p + n, "\r\n");
		if (one_in(rng, 3))
			n += put(p + n, lines[other].line), n += put(p + n, "\r\n");
	}
	if (!one_in(rng, 3))
		n += put(p + n, "Content-Length: 0\r\n");
	if (!one_in(rng, 6))
		n += put(p + n, "\r\n");
	for (uint32_t i = one_in(rng, 3) ? rng_below(rng, 60) : 0; i > 0; i--)
		p[n++] = (uint8_t)('a' + i % 26);
	return n;
}

static uint32_t
put_keepalive(struct rng *rng, uint8_t *p)
{
	memset(p, 0, 24);
	switch (rng_below(rng, 3)) {
	case 0: return put(p, "\r\n");
	case 1: return put(p, "\r\n\r\n");
	default:
		store_be16(p, 1);
		store_be32(p + 4, 0x2112a442);
		return 20;
	}
}

static uint32_t
frame(struct rng *rng, const struct gencase *c, uint8_t *p)
{
	const uint32_t l4 = case_headers(rng, c, p, 17, 8);
	uint8_t *payload = p + l4 + 8;
	uint32_t n;

	if (one_in(rng, 12))
		n = put_keepalive(rng, payload);
	else
		n = put_message(rng, c, payload);
	if (one_in(rng, 3))
		flip_bit(rng, payload, MIN(n, one_in(rng, 2) ? n : 20));
	if (one_in(rng, 10))
		n = rng_below(rng, n + 1);
	store_be16(p + l4 + 4, (uint16_t)(8 + n));
	/* A method that is asked for may be longer than the payload. */
	memset(payload + n, 0, 64);
	return l4 + 8 + n + (c->opts.negate ? 64 : 0);
}

const struct case_type case_sip = {
	.name = "sip", .extensions = true, .pattern = pattern, .frame = frame, .judge = judge};
