// SPDX-License-Identifier: BSD-3-Clause
#include "p0f_sig.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"

/* TCP options that have a name (RFC 9293, 7323, 2018). */
static const struct {
	const char *name;
	uint8_t kind;
} option_names[] = {
	{"nop", 1},
	{"mss", 2},
	{"ws", 3},
	{"sok", 4},
	{"sack", 5},
	{"ts", 8},
};

static const struct {
	const char *name;
	uint32_t bit;
	int families;
} quirk_names[] = {
#define X(id, text, families) {text, P0F_Q_##id, families},
	P0F_QUIRKS(X)
#undef X
};

struct reader {
	const char *text;
	const char *p;
	struct diag *diag;
};

static int
expected(const struct reader *r, const char *what)
{
	return diag_fail_at(r->diag, -EINVAL, 0, (unsigned int)(r->p - r->text) + 1,
		"expected %s in the p0f signature, got '%.40s'", what, r->p);
}

static bool
take(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

static int
take_colon(struct reader *r)
{
	return take(r, ":") ? 0 : expected(r, "':'");
}

/* A decimal number in [@min, @max]; @what names it with its range. */
static int
take_number(struct reader *r, uint32_t min, uint32_t max, const char *what, uint32_t *ret)
{
	const char *p = r->p;
	uint32_t v = 0;

	if (*p < '0' || *p > '9')
		return expected(r, what);
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint32_t)(*p - '0');
		if (v > max)
			return expected(r, what);
	}
	if (v < min)
		return expected(r, what);
	r->p = p;
	*ret = v;
	return 0;
}

static int
take_version(struct reader *r, struct p0f_sig *s)
{
	if (take(r, "4"))
		s->ver = 4;
	else if (take(r, "6"))
		s->ver = 6;
	else if (take(r, "*"))
		s->ver = 0;
	else
		return expected(r, "IP version 4, 6 or *");
	return 0;
}

static int
take_ttl(struct reader *r, struct p0f_sig *s)
{
	uint32_t ttl, distance = 0;
	int err = take_number(r, 1, 255, "an initial TTL from 1 to 255", &ttl);

	if (err < 0)
		return err;
	if (take(r, "-"))
		s->ttl_any_below = true;
	else if (take(r, "+") && !take(r, "?"))
		err = take_number(r, 0, 255 - ttl, "a distance with a sum up to 255", &distance);
	s->ttl = (uint8_t)(ttl + distance);
	return err;
}

static int
take_ip_options(struct reader *r, struct p0f_sig *s)
{
	const char *start = r->p;
	uint32_t v;
	int err = take_number(r, 0, 40, "bytes of IP options: 0, 4, … 40", &v);

	if (err < 0)
		return err;
	if (v % 4 != 0 || (v != 0 && s->ver == 6)) {
		r->p = start;
		return expected(r,
			s->ver == 6 ? "no IP options with IPv6 (0)"
				    : "bytes of IP options: 0, 4, … 40");
	}
	s->olen = (uint8_t)v;
	return 0;
}

static int
take_mss(struct reader *r, struct p0f_sig *s)
{
	uint32_t v;
	int err;

	s->mss = -1;
	if (take(r, "*"))
		return 0;
	err = take_number(r, 0, 65535, "an MSS from 0 to 65535 or *", &v);
	if (err == 0)
		s->mss = (int32_t)v;
	return err;
}

static int
take_window(struct reader *r, struct p0f_sig *s)
{
	static const struct {
		const char *prefix;
		enum p0f_win type;
		uint32_t min, max;
		const char *what;
	} forms[] = {
		{"%", P0F_WIN_MOD, 2, 65535, "a window modulus from 2 to 65535"},
		{"mss*", P0F_WIN_MSS, 1, 1000, "a factor of the MSS from 1 to 1000"},
		{"mtu*", P0F_WIN_MTU, 1, 1000, "a factor of the MTU from 1 to 1000"},
		{"", P0F_WIN_VALUE, 0, 65535, "a window: 0 to 65535, *, %N, mss*N or mtu*N"},
	};

	if (take(r, "*")) {
		s->win_type = P0F_WIN_ANY;
		return 0;
	}
	for (size_t i = 0; i < DIM(forms); i++) {
		uint32_t v;
		int err;

		if (!take(r, forms[i].prefix))
			continue;
		err = take_number(r, forms[i].min, forms[i].max, forms[i].what, &v);
		if (err < 0)
			return err;
		s->win_type = forms[i].type;
		s->win = (uint16_t)v;
		return 0;
	}
	return expected(r, "a window");
}

static int
take_scale(struct reader *r, struct p0f_sig *s)
{
	uint32_t v;
	int err;

	if (!take(r, ","))
		return expected(r, "',' and the window scale");
	s->wscale = -1;
	if (take(r, "*"))
		return 0;
	err = take_number(r, 0, 255, "a window scale from 0 to 255 or *", &v);
	if (err == 0)
		s->wscale = (int16_t)v;
	return err;
}

/* True when a word of the signature ends here. */
static bool
at_end_of_word(const struct reader *r)
{
	return *r->p == ',' || *r->p == ':';
}

static int
take_option(struct reader *r, struct p0f_sig *s, uint8_t *ret_kind)
{
	uint32_t v = 0;
	int err;

	if (take(r, "eol+")) {
		err = take_number(r, 0, 39, "bytes behind eol from 0 to 39", &v);
		if (err < 0)
			return err;
		s->eol_pad = (uint8_t)v;
		*ret_kind = 0;
		return *r->p == ':' ? 0 : expected(r, "eol to be the last option");
	}
	if (take(r, "?")) {
		err = take_number(r, 0, 255, "an option kind from 0 to 255", &v);
		if (err < 0)
			return err;
		*ret_kind = (uint8_t)v;
		return 0;
	}
	for (size_t i = 0; i < DIM(option_names); i++) {
		const char *start = r->p;

		if (take(r, option_names[i].name) && at_end_of_word(r)) {
			*ret_kind = option_names[i].kind;
			return 0;
		}
		r->p = start;
	}
	return expected(r, "a TCP option (eol+N, nop, mss, ws, sok, sack, ts, ?N)");
}

static int
take_layout(struct reader *r, struct p0f_sig *s)
{
	while (*r->p != ':') {
		uint8_t kind = 0;
		int err;

		if (s->n_opts == P0F_OPTS_MAX)
			return expected(r, "at most 24 TCP options");
		err = take_option(r, s, &kind);
		if (err < 0)
			return err;
		s->opts[s->n_opts++] = kind;
		if (*r->p != ':' && !take(r, ","))
			return expected(r, "',' or ':' behind a TCP option");
	}
	return 0;
}

static int
take_quirk(struct reader *r, struct p0f_sig *s)
{
	const char *start = r->p;

	for (size_t i = 0; i < DIM(quirk_names); i++) {
		if (take(r, quirk_names[i].name) && at_end_of_word(r)) {
			if (quirk_names[i].families != 46 && s->ver != 0 &&
				s->ver != quirk_names[i].families) {
				r->p = start;
				return expected(r, "no quirk of the other IP version");
			}
			s->quirks |= quirk_names[i].bit;
			return 0;
		}
		r->p = start;
	}
	return expected(r,
		"a quirk (df, id+, id-, ecn, 0+, flow, seq-, ack+, ack-, uptr+, "
		"urgf+, pushf+, ts1-, ts2+, opt+, exws, bad, linux)");
}

static int
take_quirks(struct reader *r, struct p0f_sig *s)
{
	while (*r->p != ':') {
		int err = take_quirk(r, s);

		if (err < 0)
			return err;
		if (*r->p != ':' && !take(r, ","))
			return expected(r, "',' or ':' behind a quirk");
	}
	return 0;
}

static int
take_payload(struct reader *r, struct p0f_sig *s)
{
	if (take(r, "*"))
		s->payload = -1;
	else if (take(r, "0"))
		s->payload = 0;
	else if (take(r, "+"))
		s->payload = 1;
	else
		return expected(r, "a payload class: 0, + or *");
	return *r->p == '\0' ? 0 : expected(r, "the signature to end");
}

int
p0f_sig_parse(const char *text, struct p0f_sig *ret_sig, struct diag *diag)
{
	/* In the order of the text; a colon follows each but window and the last. */
	static const struct {
		int (*take)(struct reader *r, struct p0f_sig *s);
		bool colon;
	} fields[] = {
		{take_version, true},
		{take_ttl, true},
		{take_ip_options, true},
		{take_mss, true},
		{take_window, false},
		{take_scale, true},
		{take_layout, true},
		{take_quirks, true},
		{take_payload, false},
	};
	struct reader r = {text, text, diag};
	struct p0f_sig s = {0};

	for (size_t i = 0; i < DIM(fields); i++) {
		int err = fields[i].take(&r, &s);

		if (err == 0 && fields[i].colon)
			err = take_colon(&r);
		if (err < 0)
			return err;
	}
	*ret_sig = s;
	return 0;
}
