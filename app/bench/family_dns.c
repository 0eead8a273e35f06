// SPDX-License-Identifier: BSD-3-Clause
/* Names of hosts and domains as zones have them, asked for over UDP. */
#include <stdio.h>
#include <string.h>

#include "family_impl.h"

#define NAME_MAX_LEN 250 /* bytes of text; 255 on the wire (RFC 1035) */

static void
label(struct rng *rng, uint32_t min, uint32_t max, char *out)
{
	const uint32_t n = min + rng_below(rng, max - min + 1);

	family_letters(rng, out, n);
	out[n] = '\0';
}

/* "shop4711.uk", "mail.example1.com": one to three labels in front of a top one. */
static void
domain(struct rng *rng, char out[NAME_MAX_LEN + 1])
{
	static const char *const tops[] = {
		"com", "net", "org", "uk", "de", "io", "co.uk", "com.br"};
	static const char *const hosts[] = {
		"www", "mail", "api", "cdn", "ns1", "static", "m", "shop"};
	char middle[32], front[32] = "";

	label(rng, 5, 14, middle);
	if (family_percent(rng, 50))
		(void)snprintf(front, sizeof(front), "%s.", hosts[rng_below(rng, DIM(hosts))]);
	(void)snprintf(
		out, NAME_MAX_LEN + 1, "%s%s.%s", front, middle, tops[rng_below(rng, DIM(tops))]);
}

static int
draw_exact(struct family *f, struct family_item *it, struct rng *rng)
{
	char name[NAME_MAX_LEN + 1];

	domain(rng, name);
	it->text = family_printf(f, "dns %s", name);
	return 0;
}

static int
draw_wildcard(struct family *f, struct family_item *it, struct rng *rng)
{
	const uint32_t dice = rng_below(rng, 100);
	char name[NAME_MAX_LEN + 1];

	domain(rng, name);
	it->text = family_printf(f, "dns %s%s",
		dice < 70           ? "*."
			: dice < 85 ? "**."
				    : "*{4-12}.",
		name);
	return 0;
}

static int
draw_ignorecase(struct family *f, struct family_item *it, struct rng *rng)
{
	char name[NAME_MAX_LEN + 1];

	domain(rng, name);
	it->text = family_printf(f, "dns -i %s%s", family_percent(rng, 50) ? "*." : "", name);
	return 0;
}

/* A name that matches the pattern @p. */
static void
name_of(const char *p, struct rng *rng, char out[NAME_MAX_LEN + 1])
{
	uint32_t labels = 0, min = 6, max = 16;
	size_t n = 0;

	if (strncmp(p, "**.", 3) == 0) {
		labels = 1 + rng_below(rng, 3);
		p += 3;
	} else if (strncmp(p, "*{4-12}.", 8) == 0) {
		labels = 1;
		min = 4;
		max = 12;
		p += 8;
	} else if (strncmp(p, "*.", 2) == 0) {
		labels = 1;
		p += 2;
	}
	while (labels-- > 0) {
		label(rng, min, max, out + n);
		n += strlen(out + n);
		out[n++] = '.';
	}
	(void)snprintf(out + n, NAME_MAX_LEN + 1 - n, "%s", p);
}

static void
any_case(struct rng *rng, char *name)
{
	for (; *name != '\0'; name++)
		if (*name >= 'a' && *name <= 'z' && family_percent(rng, 50))
			*name = (char)(*name - 'a' + 'A');
}

/* One letter is another, the last label is gone, or there is one too many. */
static void
spoil(struct rng *rng, char name[NAME_MAX_LEN + 1])
{
	const size_t n = strlen(name);
	const size_t i = n - 1 - rng_below(rng, 8);
	char longer[NAME_MAX_LEN + 1];

	switch (rng_below(rng, 4)) {
	case 0: *strrchr(name, '.') = '\0'; break;
	case 1:
		(void)snprintf(longer, sizeof(longer), "%.*s.x", (int)(sizeof(longer) - 3), name);
		memcpy(name, longer, strlen(longer) + 1);
		break;
	default:
		if (name[i] != '.')
			name[i] = name[i] == 'x' ? 'y' : 'x';
		else
			name[n - 1] = name[n - 1] == 'k' ? 'm' : 'k';
	}
}

/* As many labels as there is room for, in front of all but the last letter of a rule's name. */
static void
longest(struct rng *rng, char name[NAME_MAX_LEN + 1])
{
	char tail[NAME_MAX_LEN + 1];
	size_t n = 0, len;

	memcpy(tail, name, sizeof(tail));
	len = strlen(tail);
	tail[len - 1] = tail[len - 1] == 'z' ? 'y' : 'z';
	while (n + len + 3 < NAME_MAX_LEN - 4) {
		family_letters(rng, name + n, 1);
		name[n + 1] = '.';
		n += 2;
	}
	memcpy(name + n, tail, len + 1);
}

/* Its own name again and again, so that it seems to match behind every label, and all but the end. */
static void
again(struct rng *rng, char name[NAME_MAX_LEN + 1])
{
	char one[NAME_MAX_LEN + 1];
	size_t n, len;

	memcpy(one, name, sizeof(one));
	len = n = strlen(one);
	while (n + 1 + len <= NAME_MAX_LEN) {
		name[n] = '.';
		memcpy(name + n + 1, one, len + 1);
		n += 1 + len;
	}
	if (family_percent(rng, 80))
		name[n - 1] = name[n - 1] == 'z' ? 'y' : 'z';
}

static void
put(const struct family *f, const struct family_item *it, enum family_way way, struct rng *rng,
	struct pkt_build *b)
{
	const bool ignorecase = it->ops == &family_dns_ignorecase;
	char name[NAME_MAX_LEN + 1] = "";

	if (way == WAY_MISS)
		domain(rng, name);
	else
		name_of(strrchr(it->text, ' ') + 1, rng, name);
	if (way == WAY_NEAR || (way == WAY_WORST && family_percent(rng, 35)))
		spoil(rng, name);
	else if (way == WAY_WORST && family_percent(rng, 50))
		longest(rng, name);
	else if (way == WAY_WORST)
		again(rng, name);
	if (ignorecase)
		any_case(rng, name);
	family_put_ip(f, rng, b);
	pkt_build_udp(b, (uint16_t)(1024 + rng_below(rng, 64512)), 53);
	pkt_build_dns_query(b, (uint16_t)rng_next(rng), name, family_percent(rng, 70) ? 1 : 28,
		family_percent(rng, 50));
}

const struct family_ops family_dns_exact = {
	.draw = draw_exact, .compile = family_generate, .put = put};
const struct family_ops family_dns_wildcard = {
	.draw = draw_wildcard, .compile = family_generate, .put = put};
const struct family_ops family_dns_ignorecase = {
	.draw = draw_ignorecase, .compile = family_generate, .put = put};
