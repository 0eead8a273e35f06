// SPDX-License-Identifier: BSD-3-Clause
/*
 * ntp, ssdp, cldap and memcached against matchers in plain C written from their
 * help texts, on payloads of the protocols with a bit or a length changed; run by
 * our interpreter and by libpcap's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <errno.h>
#include <pcap/pcap.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "check.h"
#include "gen/gen.h"

#define PACKETS 3000
#define PAYLOAD_MAX 128

static struct rng rng;

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
	uint16_t port;
	bool response;
	bool (*matches)(const uint8_t *p, size_t n);
	struct sample samples[5];
} services[] = {
	{"ntp", 123, false, ntp_request,
		{S("\x23\0\6\xec"), S("\x1b"), S("\x16\2\0\1"), S("\x17\0\3\x2a")}},
	{"ntp", 123, true, ntp_response,
		{S("\x24\1\6\xe8"), S("\xd7\0\3\x2a"), S("\x16\x82"), S("\x14")}},
	{"ssdp", 1900, false, ssdp_request,
		{S("M-SEARCH * HTTP/1.1\r\nHOST: "), S("NOTIFY * HTTP/1.1\r\n"),
			S("GET / HTTP/1.1\r\n")}},
	{"ssdp", 1900, true, ssdp_response, {S("HTTP/1.1 200 OK\r\nST:"), S("HTTP/1.1 404 No")}},
	{"cldap", 389, false, cldap_request,
		{S("\x30\x25\2\1\1\x63\x20\4\0\xa\1\0\xa\1\0"),
			S("\x30\x84\0\0\0\x2d\2\4\0\0\0\1\x63\x84"),
			S("\x30\x81\x80\2\2\0\7\x50\1"), S("\x30\x82\1\0\2\1\7\x42\0")}},
	{"cldap", 389, true, cldap_response,
		{S("\x30\x84\0\0\xb\x6a\2\1\7\x64\x84\0\0\xb"), S("\x30\xc\2\1\7\x65\7\xa\1\0"),
			S("\x30\x82\1\0\2\1\7\x73\0\0")}},
	{"memcached", 11211, false, memcached_request,
		{S("\0\1\0\0\0\1\0\0stats\r\n"), S("\0\1\0\0\0\1\0\0get a\r\n"),
			S("\0\1\0\0\0\1\0\0\x80\x00")}},
	{"memcached", 11211, true, memcached_response,
		{S("\0\1\0\0\0\2\0\0VALUE a 0 1"), S("\0\1\0\1\0\2\0\0xxxxxxxx"),
			S("\0\1\0\0\0\1\0\0END\r\n"), S("\0\1\0\0\0\1\0\0\x81\0\0\0")}},
};

/* A datagram around a sample with something changed. Returns its length. */
static uint32_t
make_packet(
	uint8_t *b, uint8_t family, const struct service *s, uint32_t *ret_payload, uint32_t *ret_n)
{
	const uint32_t l4 = family == 4 ? 20 : 40;
	uint32_t n_samples = 0, n;
	const struct sample *sample;
	uint8_t *p = b + l4 + 8;

	while (n_samples < DIM(s->samples) && s->samples[n_samples].bytes != NULL)
		n_samples++;
	sample = &s->samples[rng_below(&rng, n_samples)];
	memset(b, 0, l4 + 8 + PAYLOAD_MAX);
	b[0] = family == 4 ? 0x45 : 0x60;
	memcpy(p, sample->bytes, sample->n);
	n = rng_below(&rng, 3) == 0 ? rng_below(&rng, 60) : PAYLOAD_MAX;
	if (rng_below(&rng, 2) == 0)
		p[rng_below(&rng, (uint32_t)MIN(sample->n, 24))] ^=
			(uint8_t)(1u << rng_below(&rng, 8));
	store_be16(b + l4 + 4, (uint16_t)(8 + n));
	*ret_payload = l4 + 8;
	*ret_n = n;
	return l4 + 8 + n;
}

static void
check(const struct service *s, uint8_t family, unsigned int *hits)
{
	const struct gen_opts opts = {.family = family, .negate = rng_below(&rng, 4) == 0};
	const char *argv[] = {"--response"};
	uint8_t b[48 + PAYLOAD_MAX];
	uint32_t payload, n, len = make_packet(b, family, s, &payload, &n);
	const bool want = s->matches(b + payload, n);
	struct cbpf_prog *prog = NULL;
	struct bpf_insn theirs[256];
	struct gen_out out = {0};
	struct diag diag = {0};

	assert_int_equal(gen_run(s->name, &opts, s->response, argv, &out, &diag), 0);
	assert_int_equal(s->response ? out.scope.sport : out.scope.dport, s->port);
	check_text(&out);
	assert_int_equal(cbpf_prog_new(out.insns, out.n, &prog, &diag), 0);
	assert_true(out.n <= DIM(theirs));
	for (size_t i = 0; i < out.n; i++)
		theirs[i] = (struct bpf_insn){
			out.insns[i].code, out.insns[i].jt, out.insns[i].jf, out.insns[i].k};
	if ((cbpf_run(prog, b, len, len) != 0) != (want != opts.negate))
		fail_msg("%s%s: %u bytes of payload: expected %d", s->name,
			s->response ? " --response" : "", n, want != opts.negate);
	assert_int_equal(bpf_filter(theirs, b, len, len), cbpf_run(prog, b, len, len));
	cbpf_prog_free(prog);
	gen_out_fini(&out);
	*hits += want;
}

static void
test_services(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(services); i++) {
		unsigned int hits = 0;

		for (unsigned int j = 0; j < PACKETS; j++)
			check(&services[i], rng_below(&rng, 2) == 0 ? 4 : 6, &hits);
		assert_in_range(hits, PACKETS / 10, PACKETS * 9 / 10);
	}
}

static void
test_refused(void **state)
{
	const struct gen_opts opts = {.family = 4};
	const char *argv[] = {"--request"};

	(void)state;
	for (size_t i = 0; i < DIM(services); i++) {
		struct gen_out out = {0};
		struct diag diag = {0};

		assert_int_equal(gen_run(services[i].name, &opts, 1, argv, &out, &diag), -EINVAL);
		assert_non_null(strstr(diag.msg, "--request"));
	}
}

int
main(void)
{
	const char *seed = getenv("SLUICE_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_refused),
	};

	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	print_message("seed %llu\n", (unsigned long long)rng.state);
	return cmocka_run_group_tests_name("gen-service", tests, NULL, NULL);
}
