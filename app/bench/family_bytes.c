// SPDX-License-Identifier: BSD-3-Clause
/* Bytes of UDP payloads: at the end, at an offset, and run through arithmetic. */
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "family_impl.h"

#define UDP_PAYLOAD 28 /* bytes from an IPv4 header without options */
#define PAYLOAD_MIN 48 /* bytes; what rules of this file look at lies within */

static void
random_bytes(struct rng *rng, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next(rng);
}

static void
put_udp(const struct family *f, struct rng *rng, struct pkt_build *b, const uint8_t *payload,
	size_t n)
{
	family_put_ip(f, rng, b);
	pkt_build_udp(b, (uint16_t)(1024 + rng_below(rng, 64512)), 123);
	pkt_build_bytes(b, payload, n);
}

static void
hex(const uint8_t *v, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", v[i]);
}

static int
draw_suffix(struct family *f, struct family_item *it, struct rng *rng)
{
	struct family_bytes *s = &it->u.bytes;
	char text[65];

	s->n = (uint8_t)(4 + rng_below(rng, 9));
	random_bytes(rng, s->v, s->n);
	hex(s->v, s->n, text);
	it->text = family_printf(f, "suffix %s", text);
	return 0;
}

static void
put_suffix(const struct family *f, const struct family_item *it, enum family_way way,
	struct rng *rng, struct pkt_build *b)
{
	const struct family_bytes *s = &it->u.bytes;
	const size_t n = PAYLOAD_MIN + rng_below(rng, 32);
	uint8_t payload[PAYLOAD_MIN + 32];

	random_bytes(rng, payload, n);
	if (way != WAY_MISS)
		memcpy(payload + n - s->n, s->v, s->n);
	/* The worst differ in the byte that is compared last, whichever end that is. */
	if (way == WAY_NEAR)
		payload[n - 1 - rng_below(rng, s->n)] ^= (uint8_t)(1 << rng_below(rng, 8));
	else if (way == WAY_WORST)
		payload[family_percent(rng, 50) ? n - 1 : n - s->n] ^= 1;
	put_udp(f, rng, b, payload, n);
}

static int
draw_payload(struct family *f, struct family_item *it, struct rng *rng)
{
	struct family_bytes *s = &it->u.bytes;
	char text[65], mask[65];

	s->n = (uint8_t)(4 + 2 * rng_below(rng, 5));
	s->off = (uint8_t)(family_percent(rng, 60) ? 0 : 4 * rng_below(rng, 6));
	random_bytes(rng, s->v, s->n);
	memset(s->mask, 0xff, s->n);
	if (family_percent(rng, 30))
		s->mask[1] = 0xf0;
	if (family_percent(rng, 20))
		s->mask[2] = s->mask[3] = 0;
	for (size_t i = 0; i < s->n; i++)
		s->v[i] &= s->mask[i];
	hex(s->v, s->n, text);
	hex(s->mask, s->n, mask);
	it->text = family_printf(f, "payload --at %u %s/%s", s->off, text, mask);
	return 0;
}

static void
put_payload(const struct family *f, const struct family_item *it, enum family_way way,
	struct rng *rng, struct pkt_build *b)
{
	const struct family_bytes *s = &it->u.bytes;
	const size_t n = PAYLOAD_MIN + rng_below(rng, 32);
	uint8_t payload[PAYLOAD_MIN + 32];
	uint32_t i = way == WAY_WORST ? s->n - 1u : rng_below(rng, s->n);

	random_bytes(rng, payload, n);
	if (way != WAY_MISS)
		for (uint32_t k = 0; k < s->n; k++)
			payload[s->off + k] =
				(uint8_t)(s->v[k] | (payload[s->off + k] & ~s->mask[k]));
	if (way == WAY_NEAR || way == WAY_WORST) {
		if (s->mask[i] == 0)
			i = 0;
		payload[s->off + i] ^= 0x80;
	}
	put_udp(f, rng, b, payload, n);
}

const struct family_ops family_suffix = {
	.draw = draw_suffix, .compile = family_generate, .put = put_suffix};
const struct family_ops family_payload = {
	.draw = draw_payload, .compile = family_generate, .put = put_payload};

/* ---- irregular: nothing that a compiler could turn into a table ---- */

#define IRREGULAR_GAP 10 /* bytes between its two words */

/*
 * A random computation over two words of the payload, without its end. What it
 * is made of keeps most bits, so that few payloads give one result.
 */
static const char *
computation(struct family *f, struct family_bytes *s, struct rng *rng)
{
	static const struct {
		const char *op;
		uint32_t max; /* of a constant, from 1; 0: the operand is X */
	} ops[] = {
		{"add x", 0},
		{"xor x", 0},
		{"sub x", 0},
		{"add", 1u << 30},
		{"xor", 1u << 30},
		{"mul", 1u << 20},
		{"rsh", 7},
		{"lsh", 3},
	};
	char text[400];
	size_t n;

	s->off = (uint8_t)rng_below(rng, 10);
	n = (size_t)snprintf(text, sizeof(text),
		"ldb [9]\njneq #17, no\nldh [6]\njset #0x1fff, no\nldx 4*([0]&0xf)\n"
		"ld [x + %u]\nst M[0]\nld [x + %u]\nldx M[0]\n",
		8u + s->off, 8u + s->off + IRREGULAR_GAP);
	for (uint32_t i = 3 + rng_below(rng, 5); i > 0; i--) {
		const uint32_t o = rng_below(rng, DIM(ops));
		uint32_t k = 0;

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", ops[o].op);
		if (ops[o].max > 0) {
			k = 1 + rng_below(rng, ops[o].max);
			/* An odd factor loses nothing. */
			if (ops[o].max == 1u << 20)
				k |= 1;
			n += (size_t)snprintf(text + n, sizeof(text) - n, " #%u", k);
		}
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\n");
	}
	return family_printf(f, "%s", text);
}

static int
draw_irregular(struct family *f, struct family_item *it, struct rng *rng)
{
	struct family_bytes *s = &it->u.bytes;

	s->n = sizeof(s->v);
	random_bytes(rng, s->v, s->n);
	it->text = computation(f, s, rng);
	return 0;
}

/* Assemble the computation and @end behind it. */
static int
assemble(const char *text, const char *end, struct cbpf_insn **ret_insns, size_t *ret_n,
	struct diag *diag)
{
	char all[512];

	(void)snprintf(all, sizeof(all), "%s%s\nno: ret #0\n", text, end);
	return cbpf_asm(all, ret_insns, ret_n, diag);
}

/* The datagram that the computation's wanted result is taken from. */
static void
put_seed(const struct family_bytes *s, struct pkt_build *b)
{
	pkt_build_ip4(b, &(struct pkt_ip4){.src = 0x0b000001, .dst = 0xc0000235, .ttl = 64});
	pkt_build_udp(b, 1024, 123);
	pkt_build_bytes(b, s->v, s->n);
}

static int
wanted(const struct family_item *it, uint32_t *ret, struct diag *diag)
{
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn *insns = NULL;
	uint8_t buf[128];
	struct pkt_build b;
	size_t n, len;
	int r = assemble(it->text, "ret a", &insns, &n, diag);

	if (r == 0)
		r = cbpf_prog_new(insns, n, &prog, diag);
	mem_free(insns);
	if (r < 0)
		return r;
	pkt_build_init(&b, buf, sizeof(buf));
	put_seed(&it->u.bytes, &b);
	len = pkt_build_done(&b);
	*ret = cbpf_run(prog, buf, (uint32_t)len, (uint32_t)len);
	cbpf_prog_free(prog);
	return 0;
}

static int
compile_irregular(
	struct family *f, const struct family_item *it, struct match_rule *rule, struct diag *diag)
{
	struct cbpf_insn *insns = NULL;
	char end[64];
	uint32_t want = 0;
	size_t n;
	int r = wanted(it, &want, diag);

	if (r < 0)
		return r;
	(void)snprintf(end, sizeof(end), "jneq #%u, no\nret #65535", want);
	r = assemble(it->text, end, &insns, &n, diag);
	if (r == 0)
		r = family_take(f, rule, insns, n, false, diag);
	mem_free(insns);
	return r;
}

static void
put_irregular(const struct family *f, const struct family_item *it, enum family_way way,
	struct rng *rng, struct pkt_build *b)
{
	const size_t n = PAYLOAD_MIN + rng_below(rng, 32);
	uint8_t payload[PAYLOAD_MIN + 32];

	(void)f;
	random_bytes(rng, payload, n);
	if (way != WAY_MISS)
		memcpy(payload, it->u.bytes.v, it->u.bytes.n);
	if (way == WAY_NEAR || way == WAY_WORST)
		payload[it->u.bytes.off + IRREGULAR_GAP * rng_below(rng, 2) + 1 +
			rng_below(rng, 2)] ^= (uint8_t)(1 << rng_below(rng, 8));
	family_put_ip4(
		rng, b, (11 + rng_below(rng, 116)) << 24 | rng_below(rng, 1 << 24), 0xc0000235);
	pkt_build_udp(b, (uint16_t)(1024 + rng_below(rng, 64512)), 123);
	pkt_build_bytes(b, payload, n);
}

const struct family_ops family_irregular = {
	.draw = draw_irregular, .compile = compile_irregular, .put = put_irregular};
