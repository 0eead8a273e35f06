/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_CASE_PRIV_H
#define TEST_CASE_PRIV_H

/* One generator's cases: a row of the table in gencase.c, defined in a case_*.c file. */

#include "gencase.h"

enum case_verdict {
	CASE_NO,
	CASE_YES,
	CASE_OUTSIDE, /* a byte that is needed is not there: 0, negated or not */
};

struct case_type {
	const char *name;
	bool extensions; /* can look behind the extension headers of IPv6 */
	bool may_refuse; /* the generator may say that no packet can be so */
	/* Fill @c->argv by case_word(); opts are set and may be changed. */
	void (*pattern)(struct rng *rng, struct gencase *c);
	/* Write opts.l3_off bytes that end at @ip; NULL: noise. */
	void (*link)(struct rng *rng, const struct gencase *c, uint8_t *ip);
	/* Write the datagram to @p, of GENCASE_FRAME_MAX - 64 bytes. Returns its length. */
	uint32_t (*frame)(struct rng *rng, const struct gencase *c, uint8_t *p);
	/* The documentation, executed on the datagram. */
	enum case_verdict (*judge)(const struct gencase *c, const uint8_t *p, uint32_t len);
	/* See gencase_excused(); NULL: nothing is. */
	bool (*excused)(const struct gencase *c, const struct gencase_frame *f, bool want);
};

extern const struct case_type case_cldap, case_dns, case_dns_validate, case_memcached, case_ntp,
	case_p0f, case_payload, case_sip, case_ssdp, case_suffix, case_syn_validate, case_tcpdump,
	case_u32;

/* Append a word. */
void case_word(struct gencase *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* True when @c has the word @text. */
bool case_has(const struct gencase *c, const char *text);

/* The word behind the word @text, NULL when there is none. */
const char *case_value(const struct gencase *c, const char *text);

static inline bool
one_in(struct rng *rng, uint32_t n)
{
	return rng_below(rng, n) == 0;
}

/* Flip one of the @n bytes' bits. */
static inline void
flip_bit(struct rng *rng, uint8_t *p, uint32_t n)
{
	p[rng_below(rng, n)] ^= (uint8_t)(1u << rng_below(rng, 8));
}

/*
 * Headers of @c's family at @p: IP (some with options) and behind it @l4_header
 * bytes of noise and @n of payload. Lengths, protocol and, for UDP, its length are
 * right. Returns where L4 starts.
 */
uint32_t case_headers(
	struct rng *rng, const struct gencase *c, uint8_t *p, uint8_t proto, uint32_t l4_len);

/* Where L4 starts in the datagram at @p, by its header. */
uint32_t case_l4(const struct gencase *c, const uint8_t *p);

#endif
