// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rules compiled together against libpcap rule by rule: the first match of
 * rulesets of 1 to 10,000 rules, from their start and from any rule on. Random,
 * mutated and generated programs; families of rules that differ in constants
 * alone; frames made to match a rule or just miss it, cut at any length, each
 * ending at an unreadable page. Every kernel for every kind of processor in turn.
 * SLUICE_PAIRS says how many pairs of a ruleset and a frame.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "engines.h"
#include "image_impl.h"
#include "match/image.h"
#include "match/verdict.h"
#include "pkt/view.h"
#include "progs.h"
#include "quick.h"

#define PAIRS ((uint64_t)QUICK_MANY(2000000)) /* of ruleset and frame */
#define RULES_MAX_HERE 10000
#define BROKEN_SETS 60
#define CUT_RULES 20 /* sets up to that many rules see their frames at every length */

static const struct way {
	const char *name;
	enum match_engine engine;
	struct match_options options;
} ways[] = {
	{"c, interpreter", MATCH_ENGINE_INTERP, {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C}},
	{"avx2, jit", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2}},
	{"avx512, jit", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512}},
	{"lists, c, interpreter", MATCH_ENGINE_INTERP,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C, .only_lists = true}},
	{"lists, avx2, jit", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2, .only_lists = true}},
	{"lists, avx512, jit", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512, .only_lists = true}},
	{"as it is", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_AUTO}},
};

static const struct way broken[] = {
	{"a wrong value in a table", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .hash_fault = HASH_FAULT_VALUE}},
	{"forgotten lengths", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .hash_fault = HASH_FAULT_NEED}},
	{"lost chains", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .hash_fault = HASH_FAULT_CHAIN}},
	{"a wrong lane", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .only_lists = true, .list_fault = true}},
};

static struct counts {
	uint64_t pairs[DIM(ways)], near, sets, by_size[3], hits, wrong, in_tables, rules, cut;
} counts;

/* ---- rules ---- */

struct set {
	struct match_rule rules[RULES_MAX_HERE];
	void *oracle[RULES_MAX_HERE];
	uint32_t n;
};

static struct set set;

static struct match_counters counters[RULES_MAX_HERE];

/* A program under construction; "no" is the last instruction. */
struct draft {
	struct cbpf_insn v[64];
	uint32_t n;
};

static void
put(struct draft *d, uint16_t code, uint32_t k)
{
	d->v[d->n++] = (struct cbpf_insn){code, 0, 0, k};
}

/* X at a window of kind @kind. */
static void
put_window(struct draft *d, uint32_t kind, uint32_t where)
{
	switch (kind) {
	case 0: put(d, CBPF_CODE_LDX_IMM, where); break;
	case 1: put(d, CBPF_CODE_LDX_MSH, where & 1 ? 14 : 0); break;
	case 2:
		put(d, CBPF_CODE_LD_LEN, 0);
		put(d, CBPF_CODE_ALU_SUB_K, 4 + where);
		put(d, CBPF_CODE_TAX, 0);
		break;
	default:
		put(d, CBPF_CODE_LDX_IMM, where);
		put(d, CBPF_CODE_LD_B_IND, 0);
		put(d, CBPF_CODE_ALU_ADD_X, 0);
		put(d, CBPF_CODE_ALU_ADD_K, 1);
		put(d, CBPF_CODE_TAX, 0);
		break;
	}
}

/*
 * A conjunction of tests at places that @family says, of constants that @member
 * says: few, so that rules overlap.
 */
static struct cbpf_prog *
make_conjunction(uint64_t family, uint64_t member)
{
	static const uint16_t loads[] = {
		CBPF_CODE_LD_W_IND, CBPF_CODE_LD_H_IND, CBPF_CODE_LD_B_IND};
	static const uint32_t masks[] = {UINT32_MAX, UINT32_MAX, 0x01010101, 0x1fff, 0xf0};
	struct rng f = {family}, m = {member};
	struct cbpf_prog *prog = NULL;
	struct draft d = {.n = 0};
	const uint32_t tests = 1 + rng_below(&f, 5);

	put_window(&d, rng_below(&f, 4), rng_below(&f, 12));
	for (uint32_t i = 0; i < tests; i++) {
		const uint32_t size = rng_below(&f, 3), mask = masks[rng_below(&f, DIM(masks))];
		uint32_t want = (uint32_t)rng_next(&m) & 0x03030303;

		put(&d, loads[size], rng_below(&f, 16));
		if (rng_below(&m, 4) == 0)
			want = (uint32_t)rng_next(&m);
		want &= size == 0 ? UINT32_MAX : size == 1 ? 0xffff : 0xff;
		if (mask != UINT32_MAX && rng_below(&f, 2))
			put(&d, CBPF_CODE_ALU_OR_K, mask & 0x20202020);
		else if (mask != UINT32_MAX)
			put(&d, CBPF_CODE_ALU_AND_K, mask);
		/* Now and then a range or the opposite, which no table can ask. */
		if (rng_below(&m, 12) == 0)
			put(&d, rng_below(&m, 2) ? CBPF_CODE_JGT_K : CBPF_CODE_JGE_K, want);
		else
			put(&d, CBPF_CODE_JEQ_K, want);
	}
	put(&d, CBPF_CODE_RET_K, 1);
	put(&d, CBPF_CODE_RET_K, 0);
	for (uint32_t i = 0; i < d.n; i++)
		if ((d.v[i].code & 7) == 5)
			d.v[i].jf = (uint8_t)(d.n - 1 - (i + 1));
	if (cbpf_prog_new(d.v, d.n, &prog, NULL) < 0)
		abort();
	return prog;
}

static struct cbpf_prog *
make_prog(struct rng *r, uint32_t style, const uint64_t *families)
{
	if (style == 0 && rng_below(r, 8) != 0)
		return make_conjunction(families[0], rng_next(r));
	switch (rng_below(r, 4)) {
	case 0: return progs_random(r);
	case 1: return progs_real(r);
	default: return make_conjunction(families[rng_below(r, 4)], rng_next(r));
	}
}

static void
set_make(struct rng *r, uint32_t n)
{
	static const struct u16_range udp = {17, 17};
	const uint64_t families[4] = {rng_next(r), rng_next(r), rng_next(r), rng_next(r)};
	const uint32_t style = rng_below(r, 2);

	for (uint32_t i = 0; i < n; i++) {
		struct cbpf_prog *prog = make_prog(r, style, families);
		struct match_rule *rule = &set.rules[i];

		*rule = (struct match_rule){
			.name = "r",
			.slot = i,
			.action = MATCH_DROP,
			.enabled = true,
			.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
			.link = rng_below(r, 3) == 0 ? MATCH_LINK_RAW : MATCH_LINK_ETHER,
			.prog = {prog, prog},
		};
		if (rule->link == MATCH_LINK_RAW && rng_below(r, 2))
			rule->scope.proto = (struct match_ranges){&udp, 1};
		set.oracle[i] = engine_pcap.load(prog);
		if (set.oracle[i] == NULL)
			abort();
	}
	set.n = n;
}

static void
set_fini(void)
{
	for (uint32_t i = 0; i < set.n; i++) {
		engine_pcap.unload(set.oracle[i]);
		cbpf_prog_free((struct cbpf_prog *)(uintptr_t)set.rules[i].prog[0]);
	}
	set.n = 0;
}

/* ---- frames ---- */

/* Each ends at a page of its own that nobody may read. */
static uint8_t *fences;
static size_t page;

static uint8_t *
fenced(uint32_t i, const uint8_t *bytes, size_t n)
{
	uint8_t *end = fences + (2 * i + 1) * page;

	memcpy(end - n, bytes, n);
	return end - n;
}

static void
fences_init(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	fences = mmap(NULL, 2 * page * MATCH_BURST, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fences == MAP_FAILED || page < FRAME_MAX)
		abort();
	for (uint32_t i = 0; i < MATCH_BURST; i++)
		if (mprotect(fences + (2 * i + 1) * page, page, PROT_NONE) != 0)
			abort();
}

struct burst {
	struct pkt_view views[MATCH_BURST];
	uint8_t which[MATCH_BURST];
	uint32_t from[MATCH_BURST], want[MATCH_BURST];
	uint32_t n;
	bool verdicts; /* all are asked from the first rule on, and counted */
};

/* A frame that matches @rule or just misses it: true; or noise. */
static bool
frame_for(struct rng *r, const struct match_rule *rule, struct frame *f)
{
	static const uint8_t ether[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
	uint32_t off = 0;
	bool solved = false;

	frame_random(r, f);
	if (rng_below(r, 4) == 0)
		for (uint32_t k = 0; k < f->len; k++)
			f->bytes[k] &= 3;
	if (rule->link == MATCH_LINK_RAW && rng_below(r, 8) != 0) {
		struct frame datagram = *f;

		datagram.len = MIN(f->len, FRAME_MAX - 14);
		datagram.bytes[0] = (uint8_t)(0x45 + rng_below(r, 2));
		store_be16(datagram.bytes + 2, (uint16_t)(datagram.len + rng_below(r, 3) - 1));
		datagram.bytes[9] = 17;
		solved = frame_solve(rule->prog[0], r, &datagram);
		memcpy(f->bytes, ether, 14);
		memcpy(f->bytes + 14, datagram.bytes, MIN(datagram.len, FRAME_MAX - 14));
		f->len = MIN(datagram.len + 14, FRAME_MAX);
		off = 14;
	} else if (rng_below(r, 8) != 0) {
		solved = frame_solve(rule->prog[0], r, f);
	}
	if (solved && rng_below(r, 3) == 0 && f->len > off)
		f->bytes[off + rng_below(r, MIN(f->len - off, 80))] ^=
			(uint8_t)(1 << rng_below(r, 8));
	return solved;
}

/* The same for some rule of the set, whole or cut, as number @i of the burst. */
static bool
frame_make(struct rng *r, struct burst *b, uint32_t i)
{
	struct frame f;
	const bool solved = frame_for(r, &set.rules[rng_below(r, set.n)], &f);
	uint32_t caplen = f.len;

	if (rng_below(r, 4) == 0)
		caplen = rng_below(r, f.len + 1);
	pkt_parse_ether(
		fenced(i, f.bytes, caplen), caplen, rng_below(r, 2) ? caplen : f.len, &b->views[i]);
	return solved;
}

static bool
rule_matches(uint32_t i, const struct pkt_view *v)
{
	const struct match_rule *rule = &set.rules[i];

	if (rule->link == MATCH_LINK_ETHER)
		return engine_pcap.run(set.oracle[i], v->frame, v->caplen, v->wirelen) != 0;
	if (v->family == 0 || (rule->scope.proto.n != 0 && v->proto != 17))
		return false;
	return engine_pcap.run(set.oracle[i], v->frame + v->l3_off, v->l3_caplen, v->l3_len) != 0;
}

static uint32_t
first_from(uint32_t rule, const struct pkt_view *v)
{
	while (rule < set.n && !rule_matches(rule, v))
		rule++;
	return rule < set.n ? rule : MATCH_NONE;
}

static void
burst_make(struct rng *r, struct burst *b)
{
	b->n = 1 + rng_below(r, MATCH_BURST);
	b->verdicts = rng_below(r, 2) == 0;
	for (uint32_t i = 0; i < b->n; i++) {
		const bool near = frame_make(r, b, i);

		b->which[i] = (uint8_t)i;
		b->from[i] = 0;
		if (!b->verdicts && rng_below(r, 3) == 0)
			b->from[i] = rng_below(r, set.n + 1);
		b->want[i] = first_from(b->from[i], &b->views[i]);
		counts.hits += b->want[i] != MATCH_NONE;
		counts.near += near || b->want[i] != MATCH_NONE;
	}
}

/* ---- comparison ---- */

static struct match_image *
image_make(const struct way *way)
{
	struct match_image *image = NULL;
	struct diag diag = {0};

	if (match_image_new_with(set.rules, set.n, way->engine, &way->options, &image, &diag) < 0) {
		printf("%s\n", diag.msg);
		abort();
	}
	return image;
}

/* What the burst adds to the counters of rules, by the answers wanted; they are 0 afterwards. */
static uint32_t
compare_counters(const struct burst *b)
{
	uint32_t bad = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		const struct pkt_view *v = &b->views[i];
		struct match_counters *c;

		if (b->want[i] == MATCH_NONE)
			continue;
		c = &counters[b->want[i]];
		c->packets--;
		c->dropped--;
		c->bytes -= v->family != 0 ? v->l3_len : v->wirelen;
	}
	for (uint32_t i = 0; i < set.n; i++) {
		struct match_counters *c = &counters[i];

		bad += c->packets != 0 || c->bytes != 0 || c->dropped != 0 || c->would_drop != 0;
		memset((void *)c, 0, sizeof(*c));
	}
	return bad;
}

static void
ask(const struct match_image *image, const struct burst *b, uint32_t *got)
{
	struct match_verdict verdicts[MATCH_BURST];
	struct match_notes notes = {0, 0};

	if (!b->verdicts) {
		match_image_first(image, b->views, b->which, b->n, 0, b->from, got);
		return;
	}
	match_verdicts(image, b->views, b->n, 0, 0, true, counters, 1, verdicts, &notes);
	for (uint32_t i = 0; i < b->n; i++)
		got[i] = verdicts[i].index;
}

/* Returns how many answers are wrong, first matches or verdicts and what they count. */
static uint32_t
compare(const struct match_image *image, const struct burst *b, const char *name, bool tell)
{
	uint32_t got[MATCH_BURST], bad = 0;

	ask(image, b, got);
	if (b->verdicts) {
		bad = compare_counters(b);
		if (tell && bad != 0)
			printf("%s: counters of %u rules are wrong, %u rules\n", name, bad, set.n);
	}
	for (uint32_t i = 0; i < b->n; i++) {
		if (got[i] == b->want[i])
			continue;
		if (tell && bad == 0)
			printf("%s: %u instead of %u, from %u, %u rules\n", name, got[i],
				b->want[i], b->from[i], set.n);
		bad++;
	}
	return bad;
}

/* A frame for each rule of the set, cut at every length. */
static void
cut_all(struct rng *r, struct match_image *const *image)
{
	static struct burst b;
	struct frame f;

	b.verdicts = false;
	for (uint32_t rule = 0; rule < set.n; rule++) {
		(void)frame_for(r, &set.rules[rule], &f);
		f.len = MIN(f.len, 256);
		for (uint32_t cap = 0; cap <= f.len;) {
			for (b.n = 0; b.n < MATCH_BURST && cap <= f.len; b.n++, cap++) {
				pkt_parse_ether(fenced(b.n, f.bytes, cap), cap,
					rng_below(r, 2) ? cap : f.len, &b.views[b.n]);
				b.which[b.n] = (uint8_t)b.n;
				b.from[b.n] = 0;
				b.want[b.n] = first_from(0, &b.views[b.n]);
			}
			counts.cut += b.n;
			for (size_t w = 0; w < DIM(ways); w++)
				if (image[w] != NULL)
					counts.wrong += compare(image[w], &b, ways[w].name, true);
		}
	}
}

/* One ruleset of @n rules and @bursts bursts. Large sets take two ways, in turn. */
static void
one_set(struct rng *r, uint32_t n, uint32_t bursts)
{
	struct match_image *image[DIM(ways)] = {NULL};
	const uint64_t seed = r->state;
	static struct burst b;

	set_make(r, n);
	for (size_t w = 0; w < DIM(ways); w++)
		if (n <= 100 || (w + counts.sets) % 2 == 0)
			image[w] = image_make(&ways[w]);
	for (uint32_t i = 0; i < bursts && counts.wrong < 3; i++) {
		burst_make(r, &b);
		counts.by_size[n <= 100 ? 0 : n <= 1000 ? 1 : 2] += b.n;
		for (size_t w = 0; w < DIM(ways); w++) {
			uint32_t bad;

			if (image[w] == NULL)
				continue;
			bad = compare(image[w], &b, ways[w].name, true);
			counts.pairs[w] += b.n;
			if (bad != 0)
				printf("SLUICE_SEED=%" PRIu64 "\n", seed);
			counts.wrong += bad;
		}
	}
	if (n <= CUT_RULES && counts.wrong == 0)
		cut_all(r, image);
	for (size_t w = 0; w < DIM(ways); w++) {
		if (w == 0 && image[w] != NULL) {
			counts.rules += n;
			counts.in_tables += n;
			if (image[w]->index != NULL)
				counts.in_tables -= image[w]->index->n_residual;
			else
				counts.in_tables -= n;
		}
		match_image_free(image[w]);
	}
	set_fini();
	counts.sets++;
}

static void
many(struct rng *r, uint64_t pairs)
{
	/* Of all pairs so many with rulesets up to a size; the oracle costs 16 ns a rule and frame. */
	static const struct {
		uint32_t percent, most, bursts;
	} sizes[] = {{90, 100, 16}, {9, 1000, 32}, {1, RULES_MAX_HERE, 64}};

	for (size_t s = 0; s < DIM(sizes); s++)
		while (counts.by_size[s] < pairs * sizes[s].percent / 100 && counts.wrong < 3) {
			uint32_t n = 1 + rng_below(r, sizes[s].most);

			if (s > 0)
				n = MAX(n, sizes[s - 1].most + 1);
			one_set(r, n, sizes[s].bursts);
		}
}

static uint64_t
many_broken(struct rng *r, const struct way *way)
{
	static struct burst b;
	uint64_t noticed = 0;

	for (int i = 0; i < BROKEN_SETS; i++) {
		struct match_image *image;
		uint32_t bad = 0;

		set_make(r, 50);
		image = image_make(way);
		for (int k = 0; k < 8; k++) {
			burst_make(r, &b);
			bad += compare(image, &b, way->name, false);
		}
		match_image_free(image);
		set_fini();
		noticed += bad != 0;
	}
	return noticed;
}

static bool
check(bool ok, const char *what)
{
	printf("%s: %s\n", ok ? "ok" : "NOT OK", what);
	return ok;
}

int
main(void)
{
	struct rng r = {test_seed("test_merge")};
	const char *text = getenv("SLUICE_PAIRS");
	const uint64_t pairs = text != NULL ? strtoull(text, NULL, 0) : PAIRS * test_factor();
	uint64_t all = 0;
	bool ok = true;

	fences_init();
	many(&r, pairs);
	for (size_t s = 0; s < DIM(counts.by_size); s++)
		all += counts.by_size[s];
	for (size_t w = 0; w < DIM(ways); w++)
		printf("%s: %" PRIu64 " pairs of ruleset and frame\n", ways[w].name,
			counts.pairs[w]);
	printf("%" PRIu64 " sets; %" PRIu64 " pairs with up to 100 rules, %" PRIu64
	       " with up to 1,000, %" PRIu64
	       " with up to 10,000; %.3f match, %.3f or just miss; %.3f of the rules in tables\n",
		counts.sets, counts.by_size[0], counts.by_size[1], counts.by_size[2],
		(double)counts.hits / (double)all, (double)counts.near / (double)all,
		(double)counts.in_tables / (double)MAX(counts.rules, 1));
	printf("%" PRIu64 " frames of small sets cut at every length\n", counts.cut);
	ok &= check(counts.wrong == 0, "the first match is libpcap's");
	ok &= check(counts.wrong > 0 || all >= pairs, "as many pairs as asked for");
	ok &= check(counts.near * 2 >= all, "at least half match a rule or just miss it");
	for (size_t i = 0; i < DIM(broken); i++) {
		const uint64_t noticed = many_broken(&r, &broken[i]);

		printf("%s: noticed in %" PRIu64 " of %d sets\n", broken[i].name, noticed,
			BROKEN_SETS);
		ok &= check(noticed > 0, "a broken kernel is noticed");
	}
	return ok ? 0 : 1;
}
