// SPDX-License-Identifier: BSD-3-Clause
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/util.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

const char *
units_count(uint64_t n, char buf[UNITS_TEXT])
{
	char digits[24];
	const size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *p = buf;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return buf;
}

const char *
units_bytes(uint64_t n, char buf[UNITS_TEXT])
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	double v = (double)n / 1000;
	size_t i = 0;

	if (n < 1000) {
		(void)snprintf(buf, UNITS_TEXT, "%" PRIu64 " B", n);
		return buf;
	}
	for (; v >= 999.5 && i + 1 < DIM(units); i++)
		v /= 1000;
	(void)snprintf(
		buf, UNITS_TEXT, "%.*f %s", v < 9.995 ? 2 : (v < 99.95 ? 1 : 0), v, units[i]);
	return buf;
}

const char *
units_share(uint64_t part, uint64_t whole, char buf[UNITS_TEXT])
{
	double v;

	v = whole > 0 ? 100.0 * (double)part / (double)whole : 0;
	if (whole == 0)
		(void)snprintf(buf, UNITS_TEXT, "-");
	else if (part > 0 && v < 0.05)
		(void)snprintf(buf, UNITS_TEXT, "< 0.1 %%");
	else if (part < whole && v >= 99.95)
		(void)snprintf(buf, UNITS_TEXT, "> 99.9 %%");
	else
		(void)snprintf(buf, UNITS_TEXT, "%.1f %%", v);
	return buf;
}

const char *
units_seconds(uint64_t from_ns, uint64_t to_ns, char buf[UNITS_TEXT])
{
	const uint64_t d = to_ns >= from_ns ? to_ns - from_ns : from_ns - to_ns;

	(void)snprintf(buf, UNITS_TEXT, "%s%" PRIu64 ".%03" PRIu64 " s", to_ns < from_ns ? "-" : "",
		d / NS_PER_S, d % NS_PER_S / NS_PER_MS);
	return buf;
}

const char *
units_utc(uint64_t time_ns, char buf[UNITS_TEXT])
{
	const time_t t = (time_t)(time_ns / NS_PER_S);
	struct tm tm;
	size_t n = 0;

	if (gmtime_r(&t, &tm) != NULL)
		n = strftime(buf, UNITS_TEXT - 8, "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(buf + n, UNITS_TEXT - n, ".%03" PRIu64, time_ns % NS_PER_S / NS_PER_MS);
	return buf;
}
