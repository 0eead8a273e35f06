// SPDX-License-Identifier: BSD-3-Clause
/*
 * p0f: signatures of built segments with wildcards, and those segments with
 * something changed. What a segment looks like to p0f and when a signature matches
 * follows p0f's docs/README and, where that is silent, what p0f does; test_p0f.c
 * asks p0f itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "case_priv.h"

#define OPTS_MAX 24
#define ROOM 1200 /* bytes of zeros behind a frame of which no load may miss */

/* clang-format off */
enum quirk {
	DF, NZ_ID, ZERO_ID, ECN, NZ_MBZ, FLOW, ZERO_SEQ, NZ_ACK, ZERO_ACK, NZ_URG, URG, PUSH,
	ZERO_TS1, NZ_TS2, EOL_NZ, EXWS, BAD, N_QUIRKS,
};
static const char *const quirk_names[N_QUIRKS] = {
	"df", "id+", "id-", "ecn", "0+", "flow", "seq-", "ack+", "ack-", "uptr+", "urgf+", "pushf+",
	"ts1-", "ts2+", "opt+", "exws", "bad",
};
/* clang-format on */

/* What p0f sees of a segment. */
struct seen {
	bool is; /* p0f looks at it at all */
	uint8_t ttl, olen, wscale;
	uint16_t mss, win;
	uint32_t ts1, headers;
	uint8_t opts[OPTS_MAX];
	uint32_t n_opts, eol_pad;
	uint32_t quirks;
	bool payload;
	bool has_linux, is_linux; /* a ts option, and bpftools' quirk linux */
	uint16_t linux_ts; /* the low half that makes it: id ^ sequence number */
};

static void
note(struct seen *s, bool when, enum quirk q)
{
	if (when)
		s->quirks |= 1u << q;
}

/* Bytes that option @kind takes behind its kind; 0: its length says, within *@min..*@max. */
static uint32_t
option_rest(uint8_t kind, uint32_t *min, uint32_t *max)
{
	*min = kind == 5 ? 10 : 2;
	*max = kind == 5 ? 34 : 40;
	switch (kind) {
	case 2: return 3;
	case 3: return 2;
	case 4: return 1;
	case 8: return 9;
	default: return 0;
	}
}

static void
see_option(struct seen *s, bool syn, uint8_t kind, const uint8_t *o)
{
	switch (kind) {
	case 2: s->mss = load_be16(o + 1); break;
	case 3:
		s->wscale = o[1];
		note(s, o[1] > 14, EXWS);
		break;
	case 8:
		if (!s->has_linux)
			s->is_linux = load_be16(o + 3) == s->linux_ts;
		s->has_linux = true;
		s->ts1 = load_be32(o + 1);
		note(s, s->ts1 == 0, ZERO_TS1);
		note(s, syn && load_be32(o + 5) != 0, NZ_TS2);
		break;
	default: break;
	}
}

static void
see_options(struct seen *s, bool syn, const uint8_t *o, uint32_t n)
{
	uint32_t at = 0;

	while (at < n && s->n_opts < OPTS_MAX) {
		const uint8_t kind = o[at++];
		uint32_t min, max, rest = option_rest(kind, &min, &max);

		s->opts[s->n_opts++] = kind;
		if (kind == 0) {
			s->eol_pad = n - at;
			/* The last byte is not looked at: the loop ends there either way. */
			while (at < n && o[at++] == 0)
				;
			note(s, at != n, EOL_NZ);
			return;
		}
		if (kind == 1)
			continue;
		if (rest == 0) {
			if (at == n || o[at] < min || o[at] > max || at - 1 + o[at] > n) {
				note(s, true, BAD);
				return;
			}
			at += o[at] - 1u;
			continue;
		}
		if (at + rest > n) {
			note(s, true, BAD);
			return;
		}
		note(s, o[at] != rest + 1, BAD);
		see_option(s, syn, kind, o + at);
		at += rest;
	}
	note(s, at != n, BAD);
}

static void
see_tcp(struct seen *s, bool synack, const uint8_t *t, uint32_t len)
{
	const uint32_t header = len >= 20 ? (t[12] >> 4) * 4u : 0;

	s->is = s->is && header >= 20 && header <= len && (t[13] & 0x17) == (synack ? 0x12 : 0x02);
	if (!s->is)
		return;
	s->headers += header;
	s->payload = len > header;
	s->win = load_be16(t + 14);
	s->linux_ts ^= load_be16(t + 6);
	note(s, (t[13] & 0xc0) != 0 || (t[12] & 1) != 0, ECN);
	note(s, load_be32(t + 4) == 0, ZERO_SEQ);
	note(s, synack && load_be32(t + 8) == 0, ZERO_ACK);
	note(s, !synack && (t[8] & 1) != 0, NZ_ACK);
	note(s, (t[13] & 0x20) != 0, URG);
	note(s, (t[13] & 0x20) == 0 && load_be16(t + 18) != 0, NZ_URG);
	note(s, (t[13] & 0x08) != 0, PUSH);
	see_options(s, !synack, t + 20, header - 20);
}

static struct seen
see(uint8_t family, bool synack, const uint8_t *p, uint32_t len)
{
	struct seen s = {.headers = 40};
	uint32_t total;

	if (family == 6) {
		total = 40u + load_be16(p + 4);
		s.ttl = p[7];
		s.is = p[0] >> 4 == 6 && p[6] == 6 && total <= len;
		note(&s, (load_be32(p) & 0xfffff) != 0, FLOW);
		note(&s, (p[1] >> 4 & 3) != 0, ECN);
	} else {
		const uint16_t flags = load_be16(p + 6), id = load_be16(p + 4);

		s.headers = (p[0] & 15) * 4u;
		s.linux_ts = id;
		total = load_be16(p + 2);
		s.ttl = p[8];
		s.olen = (uint8_t)(s.headers - 20);
		s.is = p[0] >> 4 == 4 && s.headers >= 20 && p[9] == 6 && total <= len &&
			total >= s.headers && (flags & 0x3fff) == 0;
		note(&s, (p[1] & 3) != 0, ECN);
		note(&s, (flags & 0x8000) != 0, NZ_MBZ);
		note(&s, (flags & 0x4000) != 0, DF);
		note(&s, (flags & 0x4000) != 0 && id != 0, NZ_ID);
		note(&s, (flags & 0x4000) == 0 && id == 0, ZERO_ID);
	}
	if (s.is)
		see_tcp(&s, synack, p + s.headers, total - s.headers);
	return s;
}

/* N of mss*N (or, *@ret_mtu, of mtu*N), -1 when the window is no multiple. */
static int
multiple(const struct seen *s, uint8_t family, bool *ret_mtu)
{
	const int mss = s->mss;
	const struct {
		bool when, mtu;
		int divisor;
	} tries[] = {
		{true, false, mss},
		{s->ts1 != 0, false, mss - 12},
		{true, false, 1460},
		{true, false, 1448},
		{family == 6, false, 1440},
		{family == 6, false, 1428},
		{true, true, mss + 40},
		{true, true, mss + (int)s->headers},
		{family == 6, true, mss + 60},
		{true, true, 1500},
	};

	*ret_mtu = false;
	if (s->win == 0 || mss < 100)
		return -1;
	for (size_t i = 0; i < DIM(tries); i++)
		if (tries[i].when && s->win % tries[i].divisor == 0) {
			*ret_mtu = tries[i].mtu;
			return s->win / tries[i].divisor;
		}
	return -1;
}

/* ---- segments ---- */

static const struct {
	const char *bytes;
	size_t n;
} layouts[] = {
#define L(s) \
	{ \
		s, sizeof(s) - 1 \
	}
	L("\2\4\5\xb4\4\2\x8\xa\1\2\3\4\0\0\0\0\1\3\3\7"), /* Linux */
	L("\2\4\5\xb4\1\3\3\x8\1\1\4\2"), /* Windows */
	L("\2\4\5\xb4\1\3\3\5\1\1\x8\xa\1\2\3\4\0\0\0\0\4\2\0\0"), /* Darwin */
	L("\2\4\5\xb4"),
	L("\2\4\2\x18\x8\xa\0\0\0\0\0\0\0\0\1\1"), /* ts1- */
	L("\2\4\5\xb4\x8\xa\0\0\0\1\0\0\0\2\1\1"), /* ts2+ */
	L("\2\4\5\xb4\3\3\x0f\1"), /* exws */
	L("\2\4\5\xb4\3\3\2\0\1\1\1\0"), /* padding that is not zero */
	L("\2\4\5\xb4\3\3\2\0\0\0\0\1"), /* … in its last byte */
	L("\2\5\5\xb4\1\1\1\1"), /* bad length */
	L("\2\4\5\xb4\1\1\x8\xa"), /* cut off */
	L("\1\1\1\xfd"), /* no room for the length */
	L("\xfd\4\1\2\2\4\5\xb4"), /* unknown option */
	L("\xfd\1\1\2\1\1\1\1"), /* … of length 1 */
	L("\5\xa\0\0\0\1\0\0\0\2\2\4\5\xb4\1\1"), /* sack */
	L("\2\4\5\xb4\2\4\2\x18\3\3\2\3\3\7\1\1"), /* twice */
	L("\x8\xa\0\0\0\0\0\0\0\0\x8\xa\0\0\0\1\0\0\0\0\2\4\5\xb4"),
	L(""),
#undef L
};

static uint32_t
segment(struct rng *rng, const struct gencase *c, bool synack, uint8_t *p)
{
	static const uint8_t ttls[] = {64, 63, 50, 128, 120, 255, 29, 28, 1, 32, 200};
	const size_t l = one_in(rng, 2) ? rng_below(rng, 3) : rng_below(rng, DIM(layouts));
	const uint32_t n = (uint32_t)layouts[l].n, payload = one_in(rng, 6) ? 3 : 0;
	const uint32_t factors[] = {1460, 1448, 1440, 1500, 1380, 536, 576};
	uint8_t *t = p + case_headers(rng, c, p, 6, 20 + n + payload);

	p[1] = one_in(rng, 6) ? 0x22 : 0;
	if (c->opts.family == 4) {
		store_be16(p + 4, one_in(rng, 2) ? 0 : 0x1234);
		store_be16(p + 6,
			(uint16_t)((one_in(rng, 3) ? 0 : 0x4000) | (one_in(rng, 8) ? 0x8000 : 0)));
		p[8] = ttls[rng_below(rng, DIM(ttls))];
	} else {
		store_be16(p + 2, one_in(rng, 3) ? 0x2345 : 0);
		p[7] = ttls[rng_below(rng, DIM(ttls))];
	}
	store_be32(t + 4, one_in(rng, 10) ? 0 : 0x11223344);
	store_be32(t + 8, one_in(rng, 10) == synack ? 0 : one_in(rng, 2) ? 0x01000000 : 1);
	t[12] = (uint8_t)((20 + n) << 2 | (one_in(rng, 12) ? 1 : 0));
	t[13] = (uint8_t)((synack ? 0x12 : 0x02) | (one_in(rng, 12) ? 0xc0 : 0) |
		(one_in(rng, 12) ? 0x08 : 0) | (one_in(rng, 12) ? 0x20 : 0));
	store_be16(t + 14,
		one_in(rng, 3) ? (uint16_t)rng_next(rng)
			       : (uint16_t)(factors[rng_below(rng, DIM(factors))] *
					 (1 + rng_below(rng, 12))));
	store_be16(t + 18, one_in(rng, 10) ? 7 : 0);
	memcpy(t + 20, layouts[l].bytes, n);
	/* The ts options above have this low half, as often as not. */
	if (c->opts.family == 4 && one_in(rng, 3))
		store_be16(p + 4, load_be16(t + 6) ^ 0x0304);
	if (n >= 4 && t[20] == 2 && one_in(rng, 3))
		store_be16(t + 22, one_in(rng, 2) ? 1380 : 536);
	return (uint32_t)(t - p) + 20 + n + payload;
}

/* The segment that @c's signature was made of. */
static uint32_t
own_segment(const struct gencase *c, uint8_t *p)
{
	struct rng own = {c->seed};

	return segment(&own, c, case_has(c, "--synack"), p);
}

static uint32_t
frame(struct rng *rng, const struct gencase *c, uint8_t *p)
{
	uint32_t l4, len = own_segment(c, p);

	if (one_in(rng, 8))
		len = segment(rng, c, one_in(rng, 2), p);
	l4 = case_l4(c, p);
	for (uint32_t i = rng_below(rng, 3); i > 0; i--)
		switch (rng_below(rng, 4)) {
		case 0: p[c->opts.family == 4 ? 8 : 7] += (uint8_t)(rng_below(rng, 80) - 40); break;
		case 1: flip_bit(rng, p + l4 + 4, len - l4 - 4); break;
		case 2: /* all of the IP header but its length, version and protocol */
			if (c->opts.family == 4 && one_in(rng, 4))
				flip_bit(rng, p + 1, 1);
			else if (c->opts.family == 4)
				flip_bit(rng, p + 4, 5);
			else
				flip_bit(rng, p + 1, 3);
			break;
		default: store_be16(p + l4 + 14, (uint16_t)(load_be16(p + l4 + 14) * 2)); break;
		}
	if (c->opts.negate) {
		memset(p + len, 0, ROOM);
		len += ROOM;
	}
	return len;
}

/* ---- signatures ---- */

static void
print_layout(const struct seen *s, char *out)
{
	static const char *const names[] = {
		[1] = "nop", [2] = "mss", [3] = "ws", [4] = "sok", [5] = "sack", [8] = "ts"};

	for (uint32_t i = 0; i < s->n_opts; i++) {
		const uint8_t kind = s->opts[i];

		out += sprintf(out, "%s", i > 0 ? "," : "");
		if (kind == 0)
			out += sprintf(out, "eol+%u", s->eol_pad);
		else if (kind < DIM(names) && names[kind] != NULL)
			out += sprintf(out, "%s", names[kind]);
		else
			out += sprintf(out, "?%u", kind);
	}
	*out = '\0';
}

static void
print_window(struct rng *rng, const struct seen *s, uint8_t family, char *out)
{
	bool mtu;
	const int n = multiple(s, family, &mtu);

	switch (rng_below(rng, 4)) {
	case 0: (void)sprintf(out, "*"); return;
	case 1:
		for (uint32_t d = 2 + rng_below(rng, 1500); s->win != 0 && d > 1; d--)
			if (s->win % d == 0) {
				(void)sprintf(out, "%%%u", d);
				return;
			}
		break;
	case 2:
		if (n >= 1) {
			(void)sprintf(out, "%s*%d", mtu ? "mtu" : "mss", n);
			return;
		}
		break;
	default: break;
	}
	(void)sprintf(out, "%u", s->win);
}

static void
print_ttl(struct rng *rng, const struct seen *s, char *out)
{
	const uint32_t near = MIN(255u - s->ttl, 40u);

	switch (rng_below(rng, 4)) {
	case 0: (void)sprintf(out, "%u-", s->ttl + rng_below(rng, near + 1)); break;
	case 1: (void)sprintf(out, "%u+%u", s->ttl, rng_below(rng, near + 1)); break;
	case 2: (void)sprintf(out, "%u+?", s->ttl); break;
	default: (void)sprintf(out, "%u", s->ttl + rng_below(rng, near + 1)); break;
	}
}

static void
pattern(struct rng *rng, struct gencase *c)
{
	uint8_t p[GENCASE_FRAME_MAX];
	char layout[200], window[20], ttl[20], quirks[200] = "", mss[8] = "*", scale[8] = "*";
	bool any = one_in(rng, 3);
	struct seen s;

	if (one_in(rng, 4))
		case_word(c, "--synack");
	do {
		c->seed = rng_next(rng);
		s = see(c->opts.family, c->argc > 0, p, own_segment(c, p));
	} while (!s.is);
	print_layout(&s, layout);
	print_window(rng, &s, c->opts.family, window);
	print_ttl(rng, &s, ttl);
	for (uint32_t q = 0; q < N_QUIRKS; q++)
		if ((s.quirks >> q & 1) != 0)
			(void)sprintf(quirks + strlen(quirks), "%s%s", quirks[0] != '\0' ? "," : "",
				quirk_names[q]);
	if (c->opts.family == 4 && s.has_linux && one_in(rng, s.is_linux ? 2 : 8))
		(void)sprintf(quirks + strlen(quirks), "%slinux", quirks[0] != '\0' ? "," : "");
	if (one_in(rng, 2))
		(void)sprintf(mss, "%u", s.mss);
	if (one_in(rng, 2))
		(void)sprintf(scale, "%u", s.wscale);
	case_word(c, "%s:%s:%u:%s:%s,%s:%s:%s:%s",
		any                           ? "*"
			: c->opts.family == 4 ? "4"
					      : "6",
		ttl, s.olen, mss, window, scale, layout, quirks,
		one_in(rng, 3)      ? "*"
			: s.payload ? "+"
				    : "0");
}

static bool
window_matches(const struct seen *s, uint8_t family, const char *text)
{
	bool mtu;
	const int n = multiple(s, family, &mtu);

	if (text[0] == '*')
		return true;
	if (text[0] == '%')
		return s->win % strtol(text + 1, NULL, 10) == 0;
	if (text[0] == 'm')
		return n == strtol(text + 4, NULL, 10) && mtu == (text[1] == 't');
	return s->win == strtol(text, NULL, 10);
}

static bool
ttl_matches(uint8_t ttl, const char *text)
{
	char *end;
	long initial = strtol(text, &end, 10);

	if (*end == '-')
		return ttl <= initial;
	if (*end == '+')
		initial += strtol(end + 1, NULL, 10); /* '?' is 0 */
	return ttl <= initial && initial - ttl <= 35;
}

static enum case_verdict
judge(const struct gencase *c, const uint8_t *p, uint32_t len)
{
	const struct seen s = see(c->opts.family, case_has(c, "--synack"), p, len);
	char copy[GENCASE_TEXT], layout[200], *field[8], *rest = copy, *scale;
	uint32_t quirks = 0;
	bool asked = false;

	if (!s.is)
		return CASE_NO;
	(void)snprintf(copy, sizeof(copy), "%s", c->argv[c->argc - 1]);
	for (size_t i = 0; i < DIM(field); i++)
		field[i] = strsep(&rest, ":");
	scale = strchr(field[4], ',');
	*scale++ = '\0';
	print_layout(&s, layout);
	for (char *q = strtok(field[6], ","); q != NULL; q = strtok(NULL, ","))
		for (uint32_t i = 0; i < N_QUIRKS; i++) {
			if (strcmp(q, quirk_names[i]) == 0)
				quirks |= 1u << i;
			asked |= strcmp(q, "linux") == 0;
		}
	/* A signature for both versions leaves out what the other has not. */
	if (field[0][0] == '*')
		quirks &= c->opts.family == 4 ? ~(1u << FLOW)
					      : ~(1u << DF | 1u << NZ_ID | 1u << ZERO_ID);
	if (!ttl_matches(s.ttl, field[1]) || s.olen != strtol(field[2], NULL, 10) ||
		(field[3][0] != '*' && s.mss != strtol(field[3], NULL, 10)) ||
		!window_matches(&s, c->opts.family, field[4]) ||
		(scale[0] != '*' && s.wscale != strtol(scale, NULL, 10)))
		return CASE_NO;
	if (asked && c->opts.family == 4 && !s.is_linux)
		return CASE_NO;
	return strcmp(layout, field[5]) == 0 && s.quirks == quirks &&
			(field[7][0] == '*' || (field[7][0] == '+') == s.payload)
		? CASE_YES
		: CASE_NO;
}

const struct case_type case_p0f = {
	.name = "p0f", .pattern = pattern, .frame = frame, .judge = judge};
