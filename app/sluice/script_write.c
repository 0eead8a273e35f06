// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <string.h>

#include "base/sbuf.h"
#include "cli.h"
#include "output.h"
#include "script.h"
#include "shell.h"

#define SCRIPT_MODE 0750

int
script_write(const struct sbuf *b, const char *file)
{
	struct sbuf said = SBUF_INIT;
	int status = output_write(b, file, SCRIPT_MODE);

	if (status != CLI_DONE || strcmp(file, "-") == 0)
		return status;
	shell_add_printable(&said, file);
	printf("Generated file '%s'\n", sbuf_str(&said));
	sbuf_fini(&said);
	return CLI_DONE;
}
