/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Part of tuple_probe.h: four lanes at once in plain C, of which compilers make what the
 * processor has; every one has vectors of 16 bytes.
 */

#define TUPLE_FOUR 4

typedef uint32_t tuple_vec __attribute__((vector_size(16), may_alias));
typedef uint16_t tuple_halves __attribute__((vector_size(16), may_alias));
typedef uint16_t tuple_metas __attribute__((vector_size(8), may_alias));

/* The ports and the upper half of the key of a frame, for each of four lanes. */
struct tuple_ports4 {
	tuple_halves ports;
	uint16_t meta;
};

static inline struct tuple_ports4
tuple_ports4(const struct pkt_view *v)
{
	const tuple_vec zero = {0};

	return (struct tuple_ports4){
		(tuple_halves)(zero + tuple_word(&v->sport)), (uint16_t)(v->key >> 16)};
}

/* By lane: 0 where the ports of a frame are in the range and its key is what is asked. */
static inline tuple_vec
tuple_ports_differ(const struct tuple_ports4 *of, const struct tuple_ports *lo,
	const struct tuple_ports *hi, const uint16_t *meta, const uint16_t *meta_mask)
{
	/* Not less and not greater, as processors compare numbers without a sign. */
	const tuple_halves in = (tuple_halves)((of->ports >= *(const tuple_halves *)lo) &
		(of->ports <= *(const tuple_halves *)hi));
	const tuple_metas differ =
		(of->meta & *(const tuple_metas *)meta_mask) ^ *(const tuple_metas *)meta;

	return (tuple_vec)~in | __builtin_convertvector(differ, tuple_vec);
}

/* In lane k bit k + @from where lane k of @differ is 0. */
static inline tuple_vec
tuple_hold_bits(tuple_vec differ, uint32_t from)
{
	const tuple_vec bit = {1, 2, 4, 8};

	return (tuple_vec)(differ == 0) & (bit << from);
}

/* Those of all lanes. */
static inline uint32_t
tuple_bits(tuple_vec bits)
{
	typedef uint64_t pair __attribute__((vector_size(16), may_alias));
	const uint64_t two = ((pair)bits)[0] | ((pair)bits)[1];

	return (uint32_t)(two | two >> 32);
}
