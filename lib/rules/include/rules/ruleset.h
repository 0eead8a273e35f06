/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RULES_RULESET_H
#define RULES_RULESET_H

/*
 * Rules and sets as a configuration writes them ([rule] and [set] sections),
 * checked whole, in effective order, with their programs generated; and from
 * them an image. A ruleset never changes after it is loaded; any thread may
 * read it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ini.h"
#include "match/image.h"

struct diag;
struct match_finding;
struct ruleset;
struct rules_slots;

/*
 * Names to counter slots: a name keeps its slot for the life of the process, so
 * that counters survive every reload. One thread (control).
 */
int rules_slots_new(struct rules_slots **ret_slots);
void rules_slots_free(struct rules_slots *slots);
/* The slot of @name, made if it has none. Returns 0, -ENOMEM, -ENOSPC: over 2^20 names. */
int rules_slots_get(struct rules_slots *slots, const char *name, uint32_t *ret_slot);
/* The name of @slot, or NULL. Valid as long as @slots. */
const char *rules_slots_name(const struct rules_slots *slots, uint32_t slot);
size_t rules_slots_count(const struct rules_slots *slots);

struct ruleset_opts {
	const char *location; /* NULL or "": the [node] section's, else none */
	const char *const *ports; /* names of the node's ports, for "port =" */
	size_t n_ports; /* 0: names are taken as they come (offline tools) */
	bool offline; /* filter, replay: when = attack counts as in force; ttl does not run */
	bool keep_text; /* for ruleset_text() */
	/*
	 * NULL, or the ruleset that this one follows: what is the same in both is taken over,
	 * not made again. A name that an expression has is not looked up again, then. One
	 * thread loads all rulesets of such a line, and compiles them.
	 */
	const struct ruleset *prev;
};

/*
 * Take every [rule] and [set] of @doc. Relative files in "file =" are relative
 * to the file that names them. @doc is not needed afterwards.
 *
 * Returns 0, -EINVAL with file and line, -ENOMEM, -errno of a file.
 */
int ruleset_load(const struct ini_doc *doc, const struct ruleset_opts *opts,
	struct ruleset **ret_rs, struct diag *diag);
void ruleset_free(struct ruleset *rs);

struct ruleset_info {
	const char *name, *comment;
	const char *file;
	unsigned int line;
	uint16_t order;
	enum match_action action;
	bool shadow;
	bool enabled; /* by its key */
	bool here; /* its locations include ours */
	const char *locations; /* as written; "": all */
	bool armed; /* no set that it needs is empty */
	uint64_t ttl_ms; /* 0: none */
	uint32_t sample_one_in; /* of matching frames; 0: as the port */
	const char *src_set, *dst_set; /* the key is this one set; NULL: it is anything else */
	uint64_t text_hash; /* of its keys and values: another one is another text */
};

/* Rules in effective order. */
size_t ruleset_count(const struct ruleset *rs);
const struct ruleset_info *ruleset_info(const struct ruleset *rs, size_t i);

/* Rule @i with its scope and programs; its slot means nothing. Valid as long as @rs. */
const struct match_rule *ruleset_rule(const struct ruleset *rs, size_t i);

/*
 * The assembler with comments that program @number (0, 1) of rule @i was made
 * of, or NULL: it has none, or keep_text was not asked for.
 */
const char *ruleset_text(const struct ruleset *rs, size_t i, unsigned int number);

/*
 * Compile @rs. Rule i of the image is rule i of the ruleset; those not in force
 * (disabled, other location, unarmed) are in the image, switched off.
 *
 * Returns 0 or what match_image_new() and rules_slots_get() return.
 */
int ruleset_compile(const struct ruleset *rs, struct rules_slots *slots, enum match_engine engine,
	struct match_image **ret_image, struct diag *diag);

/*
 * Append @f, of an image of @rs, as one line without its end: "FILE:7: rule b can
 * never decide: rule a covers it (FILE:3)".
 */
struct sbuf;
void ruleset_finding_text(
	const struct ruleset *rs, const struct match_finding *f, struct sbuf *out);

/*
 * The same, from @image, which was made of @prev, where @rs was loaded after that and little has
 * changed; else as ruleset_compile(). @image stays as it is.
 */
int ruleset_recompile(const struct ruleset *rs, const struct ruleset *prev,
	const struct match_image *image, struct rules_slots *slots, enum match_engine engine,
	struct match_image **ret_image, struct diag *diag);

/*
 * Append what @image, which is of @rs, was compiled to, or what its rules cost:
 * match/dump.h, match/cost.h. @rs and @image may be in use meanwhile.
 *
 * Returns 0, -ENOENT: no such rule, -EINVAL: no such stage, -ENOMEM.
 */
struct ruleset_report_opts {
	enum { RULESET_DUMP, RULESET_COST, RULESET_COST_JSON } kind;
	const char *stage; /* of a dump; NULL: all */
	const char *rule; /* NULL: all */
};
int ruleset_report(const struct ruleset *rs, const struct match_image *image,
	const struct ruleset_report_opts *opts, struct sbuf *out, struct diag *diag);

/*
 * When the TTL of each rule began: with the first load of its text, through
 * every reload and, where saved, restart. One thread per object; what *_note()
 * made never changes.
 */
struct ruleset_ttl;
int ruleset_ttl_new(struct ruleset_ttl **ret_ttl); /* empty; 0, -ENOMEM */
void ruleset_ttl_free(struct ruleset_ttl *ttl);

/*
 * Read what ruleset_ttl_save() wrote; a missing file is empty. Returns 0,
 * -EINVAL: something else stands there, -errno, -ENOMEM.
 */
int ruleset_ttl_load(const char *path, struct ruleset_ttl **ret_ttl, struct diag *diag);

/* Write, sync, rename. Returns 0, -errno with file and sentence. */
int ruleset_ttl_save(const struct ruleset_ttl *ttl, const char *path, struct diag *diag);

/*
 * The times for @rs, loaded at @now_ms (since 1970): those of @prev (may be
 * NULL) where name and text are the same, else now. Returns 0, -ENOMEM.
 */
int ruleset_ttl_note(const struct ruleset_ttl *prev, const struct ruleset *rs, uint64_t now_ms,
	struct ruleset_ttl **ret_ttl);

/* When rule @i of the noted @rs expires, ms since 1970; UINT64_MAX: never. */
uint64_t ruleset_ttl_end_ms(const struct ruleset_ttl *ttl, const struct ruleset *rs, size_t i);

/* What "proto =" calls IP protocol @proto, or NULL. */
const char *rules_proto_name(uint8_t proto);

/* Keys of [rule] and [set]; *@ret_n rows. */
const struct ini_key *ruleset_keys(size_t *ret_n);

#endif
