// SPDX-License-Identifier: BSD-3-Clause
/*
 * What chains take for known of a kind of frames, against the frames that views say are
 * of it: with options, extension headers and lies in all lengths, cut anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "chain.h"
#include "pkt/proto.h"
#include "pkt/view.h"
#include "quick.h"
#include "world.h"

#define FRAMES QUICK(200000)
#define NEAR 90 /* bytes of a frame behind which headers seldom end */
#define SEEN_MIN QUICK(200) /* frames of each kind */

/* It asks for a protocol at @at, and goes on. */
#define ASKS(at, proto) \
	{CBPF_CODE_LD_B_ABS, 0, 0, (at)}, \
	{ \
		CBPF_CODE_JEQ_K, 0, 0, (proto) \
	}

static const struct cbpf_insn of_protocols[] = {
	ASKS(9, PKT_PROTO_UDP),
	ASKS(9, PKT_PROTO_TCP),
	ASKS(9, PKT_PROTO_ICMP),
	ASKS(6, PKT_PROTO_UDP),
	ASKS(6, PKT_PROTO_TCP),
	{CBPF_CODE_LD_LEN, 0, 0, 0},
	{CBPF_CODE_RET_A, 0, 0, 0},
};

static const struct cbpf_insn of_any[] = {
	{CBPF_CODE_LD_LEN, 0, 0, 0},
	{CBPF_CODE_RET_A, 0, 0, 0},
};

static void
holds(const struct cbpf_known *k, const struct pkt_view *v)
{
	const uint8_t *ip = v->frame + v->l3_off;

	assert_true(v->l3_caplen <= v->l3_len);
	assert_true(k->there <= v->l3_caplen);
	for (uint32_t i = 0; i < CBPF_KNOWN_BYTES; i++)
		assert_int_equal(ip[i] & k->bits[i], k->val[i]);
}

/* Links of all kinds that @insns, a program for all frames, gets: @n_kinds of them. */
static void
ask_kinds(const struct cbpf_insn *insns, size_t n, size_t n_kinds)
{
	static struct chain_links l;
	static uint64_t seen[CHAIN_LINKS_MAX];
	struct cbpf_prog *prog = NULL;
	size_t kinds = 0;

	assert_int_equal(cbpf_prog_new(insns, n, &prog, NULL), 0);
	l = CHAIN_LINKS_INIT;
	l.v[l.n++] = (struct cbpf_link){.prog = prog};
	chain_kinds_add(&l);
	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 0; i < FRAMES; i++) {
		const struct world_frame f = world_frame_make();
		const uint32_t cut = world_percent(50) ? rng_below(&world_rng, NEAR) : f.caplen;
		struct pkt_view v;

		pkt_parse_ether(f.data, MIN(cut, f.caplen), f.wirelen, &v);
		for (size_t k = 0; k < l.n; k++) {
			if (l.v[k].known == NULL || (v.key & l.v[k].mask) != l.v[k].val)
				continue;
			holds(l.v[k].known, &v);
			seen[k]++;
		}
	}
	for (size_t k = 0; k < l.n; k++) {
		if (l.v[k].known == NULL || l.v[k].prog == NULL)
			continue;
		assert_true(seen[k] > SEEN_MIN);
		kinds++;
	}
	assert_int_equal(kinds, n_kinds);
	cbpf_prog_free(prog);
}

static void
known_of_protocols_holds(void **state)
{
	(void)state;
	ask_kinds(of_protocols, DIM(of_protocols), 5);
}

static void
known_of_any_holds(void **state)
{
	(void)state;
	ask_kinds(of_any, DIM(of_any), 2);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_of_protocols_holds),
		cmocka_unit_test(known_of_any_holds),
	};
	int r;

	world_seed();
	world_init();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	world_fini();
	return r;
}
