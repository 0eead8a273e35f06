/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Whether runs hold, for straight ways that compare them by pieces, see hash_pieces.h: what
 * straight_have.h asks for. Before it: hash_run_holds() and hash_run_fits().
 */

/* hash_run_holds() where that cannot say it: word by word, of which some may be behind the end. */
static __attribute__((noinline)) bool
run_holds_at_edge(const struct hash_shape *s, const struct hash_item *it, const struct probe_at *at,
	int32_t off)
{
	uint64_t differ = 0;

	for (uint32_t b = 0; b < s->run; b += sizeof(uint64_t)) {
		uint64_t mask;

		memcpy(&mask, &s->run_mask[b], sizeof(mask));
		differ |= (probe_load(at, off + (int32_t)b) ^ it->val[1 + b / sizeof(mask)]) & mask;
	}
	return differ == 0;
}

static inline __attribute__((always_inline)) bool
run_holds(const struct straight_table *t, const struct hash_shape *shape,
	const struct hash_item *it, const struct probe_at *at)
{
	if (__builtin_expect(hash_run_fits(at, t->off, t->run), 1))
		return hash_run_holds(shape, it, at, t->off, t->run);
	return run_holds_at_edge(shape, it, at, t->off);
}
