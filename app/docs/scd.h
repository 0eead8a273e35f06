/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DOCS_SCD_H
#define DOCS_SCD_H

/* Source for scdoc(1), on standard output: text of the tables made safe for it. */

#include <stddef.h>

/* The title line and NAME; @section as in man: 1, 5, 8. */
void scd_head(const char *name, int section, const char *help);

/* "# TITLE" or "## TITLE" with an empty line before and behind. */
void scd_section(const char *title);
void scd_subsection(const char *title);

/*
 * Text for people: an empty line begins a paragraph, lines are filled, a line that
 * begins with a blank is kept as it is. @indent: tabs before each line.
 */
void scd_text(const char *text, unsigned int indent);

/* Lines kept as they are. */
void scd_literal(const char *text, unsigned int indent);

/* One word or phrase, escaped, plain, bold or as a metavariable. */
void scd_plain(const char *text);
void scd_bold(const char *text);
void scd_meta(const char *text);

/* EXIT STATUS of every program here. */
void scd_exit_status(const char *const sentences[3]);

#endif
