/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

/*
 * Strict parsing of the values that users write: the whole string counts,
 * trailing garbage and numbers out of range are errors, blanks are allowed only
 * around the number and between number and unit. All functions: 0, or -EINVAL
 * (not such a value) or -ERANGE (one, but outside the range) with the sentence
 * in @diag, which may be NULL; the result is not written on failure. Any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;

/* Decimal or 0x-hexadecimal number in [@min, @max]. */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret, struct diag *diag);
int parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret, struct diag *diag);

/* What the hexadecimal digit @c is worth; -1: it is none, as EOF. */
int parse_hex_digit(int c);

/* Whether @c is a digit of numbers with @base, 2 to 16. */
bool parse_is_digit(int c, int base);

/* "yes" or "no", nothing else. */
int parse_bool(const char *s, bool *ret, struct diag *diag);

/* "500k pps", "1M pps", "2 Gbps": number, optional k/M/G (powers of 1000), unit pps or bps. */
enum parse_rate_unit { PARSE_PPS, PARSE_BPS };
struct parse_rate {
	uint64_t per_s; /* packets or bits a second */
	enum parse_rate_unit unit;
};
int parse_rate(const char *s, struct parse_rate *ret, struct diag *diag);

/* "30 s", "250 ms", "6 h", "2 min", "1 d" as milliseconds. */
int parse_duration_ms(const char *s, uint64_t *ret_ms, struct diag *diag);

/* "64 MiB", "10 KiB", "1 GiB", "100 B" as bytes. */
int parse_bytes(const char *s, uint64_t *ret_bytes, struct diag *diag);

/* "1/1000" as 1000, "off" and "0" as 0; up to 1/2^31. */
int parse_one_in(const char *s, uint32_t *ret_n, struct diag *diag);

/* An address: @family is 4 or 6; IPv4 uses the first four bytes, the rest is 0. */
struct ip_addr {
	uint8_t family;
	uint8_t bytes[16];
};
struct ip_prefix {
	struct ip_addr addr; /* bits behind @len are 0 */
	uint8_t len; /* 0..32 or 0..128 */
};
#define IP_PREFIX_TEXT 52 /* bytes that any prefix as text takes, with the NUL */

int parse_ip_addr(const char *s, struct ip_addr *ret, struct diag *diag);

/* An address is a prefix of full length. Host bits that are set are an error. */
int parse_ip_prefix(const char *s, struct ip_prefix *ret, struct diag *diag);

/* Write @p as text to @buf. Returns @buf. */
const char *ip_prefix_text(const struct ip_prefix *p, char buf[IP_PREFIX_TEXT]);

/* The last address in @p; its own one is the first. */
struct ip_addr ip_prefix_last(const struct ip_prefix *p);

/* True when @addr (same layout as struct ip_addr's bytes) lies in @p. */
bool ip_prefix_has(const struct ip_prefix *p, uint8_t family, const uint8_t *addr);

/* An inclusive range of numbers. */
struct u16_range {
	uint16_t lo, hi;
};

/* "53", "1024-65535" within [@min, @max], @lo <= @hi. */
int parse_range(
	const char *s, uint16_t min, uint16_t max, struct u16_range *ret, struct diag *diag);

/*
 * The next piece of the list at *@cursor up to @sep, blanks around it removed,
 * as a slice of the list. Returns false at the end. An empty piece has *ret_len 0.
 */
bool parse_next(const char **cursor, char sep, const char **ret_piece, size_t *ret_len);

/*
 * The name nearest to @name among @n @names (each a string), for "did you
 * mean": NULL when none is within a third of its length (at least 2 edits).
 */
const char *parse_nearest(const char *name, const char *const *names, size_t n);

#endif
