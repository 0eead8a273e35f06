// SPDX-License-Identifier: BSD-3-Clause
#include "base/json.h"

#include <stddef.h>
#include <stdint.h>

#include "base/sbuf.h"
#include "base/util.h"

/* Bytes of the UTF-8 character at @s (RFC 3629), 0 when there is none. */
static size_t
utf8_len(const uint8_t *s)
{
	static const struct {
		uint8_t lo, hi; /* of the first byte */
		uint8_t lo2, hi2; /* of the second */
		uint8_t len;
	} kinds[] = {
		{0x00, 0x7f, 0, 0, 1},
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < DIM(kinds); i++) {
		if (s[0] < kinds[i].lo || s[0] > kinds[i].hi)
			continue;
		if (kinds[i].len > 1 && (s[1] < kinds[i].lo2 || s[1] > kinds[i].hi2))
			return 0;
		/* The NUL at the end is none of these. */
		for (size_t j = 2; j < kinds[i].len; j++)
			if ((s[j] & 0xc0) != 0x80)
				return 0;
		return kinds[i].len;
	}
	return 0;
}

void
json_add_string(struct sbuf *out, const char *s)
{
	sbuf_addc(out, '"');
	while (*s != '\0') {
		const size_t len = utf8_len((const uint8_t *)s);

		if (len == 0)
			sbuf_adds(out, "\\ufffd");
		else if ((uint8_t)*s < 0x20 || *s == 0x7f)
			sbuf_addf(out, "\\u%04x", (unsigned int)*s);
		else if (*s == '"' || *s == '\\')
			sbuf_addf(out, "\\%c", *s);
		else
			sbuf_add(out, s, len);
		s += len == 0 ? 1 : len;
	}
	sbuf_addc(out, '"');
}
