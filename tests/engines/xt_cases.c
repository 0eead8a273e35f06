// SPDX-License-Identifier: BSD-3-Clause
/*
 * xt_cases SEED PROGRAMS FOLDER: for each family F in FOLDER/F.pcap frames that
 * Linux lets in (raw IP, many with padding or more behind the datagram), and in
 * FOLDER/F.txt programs for xt_bpf, a line each: how many of the frames match, the
 * bytecode. Programs of every generator, some changed at random, and expressions.
 * The end-to-end test puts them into iptables and sends the frames.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/shrink.h"
#include "cbpf/text.h"
#include "gen/gen.h"
#include "gencase.h"
#include "progs.h"

#define FRAME_LEAST 60 /* bytes */
#define FRAME_MOST 1400 /* bytes: through a veth with the usual MTU */
#define FRAMES_EACH 4 /* of those that a program gave rise to */
#define PROGRAMS_MAX 2000

struct packet {
	uint8_t *bytes;
	uint32_t have, len; /* bytes there, and of the datagram */
};

struct cases {
	uint8_t family;
	struct cbpf_prog *progs[PROGRAMS_MAX];
	size_t n_progs;
	struct packet frames[PROGRAMS_MAX * FRAMES_EACH];
	size_t n_frames;
};

static uint16_t
ip_checksum(const uint8_t *p, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i += 2)
		sum += load_be16(p + i);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Change what would keep Linux from showing @p to iptables. Returns the datagram's length, or 0. */
static uint32_t
admit4(uint8_t *p, uint32_t have)
{
	uint32_t header = 4 * MAX(p[0] & 15u, 5u), len = load_be16(p + 2);

	if (have < header)
		return 0;
	if (len < header || len > have)
		len = have;
	p[0] = (uint8_t)(0x40 | header / 4);
	store_be16(p + 2, (uint16_t)len);
	store_be16(p + 10, 0);
	store_be16(p + 10, ip_checksum(p, header));
	return len;
}

static uint32_t
admit6(uint8_t *p, uint32_t have)
{
	static const uint8_t addrs[32] = {
		[0] = 0x20, 0x01, 0x0d, 0xb8, [15] = 1, [16] = 0x20, 0x01, 0x0d, 0xb8, [31] = 2};
	uint32_t len;

	/* Hop-by-hop options are looked at on the way. */
	if (have < 40 || p[6] == 0)
		return 0;
	len = 40u + load_be16(p + 4);
	if (len > have)
		len = have;
	p[0] = (uint8_t)(0x60 | (p[0] & 15));
	store_be16(p + 4, (uint16_t)(len - 40));
	memcpy(p + 8, addrs, sizeof(addrs));
	return len;
}

/* A copy of @bytes among the frames, with something behind it every other time. */
static void
add_frame(struct cases *cs, struct rng *r, const uint8_t *bytes, uint32_t n)
{
	struct packet *to = &cs->frames[cs->n_frames];
	const uint32_t more = rng_below(r, 2) ? rng_below(r, 40) : 0;
	uint32_t len;

	if (n < 20 || n + more > FRAME_MOST)
		return;
	to->bytes = mem_zalloc(MAX(n + more, (uint32_t)FRAME_LEAST));
	if (to->bytes == NULL)
		abort();
	memcpy(to->bytes, bytes, n);
	len = cs->family == 4 ? admit4(to->bytes, n) : admit6(to->bytes, n);
	if (len == 0) {
		mem_free(to->bytes);
		return;
	}
	for (uint32_t i = 0; i < more; i++)
		to->bytes[n + i] = rng_below(r, 2) ? bytes[rng_below(r, n)] : (uint8_t)rng_next(r);
	to->len = len;
	to->have = n + more;
	cs->n_frames++;
}

static void
mutate(struct rng *r, struct gen_out *out)
{
	struct cbpf_insn *in = &out->insns[rng_below(r, (uint32_t)out->n)];

	switch (rng_below(r, 4)) {
	case 0: in->k ^= 1u << rng_below(r, 8); break;
	case 1: in->jt = (uint8_t)rng_below(r, (uint32_t)MIN(out->n, (size_t)8)); break;
	case 2: in->jf = (uint8_t)rng_below(r, (uint32_t)MIN(out->n, (size_t)8)); break;
	default: in->k += rng_below(r, 9) - 4; break;
	}
}

/* One more program, with frames that were built for it; or none, when it does not fit. */
static void
add_program(struct cases *cs, struct rng *r, size_t type)
{
	static struct gencase_frame f;
	struct gencase c = {0};
	struct gen_out out = {0};
	struct cbpf_prog *prog = NULL;
	struct diag diag;

	do
		gencase_random(r, type, &c);
	while (c.opts.family != cs->family);
	c.opts.l3_off = 0;
	/* It was drawn for another offset, where an expression may say what no IP is. */
	if (gen_run(c.type, &c.opts, c.argc, c.argv, &out, &diag) < 0)
		return;
	for (uint32_t i = rng_below(r, 4) == 0 ? 1 + rng_below(r, 3) : 0; i > 0; i--)
		mutate(r, &out);
	if (gen_xt(&out, &diag) == 0 && cbpf_prog_new(out.insns, out.n, &prog, &diag) == 0) {
		cs->progs[cs->n_progs++] = prog;
		for (int i = 0; i < FRAMES_EACH; i++) {
			gencase_frame(r, &c, &f);
			add_frame(cs, r, f.bytes, f.len);
		}
	}
	gen_out_fini(&out);
}

/* How many frames match; -1 where Linux means something else by the program. */
static long
count(const struct cases *cs, const struct cbpf_prog *prog)
{
	long n = 0;

	for (size_t i = 0; i < cs->n_frames; i++) {
		const struct packet *p = &cs->frames[i];
		struct trace t;

		frame_trace(prog, p->bytes, p->len, p->len, &t);
		if (t.linux_differs)
			return -1;
		n += cbpf_run(prog, p->bytes, p->len, p->len) != 0;
	}
	return n;
}

static FILE *
create(const char *folder, uint8_t family, const char *suffix)
{
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%u.%s", folder, family, suffix);
	f = fopen(path, "w");
	if (f == NULL) {
		perror(path);
		exit(1);
	}
	return f;
}

static void
write_programs(const struct cases *cs, const char *folder)
{
	FILE *f = create(folder, cs->family, "txt");

	for (size_t i = 0; i < cs->n_progs; i++) {
		const long matches = count(cs, cs->progs[i]);
		const struct cbpf_insn *insns;
		struct sbuf text = SBUF_INIT;
		size_t n;

		insns = cbpf_prog_insns(cs->progs[i], &n);
		cbpf_write_xt(insns, n, &text);
		if (matches >= 0)
			(void)fprintf(f, "%ld %s", matches, sbuf_str(&text));
		sbuf_fini(&text);
	}
	if (fclose(f) != 0)
		abort();
}

static void
write_frames(const struct cases *cs, const char *folder)
{
	const struct pcap_file_header head = {0xa1b2c3d4, 2, 4, 0, 0, 65535, 101};
	FILE *f = create(folder, cs->family, "pcap");

	(void)fwrite(&head, sizeof(head), 1, f);
	for (size_t i = 0; i < cs->n_frames; i++) {
		const uint32_t have = cs->frames[i].have;
		const uint32_t record[4] = {(uint32_t)i, 0, have, have};

		(void)fwrite(record, sizeof(record), 1, f);
		(void)fwrite(cs->frames[i].bytes, 1, have, f);
	}
	if (fclose(f) != 0)
		abort();
}

static void
one_family(struct rng *r, uint8_t family, size_t programs, const char *folder)
{
	struct cases *cs = mem_zalloc(sizeof(*cs));
	size_t n_types = 0;

	if (cs == NULL)
		abort();
	while (gencase_name(n_types) != NULL)
		n_types++;
	cs->family = family;
	for (size_t i = 0; cs->n_progs < programs; i++)
		add_program(cs, r, i % n_types);
	write_programs(cs, folder);
	write_frames(cs, folder);
	for (size_t i = 0; i < cs->n_progs; i++)
		cbpf_prog_free(cs->progs[i]);
	for (size_t i = 0; i < cs->n_frames; i++)
		mem_free(cs->frames[i].bytes);
	mem_free(cs);
}

int
main(int argc, char **argv)
{
	uint64_t seed, programs;
	struct rng r;

	if (argc != 4 || parse_u64(argv[1], 0, UINT64_MAX, &seed, NULL) < 0 ||
		parse_u64(argv[2], 1, PROGRAMS_MAX, &programs, NULL) < 0) {
		(void)fprintf(stderr, "usage: xt_cases SEED PROGRAMS FOLDER\n");
		return 2;
	}
	r.state = seed;
	one_family(&r, 4, programs, argv[3]);
	one_family(&r, 6, programs, argv[3]);
	return 0;
}
