// SPDX-License-Identifier: BSD-3-Clause
/*
 * Prints one page of the manual, as scdoc source, or one bash completion, from the
 * tables that the programs themselves run on. A tool of the build.
 */
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "cli.h"
#include "pages.h"

static const struct {
	const char *name;
	void (*print)(void);
} pages[] = {
	{"sluice.1", page_sluice},
	{"sluiced.8", page_sluiced},
	{"sluiced.ini.5", page_config},
	{"sluice-rules.5", page_rules},
	{"completion/sluice", complete_sluice},
	{"completion/sluiced", complete_sluiced},
};

static int
print_page(const char *name)
{
	char page[64];

	for (size_t i = 0; i < DIM(pages); i++)
		if (strcmp(pages[i].name, name) == 0) {
			pages[i].print();
			return 0;
		}
	for (size_t i = 0; i < cli_n_commands; i++) {
		(void)snprintf(page, sizeof(page), "sluice-%s.1", cli_commands[i]->name);
		if (strcmp(page, name) != 0)
			continue;
		page_command(cli_commands[i]);
		return 0;
	}
	fprintf(stderr, "sluice-docs: there is no page '%s'\n", name);
	return 2;
}

int
main(int argc, char **argv)
{
	int status;

	if (argc != 2) {
		fprintf(stderr, "Usage: sluice-docs PAGE\n");
		return 2;
	}
	status = print_page(argv[1]);
	if (status == 0 && fflush(stdout) != 0) {
		perror("sluice-docs");
		return 1;
	}
	return status;
}
