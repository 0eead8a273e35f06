/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_JSON_H
#define BASE_JSON_H

/* JSON that programs write: no library is needed for that. */

struct sbuf;

/*
 * Append @s as a JSON string (RFC 8259). Bytes that are not UTF-8, as names of
 * files may have them, become U+FFFD each.
 */
void json_add_string(struct sbuf *out, const char *s);

#endif
