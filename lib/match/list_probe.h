/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The body of the list kernel, compiled once for each kind of processor:
 * included by list_c.c, list_avx2.c and list_avx512.c, which define LIST_PROBE,
 * list_values() and list_hits(), and are given the processor's options by meson.build.
 */

void
LIST_PROBE(const struct list *l, struct probe *p, uint64_t some)
{
	uint16_t values[MATCH_BURST][LIST_VALUES] __attribute__((aligned(64)));

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		list_values(l, p, i, values[i]);
	}
	for (uint32_t k = 0; k < l->n_blocks; k++) {
		const struct list_block *b = &l->blocks[k];
		const struct list_step *steps = &l->steps[b->step];
		const uint32_t n_steps = b->n_steps;

		for (uint64_t m = search_keys_test(p->key, p->n, b->test) & some; m != 0;
			m &= m - 1) {
			const uint32_t i = (uint32_t)__builtin_ctzll(m);
			const uint32_t hits = list_hits(b, steps, n_steps, values[i]);

			if (hits != 0)
				list_try(b, p, i, hits);
		}
	}
}
