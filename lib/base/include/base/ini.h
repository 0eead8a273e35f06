/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_INI_H
#define BASE_INI_H

/*
 * Strict INI files: a document is every section and key of one or several
 * files, in order, each with its place. Read through inih with a reader of our
 * own around it, since inih cuts long lines silently and has no line numbers.
 * What the keys mean is for lib/ctl and lib/rules. Immutable once loaded; one
 * thread while loading.
 */

#include <stdbool.h>
#include <stddef.h>

struct diag;

#define INI_LINE_MAX 65536 /* bytes; a longer line is refused */
#define INI_SECTION_MAX 48 /* bytes between the brackets */

struct ini_entry {
	const char *key;
	const char *value; /* comments and blanks at the ends removed; may be "" */
	unsigned int line;
};

struct ini_section {
	const char *kind; /* "rule" of "[rule random-subdomains]" */
	const char *name; /* "random-subdomains", or "" */
	const char *file;
	unsigned int line;
	const struct ini_entry *entries;
	size_t n_entries;
};

struct ini_doc;

/*
 * Read @path ("-": standard input). With @conf_d not NULL, then also every
 * "*.ini" in that directory, by name in byte order; a missing directory is empty.
 *
 * Returns 0, -errno of opening or reading, -EINVAL for a line that is neither
 * section, key = value, comment nor blank, for a section line over
 * INI_SECTION_MAX, a line over INI_LINE_MAX, a NUL byte, a key twice in a
 * section; diag has file and line. -ENOMEM.
 */
int ini_load(const char *path, const char *conf_d, struct ini_doc **ret_doc, struct diag *diag);

/* The same from memory; @name stands for the file in messages. */
int ini_load_text(const char *name, const char *text, size_t len, struct ini_doc **ret_doc,
	struct diag *diag);

void ini_doc_free(struct ini_doc *doc);

/* All sections in the order read; *@ret_n of them. */
const struct ini_section *ini_doc_sections(const struct ini_doc *doc, size_t *ret_n);

/* Fill @diag with the place of @e (or of the section's line when NULL) and return @err. */
int ini_fail(struct diag *diag, int err, const struct ini_section *s, const struct ini_entry *e,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/*
 * One key that a section may have. Tables of these are the only place that
 * knows the keys: parser, --print-config, conf/sluiced.ini and the man page
 * come from them.
 */
enum ini_tier { INI_MUST, INI_SPEED, INI_LEAVE }; /* must look at, speed only, leave alone */
struct ini_key {
	const char *section; /* kind */
	const char *key;
	enum ini_tier tier;
	const char *type; /* as in the man page: "PREFIX, …", "yes|no", "RATE pps" */
	const char *range; /* "1-64", or NULL */
	const char *def; /* default as it would be written; "" is none */
	const char *help; /* one sentence, full stop included */
};

/* The row of @key in sections of @kind, or NULL. */
const struct ini_key *ini_key_find(
	const struct ini_key *keys, size_t n, const char *kind, const char *key);

/*
 * Refuse what no row of @keys knows, with the nearest name that one knows, or
 * the section that @e belongs to. Return -EINVAL.
 */
int ini_fail_key(struct diag *diag, const struct ini_key *keys, size_t n,
	const struct ini_section *s, const struct ini_entry *e);
int ini_fail_section(
	struct diag *diag, const char *const *kinds, size_t n_kinds, const struct ini_section *s);

/*
 * Names of rules, sets, ports, sinks: [A-Za-z][A-Za-z0-9._-]{0,39}.
 * ini_check_name() returns 0, or -EINVAL with the place and the sentence.
 */
#define INI_NAME_MAX 40 /* bytes */
bool ini_name_ok(const char *name);
int ini_check_name(struct diag *diag, const struct ini_section *s);

#endif
