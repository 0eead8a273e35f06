// SPDX-License-Identifier: BSD-3-Clause
/*
 * Of ten thousand generated programs a few hundred are different but for the
 * numbers they compare with. One of each shape is run, and what is found is said of
 * the others with their own numbers:
 *
 *	ld [x + 20]		ld [x + 20]
 *	jneq #0x3777777, no	jneq #0x3666f6f, no
 *	...			...
 *	path: [x + 20:4] == 0x3777777	->	[x + 20:4] == 0x3666f6f
 *
 * That is right as long as numbers of "jeq #k" were not looked at but to write them
 * down: a comparison that may be true or false is followed both ways, whatever the
 * number. Where they were, since a fact decided another one, the shape is spoilt, and
 * each of its programs is run. Loops need rounds with equal numbers, which each
 * program is asked for; and how "(x & mask) == k" becomes a condition on x is found
 * out again for each number.
 */
#include <string.h>

#include "base/util.h"
#include "cbpf/prog.h"
#include "sym_run.h"

#define SHAPES_MAX 2048
#define BUCKETS 256
#define INSNS_MAX 200000 /* of all shapes that are kept */
#define HASHED 64 /* instructions */
#define LIKE_MAX 32 /* shapes of one hash */
#define ASKED_MAX 1024 /* comparisons in a shape */

struct sym_shapes {
	struct sym_shape *by_hash[BUCKETS];
	uint32_t n;
	size_t n_insns;
};

_Static_assert(sizeof(struct cbpf_insn) == sizeof(uint64_t), "read at once");

/* What of an instruction its shape has, as a mask and as what is under it. */
static uint64_t
mask_of(const struct cbpf_insn *in)
{
	const struct cbpf_insn no_k = {UINT16_MAX, UINT8_MAX, UINT8_MAX, 0};

	return in->code == CBPF_CODE_JEQ_K ? sym_insn_bits(&no_k) : UINT64_MAX;
}

static uint64_t
mix(uint64_t h, const struct cbpf_insn *in)
{
	h = (h ^ (sym_insn_bits(in) & mask_of(in))) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/*
 * Of how programs begin, which is not how they differ if they are made to fool this:
 * then few are compared. Four instructions at a time, since each multiplication waits
 * for the one before it.
 */
static uint64_t
shape_hash(const struct cbpf_insn *insns, size_t len)
{
	const size_t n = MIN(len, HASHED);
	uint64_t a = len, b = 1, c = 2, d = 3;
	size_t i;

	for (i = 0; i + 4 <= n; i += 4) {
		a = mix(a, &insns[i]);
		b = mix(b, &insns[i + 1]);
		c = mix(c, &insns[i + 2]);
		d = mix(d, &insns[i + 3]);
	}
	for (; i < n; i++)
		a = mix(a, &insns[i]);
	a = ((a * 3 ^ b) * 3 ^ c) * 3 ^ d;
	return a ^ a >> 32;
}

static bool
is_like(const struct sym_shape *s, const struct cbpf_insn *insns, size_t n)
{
	uint64_t differ = 0;

	for (size_t i = 0; i < n; i++)
		differ |= (s->val[i] ^ sym_insn_bits(&insns[i])) & s->mask[i];
	return differ == 0;
}

static struct sym_shape *
shape_new(struct sym_pool *p, uint64_t hash, const struct cbpf_insn *insns, size_t n)
{
	struct sym_shapes *all = p->shapes;
	struct sym_shape *s;

	if (all->n == SHAPES_MAX || n > INSNS_MAX - all->n_insns)
		return NULL;
	s = arena_zalloc(&p->mem, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->mask = arena_zalloc(&p->mem, 2 * n * sizeof(*s->mask));
	if (s->mask == NULL)
		return NULL;
	s->val = s->mask + n;
	for (size_t i = 0; i < n; i++) {
		s->mask[i] = mask_of(&insns[i]);
		s->val[i] = sym_insn_bits(&insns[i]);
	}
	s->n = n;
	s->hash = hash;
	s->next = all->by_hash[hash % BUCKETS];
	all->by_hash[hash % BUCKETS] = s;
	all->n++;
	all->n_insns += n;
	return s;
}

struct sym_shape *
sym_shape_of(struct sym_pool *p, const struct cbpf_insn *insns, size_t n)
{
	const uint64_t hash = shape_hash(insns, n);
	struct sym_shape *s;
	uint32_t alike = 0;

	if (p->shapes == NULL)
		p->shapes = arena_zalloc(&p->mem, sizeof(*p->shapes));
	/* Without memory for it each program is run, if there is enough for that. */
	if (p->shapes == NULL)
		return NULL;
	for (s = p->shapes->by_hash[hash % BUCKETS]; s != NULL; s = s->next) {
		if (s->hash != hash || s->n != n)
			continue;
		if (is_like(s, insns, n))
			return s;
		if (++alike == LIKE_MAX)
			return NULL;
	}
	return shape_new(p, hash, insns, n);
}

/* ---- while one of a shape is run ---- */

void
sym_shape_spoil(struct run *r)
{
	if (r->shape != NULL)
		r->shape->spoilt = true;
}

static bool
asked_grow(struct run *r)
{
	struct sym_shape *s = r->shape;
	const uint32_t cap = MAX(8, 2 * s->cap_asked);
	struct sym_asked *v = NULL;

	if (cap <= ASKED_MAX)
		v = arena_zalloc(&r->pool->mem, cap * sizeof(*v));
	if (v == NULL)
		return false;
	if (s->n_asked > 0)
		memcpy(v, s->asked, s->n_asked * sizeof(*v));
	s->asked = v;
	s->cap_asked = cap;
	return true;
}

void
sym_shape_ask(struct run *r, size_t pc, struct sym_val v, bool neg, enum sym_truth t,
	struct sym_atom *atom)
{
	struct sym_shape *s = r->shape;

	if (s == NULL)
		return;
	/* Another number may not be decided. */
	if (t != SYM_OPEN || (s->n_asked == s->cap_asked && !asked_grow(r))) {
		s->spoilt = true;
		return;
	}
	_Static_assert(ASKED_MAX <= UINT16_MAX, "fits");
	s->asked[s->n_asked++] = (struct sym_asked){r->first + pc, v, neg};
	atom->of_shape = (uint16_t)s->n_asked;
}

void
sym_shape_loop(struct run *r, size_t pc, size_t len, size_t n)
{
	struct sym_shape *s = r->shape;

	if (s == NULL)
		return;
	if (s->n_loops == DIM(s->loops)) {
		s->spoilt = true;
		return;
	}
	s->loops[s->n_loops].pc = r->first + pc;
	s->loops[s->n_loops].n = n;
	s->loops[s->n_loops++].len = len;
}

void
sym_shape_done(struct sym_shape *s, const struct sym_result *result)
{
	s->result = *result;
	s->n_atoms = 0;
	for (uint32_t i = 0; i < result->n_paths; i++)
		s->n_atoms += result->paths[i].n_atoms;
}

/* ---- others of the shape ---- */

static bool
has_loops(const struct sym_shape *s, const struct cbpf_insn *insns)
{
	uint64_t differ = 0;

	for (uint32_t l = 0; l < s->n_loops; l++) {
		const struct cbpf_insn *in = &insns[s->loops[l].pc];
		const uint64_t *mask = &s->mask[s->loops[l].pc];
		const size_t len = s->loops[l].len;

		/* All but numbers that differ is the shape's. */
		for (size_t i = 0; i < s->loops[l].n; i++)
			differ |= (sym_insn_bits(&in[i]) ^ sym_insn_bits(&in[i + len])) & ~mask[i];
	}
	return differ == 0;
}

/* Give @a, an atom of the shape, the number that it has in @insns. False: it is no such atom there. */
static bool
renumber(struct sym_pool *p, const struct sym_shape *s, const struct cbpf_insn *insns,
	struct sym_atom *a)
{
	const struct sym_asked *asked = &s->asked[a->of_shape - 1];
	const uint32_t k = insns[asked->pc].k;
	struct sym_atom is;

	/* What was loaded, as it is: most atoms. */
	if (a->node == asked->v.node && asked->v.add == 0 && a->node->op == SYM_LOAD) {
		a->val = k;
		a->of_shape = 0;
		return k <= a->node->umax;
	}
	if (sym_atom_eq(p, asked->v, UINT32_MAX, k, asked->neg, &is) != SYM_OPEN)
		return false;
	/* All else of it hangs on the value compared, not on the number. */
	a->val = is.val;
	a->of_shape = 0;
	return true;
}

bool
sym_shape_fill(struct sym_pool *p, const struct sym_shape *s, const struct cbpf_insn *insns,
	struct sym_result *ret_result)
{
	const uint32_t n = s->result.n_paths;
	struct sym_path *paths;
	struct sym_atom *atoms;

	if (!has_loops(s, insns))
		return false;
	/* Written anew for each program: who has ten thousand has seen the last one. */
	arena_reset(&p->run);
	paths = arena_zalloc(&p->run, (n + 1) * sizeof(*paths));
	atoms = arena_zalloc(&p->run, (s->n_atoms + 1) * sizeof(*atoms));
	if (paths == NULL || atoms == NULL) {
		p->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		paths[i] = s->result.paths[i];
		memcpy(atoms, paths[i].atoms, paths[i].n_atoms * sizeof(*atoms));
		paths[i].atoms = atoms;
		for (uint32_t k = 0; k < paths[i].n_atoms; k++, atoms++)
			if (atoms->of_shape != 0 && !renumber(p, s, insns, atoms))
				return false;
	}
	*ret_result = (struct sym_result){paths, n};
	return true;
}
