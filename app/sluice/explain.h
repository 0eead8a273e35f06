/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_EXPLAIN_H
#define SLUICE_EXPLAIN_H

/*
 * One frame explained: how it is parsed, as facts by layer; and what a rule says
 * to it, with the first test that fails. Written as text or JSON by cmd_explain.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "cbpf/trace.h"
#include "match/explain.h"
#include "pkt/view.h"

struct cbpf_prog;
struct ruleset_info;
struct sbuf;

/* One thing known of a frame; facts of a layer stand together. */
struct explain_fact {
	const char *layer; /* "frame", "link", "ip", "udp" … */
	const char *name;
	bool number; /* @text is a decimal number */
	char text[96];
};

#define EXPLAIN_FACTS_MAX 64

struct explain_facts {
	struct explain_fact v[EXPLAIN_FACTS_MAX];
	size_t n;
};

/* What @v, parsed as link type @dlt, is. */
void explain_parse(int dlt, const struct pkt_view *v, struct explain_facts *ret);

/* Append as lines of text, a line a layer, or as members of a JSON object: layers, then names. */
void explain_facts_text(const struct explain_facts *facts, struct sbuf *out);
void explain_facts_json(const struct explain_facts *facts, struct sbuf *out);

/*
 * The field that the program's byte @off lies in ("TTL", "destination port"), or
 * NULL: in none that has a name here.
 */
const char *explain_field(const struct pkt_view *v, const struct match_why *why, uint64_t off);

/* A program as text, instruction by instruction. */
struct explain_source {
	struct arena arena;
	const char **insns, **comments; /* @n each; a comment may be "" */
	size_t n;
};

/*
 * @text:	the assembler that @prog was made of, or NULL; where it does not have
 *		an instruction a line it is disassembled instead
 *
 * Returns 0, -ENOMEM.
 */
int explain_source_new(const struct cbpf_prog *prog, const char *text, struct explain_source *ret);
void explain_source_fini(struct explain_source *s);

/* What a rule says. */
struct explain_says {
	bool matches;
	struct match_why why;
	const char *key; /* of the first test that fails, as a rule spells it; "program"; NULL */
	char wanted[256], seen[256];

	/* Of the program, where it was asked. */
	struct explain_source source;
	struct cbpf_trace trace; /* steps NULL: not asked */
	const char *field; /* of the byte that the test looked at, or NULL */
	bool has_off;
	uint64_t off; /* of that byte, from the program's byte 0 */
	uint8_t size;
};

/*
 * @info:	of the rule, or NULL: it is a program alone
 * @text:	by number of the program, each may be NULL
 * @buf:	as of match_rule_explain(); in use as long as @ret
 *
 * Returns 0, -ENOMEM; @ret is to be freed in any case.
 */
int explain_ask(const struct match_rule *rule, const struct ruleset_info *info,
	const char *const text[2], const struct pkt_view *v, uint8_t *buf,
	struct explain_says *ret);
void explain_says_fini(struct explain_says *says);

/* Append why it does not match, or the whole way of the program, as lines of text. */
void explain_says_text(const struct explain_says *says, const char *indent, struct sbuf *out);
void explain_trace_text(const struct explain_says *says, const char *indent, struct sbuf *out);
/* The same as a JSON object, null where it matches. */
void explain_says_json(const struct explain_says *says, struct sbuf *out);

#endif
