/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_GENCASE_H
#define TEST_GENCASE_H

/*
 * Patterns for every generator, frames that hit or just miss them, and what the
 * generators' documentation says of each frame: matchers in plain C that share no
 * code with lib/gen. Any engine can be held against them:
 *
 *	for (size_t t = 0; gencase_name(t) != NULL; t++) {
 *		gencase_random(&rng, t, &c);
 *		gen_run(c.type, &c.opts, c.argc, c.argv, &out, &diag);
 *		gencase_frame(&rng, &c, &f);
 *		... the program on f.bytes, f.len: a match exactly when gencase_wants(&c, &f),
 *		or gencase_excused(&c, &f)
 *	}
 *
 * All is a function of the struct rng. Plain values, one thread per object.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "gen/gen.h"

#define GENCASE_WORDS 10
#define GENCASE_TEXT 520 /* bytes of a word, NUL included */
#define GENCASE_FRAME_MAX 3072

/* What gen_run() takes. @argv points into @text, so a copy needs care. */
struct gencase {
	size_t index; /* of the generator here, see gencase_name() */
	const char *type;
	struct gen_opts opts;
	uint64_t seed; /* what a pattern and its frames have in common */
	int argc;
	const char *argv[GENCASE_WORDS];
	char text[GENCASE_WORDS][GENCASE_TEXT];
};

/* A frame as the program sees it: @opts.l3_off bytes of anything, then IP. */
struct gencase_frame {
	uint8_t bytes[GENCASE_FRAME_MAX];
	uint32_t len; /* captured and on the wire */
};

/* The generators that have cases: number @i, NULL past the last. */
const char *gencase_name(size_t i);

/*
 * A random pattern for generator number @i that the generator takes. Families,
 * offsets and negation vary with opts.
 */
void gencase_random(struct rng *rng, size_t i, struct gencase *ret);

/* A frame near @c's pattern: some match, some miss by a bit, a byte or a length. */
void gencase_frame(struct rng *rng, const struct gencase *c, struct gencase_frame *ret);

/* Whether the program for @c must match @f, negation included. */
bool gencase_wants(const struct gencase *c, const struct gencase_frame *f);

/*
 * Whether a program for @c that is not as gencase_wants() says of @f is so because
 * libpcap's optimiser is wrong: its program without the optimiser is right, and that
 * with it is not. Slow; ask it only then.
 */
bool gencase_excused(const struct gencase *c, const struct gencase_frame *f);

#endif
