// SPDX-License-Identifier: BSD-3-Clause
/* Any text as any value: what is accepted can be written and read again, what is not says why. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/util.h"

#include "fuzz.h"

static void
answered(int r, const struct diag *d)
{
	fuzz_check(r == 0 || r == -EINVAL || r == -ERANGE);
	fuzz_check((r == 0) == (d->msg[0] == '\0'));
}

static void
values(const char *s)
{
	uint64_t v;
	uint32_t n;
	bool yes;
	struct parse_rate rate;
	struct u16_range range;
	struct diag d[7] = {0};

	answered(parse_u64(s, 10, 1000, &v, &d[0]), &d[0]);
	answered(parse_bool(s, &yes, &d[1]), &d[1]);
	answered(parse_rate(s, &rate, &d[2]), &d[2]);
	answered(parse_duration_ms(s, &v, &d[3]), &d[3]);
	answered(parse_bytes(s, &v, &d[4]), &d[4]);
	answered(parse_one_in(s, &n, &d[5]), &d[5]);
	if (parse_range(s, 1, 65535, &range, &d[6]) == 0)
		fuzz_check(range.lo <= range.hi && range.lo >= 1);
}

static void
prefix(const char *s)
{
	struct ip_prefix p, q;
	struct diag d = {0};
	char text[IP_PREFIX_TEXT];
	int r = parse_ip_prefix(s, &p, &d);

	answered(r, &d);
	if (r < 0)
		return;
	fuzz_check(ip_prefix_has(&p, p.addr.family, p.addr.bytes));
	fuzz_check(parse_ip_prefix(ip_prefix_text(&p, text), &q, NULL) == 0);
	fuzz_check(memcmp(&p, &q, sizeof(p)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"action", "mode", "when", "order"};
	char *s = mem_strndup((const char *)data, size);
	const char *cursor = s, *piece;
	size_t len;

	if (s == NULL)
		return 0;
	values(s);
	prefix(s);
	(void)parse_nearest(s, names, DIM(names));
	while (parse_next(&cursor, ',', &piece, &len))
		fuzz_check(piece >= s && piece + len <= s + strlen(s));
	mem_free(s);
	return 0;
}
