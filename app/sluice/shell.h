/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_SHELL_H
#define SLUICE_SHELL_H

/*
 * Text of users inside a bash script. Whatever the text is, it stays one word,
 * or one comment, and the script stays printable ASCII.
 */

#include <stdbool.h>

struct sbuf;

/* Append @text as one word of bash: bare where it can be, else '…' or $'…'. */
void shell_add_word(struct sbuf *b, const char *text);

/* Append @text for a comment: a byte that is not printable ASCII becomes \xNN. */
void shell_add_printable(struct sbuf *b, const char *text);

/* Append each line of @text behind @prefix, printable; blanks at its end go. */
void shell_add_comment(struct sbuf *b, const char *prefix, const char *text);

/* Only [A-Za-z0-9_.-], not empty, no '-' or '.' in front: a name for files, sets and chains. */
bool shell_is_name(const char *text);

#endif
