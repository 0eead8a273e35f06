/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_INI_LINE_H
#define BASE_INI_LINE_H

/*
 * One line of an INI file, taken apart by our own rules before inih sees it
 * (private to lib/base). Slices point into the line and live as long as it.
 */

#include <stdbool.h>
#include <stddef.h>

struct diag;

enum ini_line_kind {
	INI_LINE_NOTHING, /* blank or comment */
	INI_LINE_SECTION, /* @name holds what stands between the brackets */
	INI_LINE_KEY, /* @name = @value */
};

struct ini_slice {
	const char *s;
	size_t len; /* bytes */
};

struct ini_line {
	enum ini_line_kind kind;
	struct ini_slice name, value; /* blanks around them removed */
};

/* What inih's isspace() takes for a blank, within a line. */
bool ini_is_blank(char c);

/* Returns 0, or -EINVAL with the sentence (and column) in @diag. */
int ini_line_parse(const char *s, size_t len, struct ini_line *ret_line, struct diag *diag);

/*
 * How many bytes of @rest, at most @max, go into the next piece: the cut lies
 * where neither side is blank and the next byte starts no comment, since inih
 * strips and skips at both ends of every line. 0: there is no such place.
 */
size_t ini_line_cut(struct ini_slice rest, size_t max);

#endif
