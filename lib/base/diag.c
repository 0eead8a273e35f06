// SPDX-License-Identifier: BSD-3-Clause
#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

/* By way of a copy: callers put their own words around the message that is there. */
static void __attribute__((format(printf, 2, 0)))
set_msg(struct diag *d, const char *fmt, va_list ap)
{
	char msg[sizeof(d->msg)];
	int n = vsnprintf(msg, sizeof(msg), fmt, ap);

	if (n < 0)
		msg[0] = '\0';
	memcpy(d->msg, msg, strlen(msg) + 1);
}

int
diag_fail(struct diag *d, int err, const char *fmt, ...)
{
	va_list ap;

	if (d == NULL)
		return err;
	va_start(ap, fmt);
	set_msg(d, fmt, ap);
	va_end(ap);
	return err;
}

int
diag_fail_at(struct diag *d, int err, unsigned int line, unsigned int col, const char *fmt, ...)
{
	va_list ap;

	if (d == NULL)
		return err;
	d->line = line;
	d->col = col;
	va_start(ap, fmt);
	set_msg(d, fmt, ap);
	va_end(ap);
	return err;
}

void
diag_set_file(struct diag *d, const char *file)
{
	size_t n;

	if (d == NULL || d->file[0] != '\0')
		return;
	n = strnlen(file, sizeof(d->file) - 1);
	memcpy(d->file, file, n);
	d->file[n] = '\0';
}

const char *
diag_format(const struct diag *d, char *buf, size_t size)
{
	char place[64] = "";

	if (d->line > 0 && d->col > 0)
		(void)snprintf(place, sizeof(place), "%u:%u: ", d->line, d->col);
	else if (d->line > 0)
		(void)snprintf(place, sizeof(place), "%u: ", d->line);
	else if (d->col > 0)
		(void)snprintf(place, sizeof(place), "column %u: ", d->col);

	if (d->file[0] != '\0')
		(void)snprintf(
			buf, size, "%s:%s%s%s", d->file, d->line > 0 ? "" : " ", place, d->msg);
	else if (d->line > 0)
		(void)snprintf(buf, size, "line %s%s", place, d->msg);
	else
		(void)snprintf(buf, size, "%s%s", place, d->msg);
	return buf;
}
