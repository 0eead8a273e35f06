// SPDX-License-Identifier: BSD-3-Clause
/*
 * suffix, payload, dns_validate and syn_validate against matchers in plain C that were written
 * from their descriptions, on packets that match and on ones that miss by a byte
 * or by a length; run by our interpreter and by libpcap's.
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

#define PACKETS 4000
#define PACKET_MAX 256

static struct rng rng;

struct packet {
	uint8_t b[PACKET_MAX]; /* from the IP header on */
	uint32_t len;
	uint32_t payload; /* where it starts */
	uint32_t l4;
};

static struct gen_out
generate(const char *type, const struct gen_opts *opts, int argc, const char *const *argv)
{
	struct gen_out out = {0};
	struct diag diag = {0};

	if (gen_run(type, opts, argc, argv, &out, &diag) < 0)
		fail_msg("%s %s: %s", type, argc > 0 ? argv[argc - 1] : "", diag.msg);
	check_text(&out);
	return out;
}

/* What both engines say of @p; they must agree. */
static bool
runs(const struct gen_out *out, const struct packet *p, uint32_t caplen)
{
	struct cbpf_prog *prog = NULL;
	struct bpf_insn theirs[2048];
	struct diag diag = {0};
	uint32_t a, b;

	assert_true(out->n <= DIM(theirs));
	for (size_t i = 0; i < out->n; i++)
		theirs[i] = (struct bpf_insn){
			out->insns[i].code, out->insns[i].jt, out->insns[i].jf, out->insns[i].k};
	assert_int_equal(cbpf_prog_new(out->insns, out->n, &prog, &diag), 0);
	a = cbpf_run(prog, p->b, caplen, p->len);
	b = bpf_filter(theirs, p->b, p->len, caplen);
	assert_int_equal(a, b);
	cbpf_prog_free(prog);
	return a != 0;
}

/* A datagram of @family with UDP or TCP and @n bytes of payload at random. */
static void
make_packet(struct packet *p, uint8_t family, bool tcp, uint32_t n)
{
	const uint32_t options = family == 4 && rng_below(&rng, 4) == 0 ? 8 : 0;
	const uint32_t tcp_options = tcp && rng_below(&rng, 2) == 0 ? 12 : 0;

	for (size_t i = 0; i < PACKET_MAX; i++)
		p->b[i] = (uint8_t)rng_next(&rng);
	p->b[0] = family == 4 ? (uint8_t)(0x45 + options / 4) : 0x60;
	p->l4 = family == 4 ? 20 + options : 40;
	p->payload = p->l4 + (tcp ? 20 + tcp_options : 8);
	if (tcp)
		p->b[p->l4 + 12] = (uint8_t)((20 + tcp_options) << 2);
	p->len = p->payload + n;
}

/* ---- byte patterns ---- */

struct pattern {
	uint8_t val[64], mask[64];
	uint32_t n;
	char text[300];
};

static void
make_pattern(struct pattern *w, bool with_mask)
{
	char *t = w->text;

	w->n = 1 + rng_below(&rng, 20);
	for (uint32_t i = 0; i < w->n; i++) {
		w->val[i] = (uint8_t)rng_next(&rng);
		w->mask[i] = with_mask && rng_below(&rng, 3) == 0 ? (uint8_t)rng_next(&rng) : 0xff;
		t += sprintf(t, "%02x", w->val[i]);
	}
	w->mask[0] |= 1; /* never all wildcards */
	if (with_mask) {
		*t++ = '/';
		for (uint32_t i = 0; i < w->n; i++)
			t += sprintf(t, "%02x", w->mask[i]);
	}
}

static bool
has_pattern(const struct packet *p, const struct pattern *w, int64_t at, uint32_t caplen)
{
	if (at < 0)
		return false;
	for (uint32_t i = 0; i < w->n; i++)
		if (w->mask[i] != 0 &&
			(at + i >= caplen || ((p->b[at + i] ^ w->val[i]) & w->mask[i]) != 0))
			return false;
	return true;
}

/* Write the pattern at @at, then spoil one bit of it in every second packet. */
static void
plant(struct packet *p, const struct pattern *w, int64_t at)
{
	if (at < 0 || at + w->n > PACKET_MAX)
		return;
	/* A pattern that reaches into the headers leaves alone what says where they end. */
	for (uint32_t i = 0; i < w->n; i++)
		if (at + i != 0 && at + i != p->l4 + 12)
			p->b[at + i] =
				(uint8_t)((p->b[at + i] & ~w->mask[i]) | (w->val[i] & w->mask[i]));
	if (rng_below(&rng, 2) == 0 && at >= p->payload)
		p->b[at + rng_below(&rng, w->n)] ^= (uint8_t)(1u << rng_below(&rng, 8));
}

static void
test_suffix(void **state)
{
	unsigned int hits = 0;

	(void)state;
	for (unsigned int i = 0; i < PACKETS; i++) {
		struct gen_opts opts = {.family = rng_below(&rng, 2) ? 4 : 6};
		struct pattern w = {.n = 0};
		struct packet p;
		struct gen_out out;
		const char *argv[] = {w.text};
		bool want;

		make_pattern(&w, false);
		make_packet(&p, opts.family, false, rng_below(&rng, 30));
		plant(&p, &w, (int64_t)p.len - w.n);
		out = generate("suffix", &opts, 1, argv);
		want = has_pattern(&p, &w, (int64_t)p.len - w.n, p.len);
		assert_int_equal(runs(&out, &p, p.len), want);
		hits += want;
		gen_out_fini(&out);

		/* Negated: the rest, as long as the bytes can be read. */
		opts.negate = true;
		out = generate("suffix", &opts, 1, argv);
		assert_int_equal(runs(&out, &p, p.len), !want && p.len >= w.n);
		gen_out_fini(&out);
	}
	assert_in_range(hits, PACKETS / 4, PACKETS * 3 / 4);
}

static void
test_payload(void **state)
{
	unsigned int hits = 0;

	(void)state;
	for (unsigned int i = 0; i < PACKETS; i++) {
		const struct gen_opts opts = {.family = rng_below(&rng, 2) ? 4 : 6};
		const bool tcp = rng_below(&rng, 2) == 0, end = rng_below(&rng, 2) == 0;
		const uint32_t off = rng_below(&rng, 2) == 0 ? 0 : rng_below(&rng, 12);
		struct pattern w = {.n = 0};
		struct packet p;
		struct gen_out out;
		char number[16];
		const char *argv[] = {
			tcp ? "--tcp" : "--udp", end ? "--before-end" : "--at", number, w.text};
		int64_t at;
		bool want;

		(void)sprintf(number, "%u", off);
		make_pattern(&w, true);
		make_packet(&p, opts.family, tcp, rng_below(&rng, 50));
		at = end ? (int64_t)p.len - off - w.n : (int64_t)p.payload + off;
		plant(&p, &w, at);
		out = generate("payload", &opts, 4, argv);
		want = at >= p.payload && has_pattern(&p, &w, at, p.len);
		assert_int_equal(runs(&out, &p, p.len), want);
		assert_int_equal(out.scope.proto, tcp ? 6 : 17);
		hits += want;
		gen_out_fini(&out);
	}
	assert_in_range(hits, PACKETS / 5, PACKETS * 3 / 4);
}

static void
test_magic_word(void **state)
{
	const struct gen_opts opts = {.family = 4};
	const char *argv[] = {"--end", "text:xyzzy"};
	struct gen_out out = generate("payload", &opts, 2, argv);
	struct packet p;

	(void)state;
	make_packet(&p, 4, false, 9);
	memcpy(p.b + p.len - 5, "xyzzy", 5);
	assert_true(runs(&out, &p, p.len));
	p.b[p.len - 1] = 'z';
	assert_false(runs(&out, &p, p.len));
	gen_out_fini(&out);
}

/* ---- dns_validate ---- */

static bool
is_malformed(const struct packet *p, bool strict)
{
	const uint8_t *udp = p->b + p->l4, *dns = udp + 8;
	const uint16_t allowed = strict ? 0x0070 : 0x0370;

	return load_be16(udp + 4) < 29 || (load_be16(dns + 2) & ~allowed) != 0 ||
		load_be16(dns + 4) != 1 || load_be16(dns + 6) != 0 || load_be16(dns + 8) != 0 ||
		load_be16(dns + 10) > 1;
}

static void
test_dns_validate(void **state)
{
	unsigned int hits = 0;

	(void)state;
	for (unsigned int i = 0; i < PACKETS; i++) {
		const bool strict = rng_below(&rng, 2) == 0;
		const char *argv[] = {"--strict"};
		struct gen_opts opts = {
			.family = rng_below(&rng, 2) ? 4 : 6, .negate = rng_below(&rng, 2) == 0};
		uint8_t *dns;
		struct gen_out out;
		struct packet p;

		make_packet(&p, opts.family, false, 40);
		dns = p.b + p.payload;
		store_be16(p.b + p.l4 + 4, rng_below(&rng, 4) == 0 ? 28 : 29);
		store_be16(dns + 2, rng_below(&rng, 2) == 0 ? 0x0100 : 0);
		memcpy(dns + 4, "\0\1\0\0\0\0\0\1", 8);
		if (rng_below(&rng, 2) == 0)
			dns[2 + rng_below(&rng, 10)] ^= (uint8_t)(1u << rng_below(&rng, 8));
		out = generate("dns_validate", &opts, strict, argv);
		assert_int_equal(runs(&out, &p, p.len), is_malformed(&p, strict) != opts.negate);
		hits += is_malformed(&p, strict);
		gen_out_fini(&out);
	}
	assert_in_range(hits, PACKETS / 4, PACKETS * 3 / 4);
}

/* ---- syn_validate ---- */

static bool
options_are_bad(const uint8_t *o, uint32_t n)
{
	bool mss = false;

	for (uint32_t i = 0; i < n;) {
		if (o[i] == 0)
			break;
		if (o[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= n || o[i + 1] < 2 || i + o[i + 1] > n)
			return true;
		if (o[i] == 2 && o[i + 1] != 4)
			return true;
		mss |= o[i] == 2;
		i += o[i + 1];
	}
	return !mss;
}

static bool
is_bad_syn(const struct packet *p, uint8_t family, bool strict)
{
	const uint8_t *tcp = p->b + p->l4;
	const uint32_t total = load_be16(p->b + (family == 4 ? 2 : 4)) + (family == 4 ? 0 : 40);
	const uint32_t header = (uint32_t)(tcp[12] >> 4) * 4;

	if ((tcp[13] & 0x12) != 0x02)
		return false;
	if ((tcp[13] & 0x05) != 0 || header < 20 || p->l4 + header > total)
		return true;
	if (strict &&
		((tcp[13] & 0x28) != 0 || (tcp[12] & 0x0e) != 0 || load_be16(tcp) == 0 ||
			load_be16(tcp + 2) == 0 || load_be16(tcp + 14) == 0))
		return true;
	return options_are_bad(tcp + 20, header - 20);
}

static void
test_syn_validate(void **state)
{
	static const char *const options[] = {"\2\4\5\xb4\4\2\x8\xa\1\2\3\4\0\0\0\0\1\3\3\7",
		"\1\1\1\1\1\1\1\1\2\4\5\xb4\xfd\2\xfd\2\0\xff\xff\xff",
		"\2\4\5\xb4\1\1\1\1\0\0\0\0\1\1\1\1\1\1\1\1",
		"\xfd\x10\1\2\1\2\1\2\1\2\1\2\1\2\1\2\2\4\5\xb4"};
	unsigned int hits = 0;

	(void)state;
	for (unsigned int i = 0; i < PACKETS; i++) {
		const bool strict = rng_below(&rng, 2) == 0;
		const char *argv[] = {"--strict"};
		struct gen_opts opts = {.family = rng_below(&rng, 2) ? 4 : 6};
		struct gen_out out;
		struct packet p;
		uint8_t *tcp;

		make_packet(&p, opts.family, false, 0);
		tcp = p.b + p.l4;
		p.len = p.l4 + 40;
		store_be16(p.b + (opts.family == 4 ? 2 : 4),
			(uint16_t)(opts.family == 4 ? p.len : p.len - 40));
		tcp[12] = 40 << 2;
		tcp[13] = 2;
		memcpy(tcp + 20, options[rng_below(&rng, DIM(options))], 20);
		if (rng_below(&rng, 3) != 0)
			tcp[12 + rng_below(&rng, 28)] ^= (uint8_t)(1u << rng_below(&rng, 8));
		if (rng_below(&rng, 12) == 0)
			store_be16(tcp + 2 * rng_below(&rng, 2), 0);
		out = generate("syn_validate", &opts, strict, argv);
		/* A header that claims more than the frame holds is judged before it is read. */
		assert_int_equal(runs(&out, &p, p.len), is_bad_syn(&p, opts.family, strict));
		hits += is_bad_syn(&p, opts.family, strict);
		gen_out_fini(&out);
	}
	assert_in_range(hits, PACKETS / 5, PACKETS * 3 / 4);
}

/* ---- what is refused ---- */

static void
test_refused(void **state)
{
	static const struct {
		const char *type, *a, *b;
		unsigned int col;
	} bad[] = {
		{"suffix", NULL, NULL, 0},
		{"suffix", "012", NULL, 4},
		{"suffix", "01zz", NULL, 3},
		{"suffix", "xxxx", NULL, 0},
		{"payload", NULL, NULL, 0},
		{"payload", "--at", NULL, 0},
		{"payload", "--at", "70000", 0},
		{"payload", "--front", "01", 0},
		{"payload", "0102/ff", NULL, 0},
		{"payload", "01", "02", 0},
		{"payload", "text:", NULL, 0},
		{"dns_validate", "example.com", NULL, 0},
		{"syn_validate", "--loose", NULL, 0},
	};
	const struct gen_opts opts = {.family = 4};

	(void)state;
	for (size_t i = 0; i < DIM(bad); i++) {
		const char *argv[] = {bad[i].a, bad[i].b};
		struct gen_out out = {0};
		struct diag diag = {0};
		int argc = (bad[i].a != NULL) + (bad[i].b != NULL);

		assert_true(gen_run(bad[i].type, &opts, argc, argv, &out, &diag) < 0);
		if (diag.msg[0] == '\0' || diag.col != bad[i].col)
			fail_msg("%s %s: column %u: %s", bad[i].type, bad[i].a, diag.col, diag.msg);
	}
}

int
main(void)
{
	const char *seed = getenv("SLUICE_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suffix),
		cmocka_unit_test(test_payload),
		cmocka_unit_test(test_magic_word),
		cmocka_unit_test(test_dns_validate),
		cmocka_unit_test(test_syn_validate),
		cmocka_unit_test(test_refused),
	};

	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	print_message("seed %llu\n", (unsigned long long)rng.state);
	return cmocka_run_group_tests_name("gen-bytes", tests, NULL, NULL);
}
