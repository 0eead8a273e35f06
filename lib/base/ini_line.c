// SPDX-License-Identifier: BSD-3-Clause
#include "ini_line.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/ini.h"

#define KEY_MAX 48 /* bytes; inih cuts the name it repeats for a continuation at 49 */
#define QUOTE_MAX 60 /* bytes of the user's text that a message repeats */

bool
ini_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct ini_slice
trim(struct ini_slice t)
{
	while (t.len > 0 && ini_is_blank(t.s[0])) {
		t.s++;
		t.len--;
	}
	while (t.len > 0 && ini_is_blank(t.s[t.len - 1]))
		t.len--;
	return t;
}

/* How much of @t a message repeats. */
static int
quote_len(struct ini_slice t)
{
	return (int)(t.len < QUOTE_MAX ? t.len : QUOTE_MAX);
}

/* @t up to a ';' behind a blank. */
static struct ini_slice
without_comment(struct ini_slice t)
{
	for (size_t i = 1; i < t.len; i++)
		if (t.s[i] == ';' && ini_is_blank(t.s[i - 1])) {
			t.len = i;
			break;
		}
	return t;
}

/*
 * Control characters are refused: NUL would end the value early, and inih
 * strips \r, \v and \f like blanks.
 */
static int
check_bytes(struct ini_slice t, struct diag *diag)
{
	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.s[i];

		if (c < 0x20 && c != '\t')
			return diag_fail(diag, -EINVAL,
				"expected text, got the control character 0x%02x in column %zu", c,
				i + 1);
	}
	return 0;
}

static int
section_line(struct ini_slice t, struct ini_line *ret_line, struct diag *diag)
{
	const char *end = memchr(t.s, ']', t.len);
	struct ini_slice name;

	if (end == NULL)
		return diag_fail(
			diag, -EINVAL, "expected ']' at the end of '%.*s'", quote_len(t), t.s);
	if (end != t.s + t.len - 1)
		return diag_fail(diag, -EINVAL, "expected nothing behind ']', got '%.*s'",
			quote_len((struct ini_slice){end + 1, (size_t)(t.s + t.len - end - 1)}),
			end + 1);
	name = trim((struct ini_slice){t.s + 1, t.len - 2});
	if (name.len == 0)
		return diag_fail(diag, -EINVAL, "expected a section name in '[]'");
	if (t.len - 2 > INI_SECTION_MAX)
		return diag_fail(diag, -EINVAL,
			"expected at most %d bytes between '[' and ']', got %zu", INI_SECTION_MAX,
			t.len - 2);
	*ret_line = (struct ini_line){.kind = INI_LINE_SECTION, .name = name};
	return 0;
}

static int
key_line(struct ini_slice t, struct ini_line *ret_line, struct diag *diag)
{
	const char *eq = memchr(t.s, '=', t.len);
	size_t key_len = eq != NULL ? (size_t)(eq - t.s) : 0;
	struct ini_slice key = trim((struct ini_slice){t.s, key_len});

	if (key.len == 0 || memchr(key.s, ':', key.len) != NULL)
		return diag_fail(diag, -EINVAL, "expected [section] or key = value, got '%.*s'",
			quote_len(t), t.s);
	if (key.len > KEY_MAX)
		return diag_fail(diag, -EINVAL, "expected a key of at most %d bytes, got '%.*s…'",
			KEY_MAX, KEY_MAX, key.s);
	*ret_line = (struct ini_line){
		.kind = INI_LINE_KEY,
		.name = key,
		.value = trim((struct ini_slice){eq + 1, t.len - key_len - 1}),
	};
	return 0;
}

int
ini_line_parse(const char *s, size_t len, struct ini_line *ret_line, struct diag *diag)
{
	struct ini_slice t = {s, len};
	int r;

	if (t.len > 0 && t.s[t.len - 1] == '\r')
		t.len--;
	if (t.len > INI_LINE_MAX)
		return diag_fail(diag, -EINVAL, "expected a line of at most %d bytes, got %zu",
			INI_LINE_MAX, t.len);
	r = check_bytes(t, diag);
	if (r < 0)
		return r;
	t = trim(t);
	if (t.len == 0 || t.s[0] == ';' || t.s[0] == '#') {
		*ret_line = (struct ini_line){.kind = INI_LINE_NOTHING};
		return 0;
	}
	t = trim(without_comment(t));
	return t.s[0] == '[' ? section_line(t, ret_line, diag) : key_line(t, ret_line, diag);
}

size_t
ini_line_cut(struct ini_slice rest, size_t max)
{
	if (rest.len <= max)
		return rest.len;
	for (size_t n = max; n > 0; n--) {
		char next = rest.s[n];

		if (!ini_is_blank(rest.s[n - 1]) && !ini_is_blank(next) && next != ';' &&
			next != '#')
			return n;
	}
	return 0;
}
