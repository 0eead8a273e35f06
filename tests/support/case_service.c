// SPDX-License-Identifier: BSD-3-Clause
/*
 * ntp, ssdp, cldap and memcached: payloads of the protocols with a bit or a length
 * changed, judged by matchers written from the help texts.
 */
#include <string.h>

#include "case_priv.h"

#define PAYLOAD_MAX 128

/* A payload as the service's clients or servers send it, without its NUL. */
struct sample {
	const char *bytes;
	size_t n;
};
#define S(text) \
	{ \
		text, sizeof(text) - 1 \
	}

/* ---- the descriptions, executed; @p has @n bytes ---- */

static bool
ntp_version_is_bad(uint8_t first)
{
	const unsigned int version = (first >> 3) & 7;

	return version == 0 || version > 4;
}

static bool
ntp_request(const uint8_t *p, size_t n)
{
	const unsigned int mode = p[0] & 7;

	return n < 48 || ntp_version_is_bad(p[0]) ||
		!(mode == 1 || mode == 2 || mode == 3 || mode == 5);
}

static bool
ntp_response(const uint8_t *p, size_t n)
{
	if (n < 2)
		return false;
	switch (p[0] & 7) {
	case 7: return p[0] >> 7;
	case 6: return p[1] >> 7;
	case 4: return n < 48 || ntp_version_is_bad(p[0]);
	default: return false;
	}
}

static bool
starts(const uint8_t *p, size_t n, const char *text)
{
	return n >= strlen(text) && memcmp(p, text, strlen(text)) == 0;
}

static bool
ssdp_request(const uint8_t *p, size_t n)
{
	return !starts(p, n, "M-SEARCH * HTTP/1.1\r\n") && !starts(p, n, "NOTIFY * HTTP/1.1\r\n");
}

static bool
ssdp_response(const uint8_t *p, size_t n)
{
	return starts(p, n, "HTTP/1.1 200 OK\r\n");
}

/* The operation's tag, or -1. */
static int
ldap_operation(const uint8_t *p, size_t n)
{
	size_t at = 2;

	if (n < 13 || p[0] != 0x30)
		return -1;
	if (p[1] >= 0x80) {
		if (p[1] != 0x81 && p[1] != 0x82 && p[1] != 0x84)
			return -1;
		at += p[1] & 0x7f;
	}
	if (p[at] != 2 || p[at + 1] < 1 || p[at + 1] > 4)
		return -1;
	return p[at + 2 + p[at + 1]];
}

static bool
cldap_request(const uint8_t *p, size_t n)
{
	const int op = ldap_operation(p, n);

	return op != 0x63 && op != 0x50 && op != 0x42;
}

static bool
cldap_response(const uint8_t *p, size_t n)
{
	const int op = ldap_operation(p, n);

	return op == 0x64 || op == 0x65 || op == 0x73;
}

static bool
memcached_request(const uint8_t *p, size_t n)
{
	if (n < 10 || load_be16(p + 2) != 0 || load_be16(p + 4) != 1 || load_be16(p + 6) != 0)
		return true;
	return p[8] != 0x80 && !(p[8] >= 'a' && p[8] <= 'z');
}

static bool
memcached_response(const uint8_t *p, size_t n)
{
	static const char *const words[] = {"VALU", "END\r", "STAT", "ERRO", "CLIE", "SERV", "STOR",
		"NOT_", "EXIS", "DELE", "TOUC", "OK\r\n", "VERS", "RESE"};

	if (n < 12 || load_be16(p + 6) != 0 || load_be16(p + 2) >= load_be16(p + 4))
		return false;
	if (load_be16(p + 2) > 0 || p[8] == 0x81)
		return true;
	for (size_t i = 0; i < DIM(words); i++)
		if (memcmp(p + 8, words[i], 4) == 0)
			return true;
	return false;
}

static const struct service {
	const char *name;
	bool response;
	bool (*matches)(const uint8_t *p, size_t n);
	struct sample samples[5];
} services[] = {
	{"ntp", false, ntp_request,
		{S("\x23\0\6\xec"), S("\x1b"), S("\x16\2\0\1"), S("\x17\0\3\x2a")}},
	{"ntp", true, ntp_response,
		{S("\x24\1\6\xe8"), S("\xd7\0\3\x2a"), S("\x16\x82"), S("\x14")}},
	{"ssdp", false, ssdp_request,
		{S("M-SEARCH * HTTP/1.1\r\nHOST: "), S("NOTIFY * HTTP/1.1\r\n"),
			S("GET / HTTP/1.1\r\n")}},
	{"ssdp", true, ssdp_response, {S("HTTP/1.1 200 OK\r\nST:"), S("HTTP/1.1 404 No")}},
	{"cldap", false, cldap_request,
		{S("\x30\x25\2\1\1\x63\x20\4\0\xa\1\0\xa\1\0"),
			S("\x30\x84\0\0\0\x2d\2\4\0\0\0\1\x63\x84"),
			S("\x30\x81\x80\2\2\0\7\x50\1"), S("\x30\x82\1\0\2\1\7\x42\0")}},
	{"cldap", true, cldap_response,
		{S("\x30\x84\0\0\xb\x6a\2\1\7\x64\x84\0\0\xb"), S("\x30\xc\2\1\7\x65\7\xa\1\0"),
			S("\x30\x82\1\0\2\1\7\x73\0\0")}},
	{"memcached", false, memcached_request,
		{S("\0\1\0\0\0\1\0\0stats\r\n"), S("\0\1\0\0\0\1\0\0get a\r\n"),
			S("\0\1\0\0\0\1\0\0\x80\x00")}},
	{"memcached", true, memcached_response,
		{S("\0\1\0\0\0\2\0\0VALUE a 0 1"), S("\0\1\0\1\0\2\0\0xxxxxxxx"),
			S("\0\1\0\0\0\1\0\0END\r\n"), S("\0\1\0\0\0\1\0\0\x81\0\0\0")}},
};

static const struct service *
service_of(const struct gencase *c)
{
	size_t i = 0;

	while (strcmp(services[i].name, c->type) != 0 ||
		services[i].response != case_has(c, "--response"))
		i++;
	return &services[i];
}

static void
pattern(struct rng *rng, struct gencase *c)
{
	if (one_in(rng, 2))
		case_word(c, "--response");
}

static uint32_t
frame(struct rng *rng, const struct gencase *c, uint8_t *p)
{
	const struct service *s = service_of(c);
	const uint32_t n = one_in(rng, 3) ? rng_below(rng, 60) : PAYLOAD_MAX;
	const uint32_t l4 = case_headers(rng, c, p, 17, 8 + PAYLOAD_MAX);
	uint8_t *payload = p + l4 + 8;
	const struct sample *sample;
	uint32_t n_samples = 0;

	while (n_samples < DIM(s->samples) && s->samples[n_samples].bytes != NULL)
		n_samples++;
	sample = &s->samples[rng_below(rng, n_samples)];
	memset(payload, 0, PAYLOAD_MAX);
	memcpy(payload, sample->bytes, sample->n);
	if (one_in(rng, 2))
		flip_bit(rng, payload, (uint32_t)MIN(sample->n, 24));
	store_be16(p + l4 + 4, (uint16_t)(8 + n));
	return l4 + 8 + n;
}

static enum case_verdict
judge(const struct gencase *c, const uint8_t *p, uint32_t len)
{
	const uint32_t l4 = case_l4(c, p);

	(void)len;
	return service_of(c)->matches(p + l4 + 8, load_be16(p + l4 + 4) - 8u) ? CASE_YES : CASE_NO;
}

const struct case_type case_ntp = {
	.name = "ntp", .extensions = true, .pattern = pattern, .frame = frame, .judge = judge};
const struct case_type case_ssdp = {
	.name = "ssdp", .extensions = true, .pattern = pattern, .frame = frame, .judge = judge};
const struct case_type case_cldap = {
	.name = "cldap", .extensions = true, .pattern = pattern, .frame = frame, .judge = judge};
const struct case_type case_memcached = {.name = "memcached",
	.extensions = true,
	.pattern = pattern,
	.frame = frame,
	.judge = judge};
