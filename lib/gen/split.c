// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "gen/gen.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int
fail_at(struct diag *diag, const char *text, const char *at, const char *what)
{
	return diag_fail_at(diag, -EINVAL, diag != NULL ? diag->line : 0,
		(unsigned int)(at - text) + 1, "%s", what);
}

/*
 * Copy the quoted text that starts with the quote at *@s to *@to. In double
 * quotes a backslash escapes only what ends or continues them, as in a shell.
 * Returns false when the quote is not closed.
 */
static bool
copy_quoted(const char **s, char **to)
{
	const char quote = *(*s)++;

	while (**s != '\0' && **s != quote) {
		if (quote == '"' && **s == '\\' && ((*s)[1] == '"' || (*s)[1] == '\\'))
			(*s)++;
		*(*to)++ = *(*s)++;
	}
	if (**s == '\0')
		return false;
	(*s)++;
	return true;
}

/* Copy the word at *@s to *@to, with its NUL. @text is the whole, for the column. */
static int
copy_word(const char *text, const char **s, char **to, struct diag *diag)
{
	while (**s != '\0' && !is_blank(**s)) {
		const char *start = *s;

		if (**s == '\'' || **s == '"') {
			if (!copy_quoted(s, to))
				return fail_at(diag, text, start, "this quote is not closed");
			continue;
		}
		if (**s == '\\') {
			(*s)++;
			if (**s == '\0')
				return fail_at(diag, text, start, "nothing follows this backslash");
		}
		*(*to)++ = *(*s)++;
	}
	*(*to)++ = '\0';
	return 0;
}

int
gen_split(const char *text, char ***ret_argv, struct diag *diag)
{
	/* Every word but the last is followed by a blank. */
	const size_t len = strlen(text), max = len / 2 + 1;
	const char *s = text;
	char **argv;
	char *to;
	int n = 0, r;

	argv = mem_zalloc((max + 1) * sizeof(*argv) + len + 1);
	if (argv == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	to = (char *)(argv + max + 1);

	for (;;) {
		while (is_blank(*s))
			s++;
		if (*s == '\0')
			break;
		argv[n++] = to;
		r = copy_word(text, &s, &to, diag);
		if (r < 0) {
			mem_free(argv);
			return r;
		}
	}
	*ret_argv = argv;
	return n;
}
