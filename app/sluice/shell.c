// SPDX-License-Identifier: BSD-3-Clause
#include "shell.h"

#include <string.h>

#include "base/sbuf.h"

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool
is_printable(char c)
{
	return c >= ' ' && c <= '~';
}

/* Whether '…' can hold @text so that nobody, shellcheck neither, takes it for more than it is. */
static bool
is_simple(const char *text)
{
	while (is_printable(*text) && strchr("'\\$`", *text) == NULL)
		text++;
	return *text == '\0';
}

/* A byte in $'…'. */
static void
add_escaped(struct sbuf *b, char c)
{
	if (!is_printable(c))
		sbuf_addf(b, "\\x%02x", (unsigned char)c);
	else if (c == '\'' || c == '\\')
		sbuf_addf(b, "\\%c", c);
	else
		sbuf_addc(b, c);
}

void
shell_add_word(struct sbuf *b, const char *text)
{
	const bool simple = is_simple(text);

	if (text[0] != '\0' && text[strspn(text, ALNUM "_./:,@%+-")] == '\0') {
		sbuf_adds(b, text);
		return;
	}
	sbuf_adds(b, simple ? "'" : "$'");
	for (; *text != '\0'; text++) {
		if (simple)
			sbuf_addc(b, *text);
		else
			add_escaped(b, *text);
	}
	sbuf_addc(b, '\'');
}

void
shell_add_printable(struct sbuf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		if (is_printable(*text))
			sbuf_addc(b, *text);
		else
			sbuf_addf(b, "\\x%02x", (unsigned char)*text);
	}
}

/* One line of shell_add_comment(), @len bytes. */
static void
add_line(struct sbuf *b, const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\t')
			sbuf_adds(b, "    ");
		else if (is_printable(line[i]))
			sbuf_addc(b, line[i]);
		else
			sbuf_addf(b, "\\x%02x", (unsigned char)line[i]);
	}
}

void
shell_add_comment(struct sbuf *b, const char *prefix, const char *text)
{
	while (*text != '\0') {
		const size_t len = strcspn(text, "\n");

		sbuf_adds(b, prefix);
		add_line(b, text, len);
		sbuf_addc(b, '\n');
		text += len + (text[len] == '\n');
	}
}

bool
shell_is_name(const char *text)
{
	return text[0] != '\0' && text[0] != '-' && text[0] != '.' &&
		text[strspn(text, ALNUM "_.-")] == '\0';
}
