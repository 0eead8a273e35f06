/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_FILTER_H
#define SLUICE_FILTER_H

/* What sluice filter asks of each frame: one program or a ruleset, by some engine. */

#include <stdbool.h>
#include <stdint.h>

#include "match/image.h"
#include "rules.h"

struct cbpf_jit;
struct cbpf_prog;
struct diag;
struct pkt_frame;

enum filter_engine { FILTER_DEFAULT, FILTER_INTERP, FILTER_JIT, FILTER_MATCH };

/* As the command line has them; at most one of the first four is not NULL. */
struct filter_conf {
	const char *bytecode, *expr, *asm_file, *rules;
	const char *location;
	bool raw; /* the program gets the datagram */
	enum filter_engine engine;
};

/*
 * Whether what the command line has goes together; conf->raw becomes what @link
 * says, the word of --link or NULL. CLI_DONE, or CLI_USAGE after telling stderr.
 */
int filter_check(struct filter_conf *conf, const char *link);

struct filter {
	struct filter_conf conf;
	int dlt; /* that an expression was compiled for */
	struct cbpf_prog *prog; /* NULL: rules, or everything matches */
	struct cbpf_jit *jit;
	struct match_image *image; /* of @prog alone */
	struct rules_file rules;
};

/*
 * Read and compile all that does not depend on a file's link type. @ret is to be
 * freed also after a failure. Returns 0, -errno with a sentence.
 */
int filter_init(const struct filter_conf *conf, struct filter *ret, struct diag *diag);

/* Before the frames of a file of link type @dlt: compile what depends on it. */
int filter_link(struct filter *f, int dlt, struct diag *diag);

/*
 * The name of the first rule that matches ("match" for a single program), or
 * NULL. For @n frames of a file of link type @dlt, 1..MATCH_BURST, into @ret.
 */
void filter_burst(const struct filter *f, int dlt, const struct pkt_frame *frames, uint32_t n,
	const char **ret);

void filter_fini(struct filter *f);

#endif
