// SPDX-License-Identifier: BSD-3-Clause
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/util.h"

#include "log.h"

#define LOG_LINE_MAX 1024 /* bytes; the journal takes more, a reader does not */

static bool log_plain = true;
static bool log_verbose;

void
log_init(bool plain, bool verbose)
{
	log_plain = plain || isatty(STDERR_FILENO);
	log_verbose = verbose;
}

static size_t
put_prefix(char *line, size_t size, enum log_level level)
{
	int n;

	if (log_plain)
		n = snprintf(line, size, "sluiced: ");
	else
		n = snprintf(line, size, "<%d>", (int)level);
	return n > 0 ? (size_t)n : 0;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	size_t len;
	va_list ap;

	if (level == LOG_LEVEL_DEBUG && !log_verbose)
		return;

	len = put_prefix(line, sizeof(line), level);
	va_start(ap, fmt);
	(void)vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);

	len = strlen(line);
	for (size_t i = 0; i < len; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nobody is left to tell */
}

void
log_diag(enum log_level level, const char *what, const struct diag *diag)
{
	char text[LOG_LINE_MAX];

	diag_format(diag, text, sizeof(text));
	log_line(level, "%s%s", what, text);
}
