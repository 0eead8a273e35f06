// SPDX-License-Identifier: BSD-3-Clause
#include "scd.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sluice_build.h"

#define LINE_MAX_COL 76 /* bytes; man's linter wants lines of roff under 80 */

static void
tabs(unsigned int indent)
{
	for (unsigned int i = 0; i < indent; i++)
		putchar('\t');
}

/* What means something to scdoc within a line. */
static void
escaped(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strchr("\\*_`", text[i]) != NULL)
			putchar('\\');
		putchar(text[i]);
	}
}

/* A first byte that makes a line something else than text, for scdoc or for roff. */
static bool
begins_badly(char c)
{
	return strchr("#-.;'|[]", c) != NULL;
}

void
scd_section(const char *title)
{
	printf("\n# %s\n\n", title);
}

void
scd_subsection(const char *title)
{
	printf("\n## %s\n\n", title);
}

/* Bytes that @n bytes of text take in roff, where scdoc puts "\&" behind some. */
static size_t
roff_len(const char *text, size_t n)
{
	size_t len = n;

	for (size_t i = 0; i < n; i++)
		len += text[i] == '.' || text[i] == '\'' || text[i] == '!' || text[i] == '?' ? 2
											     : 0;
	return len;
}

/* Fill the words of one line of a table behind those at column *@col. */
static void
fill(const char *line, size_t len, unsigned int indent, size_t *col)
{
	size_t i = 0;

	while (i < len) {
		size_t n = 0, room;

		while (i < len && line[i] == ' ')
			i++;
		while (i + n < len && line[i + n] != ' ')
			n++;
		if (n == 0)
			break;
		room = roff_len(line + i, n);
		/* An escape keeps scdoc from a first "-", but not roff from a first ".". */
		if (*col > 0 && *col + room > LINE_MAX_COL && line[i] != '.' && line[i] != '\'') {
			putchar('\n');
			*col = 0;
		}
		if (*col == 0) {
			tabs(indent);
			*col = 8 * (size_t)indent;
			if (begins_badly(line[i]))
				putchar('\\');
		} else {
			putchar(' ');
		}
		escaped(line + i, n);
		*col += room + 1;
		i += n;
	}
}

void
scd_head(const char *name, int section, const char *help)
{
	const size_t len = strlen(help);
	size_t col = strlen(name) + 3;

	printf("%s(%d) \"sluice " SLUICE_VERSION "\" \"Sluice\"\n\n# NAME\n\n%s -", name, section,
		name);
	/* What a manual calls a name is no sentence. */
	fill(help, len - (len > 0 && help[len - 1] == '.'), 0, &col);
	printf("\n");
}

static void
fence(unsigned int indent)
{
	tabs(indent);
	printf("```\n");
}

static void
literal_line(const char *line, size_t len, unsigned int indent)
{
	tabs(indent);
	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\\')
			putchar('\\');
		putchar(line[i]);
	}
	putchar('\n');
}

void
scd_literal(const char *text, unsigned int indent)
{
	fence(indent);
	while (*text != '\0') {
		const size_t len = strcspn(text, "\n");

		literal_line(text, len, indent);
		text += len + (text[len] == '\n');
	}
	fence(indent);
}

void
scd_text(const char *text, unsigned int indent)
{
	bool kept = false, gap = false;
	size_t col = 0;

	while (*text != '\0') {
		const size_t len = strcspn(text, "\n");
		const bool keep = text[0] == ' ' || text[0] == '\t';

		if (len == 0) {
			gap = true;
		} else {
			/* Between paragraphs, and where what is kept begins. */
			if (col > 0 && (gap || keep != kept))
				putchar('\n');
			if (kept && (gap || !keep))
				fence(indent);
			if ((col > 0 || kept) && (gap || keep != kept)) {
				putchar('\n');
				col = 0;
			}
			if (keep && (gap || !kept))
				fence(indent);
			kept = keep;
			gap = false;
			if (keep)
				literal_line(text, len, indent);
			else
				fill(text, len, indent, &col);
		}
		text += len + (text[len] == '\n');
	}
	if (kept)
		fence(indent);
	else
		putchar('\n');
}

void
scd_plain(const char *text)
{
	escaped(text, strlen(text));
}

void
scd_bold(const char *text)
{
	putchar('*');
	escaped(text, strlen(text));
	putchar('*');
}

void
scd_meta(const char *text)
{
	putchar('_');
	escaped(text, strlen(text));
	putchar('_');
}

void
scd_exit_status(const char *const sentences[3])
{
	scd_section("EXIT STATUS");
	for (int i = 0; i < 3; i++) {
		printf("*%d*\n", i);
		scd_text(sentences[i], 1);
		putchar('\n');
	}
}
