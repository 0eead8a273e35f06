// SPDX-License-Identifier: BSD-3-Clause
/*
 * The part of sluice's cli.c that commands call, without a word on stderr, so that
 * a command can be run on every input. What it would say is still formatted.
 */
#include <stdarg.h>
#include <stdio.h>

#include "../../app/sluice/cli.h"
#include "base/diag.h"
#include "fuzz.h"
#include "quiet_cli.h"

const struct cli_cmd *cli_current;
bool quiet_cli_failed;

int
cli_fail(int status, const char *fmt, ...)
{
	char buf[1024];
	va_list ap;

	va_start(ap, fmt);
	fuzz_check(vsnprintf(buf, sizeof(buf), fmt, ap) > 0);
	va_end(ap);
	quiet_cli_failed = true;
	return status;
}

int
cli_fail_diag(int status, const struct diag *diag)
{
	char buf[sizeof(diag->file) + sizeof(diag->msg) + 64];

	fuzz_check(diag->msg[0] != '\0');
	return cli_fail(status, "%s", diag_format(diag, buf, sizeof(buf)));
}

int
cli_flush(void)
{
	return fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
}

int
cli_stdout_check(void)
{
	return 0;
}
