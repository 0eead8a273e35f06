// SPDX-License-Identifier: BSD-3-Clause
#include "hex.h"

#include "base/sbuf.h"
#include "base/util.h"

void
hex_add(struct sbuf *b, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char text[512];

	for (size_t done = 0; done < n;) {
		const size_t some = MIN(n - done, sizeof(text) / 2);

		for (size_t i = 0; i < some; i++) {
			text[2 * i] = digits[bytes[done + i] >> 4];
			text[2 * i + 1] = digits[bytes[done + i] & 15];
		}
		sbuf_add(b, text, 2 * some);
		done += some;
	}
}
