// SPDX-License-Identifier: BSD-3-Clause
/* Any bytes as a configuration file: sections and keys with their places, or one place and a reason. */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/ini.h"

#include "fuzz.h"

static void
walk(const struct ini_doc *doc)
{
	const struct ini_section *sections;
	unsigned int last = 0;
	size_t n;

	sections = ini_doc_sections(doc, &n);
	for (size_t i = 0; i < n; i++) {
		const struct ini_section *s = &sections[i];

		fuzz_check(s->kind != NULL && s->name != NULL && strcmp(s->file, "fuzz") == 0);
		fuzz_check(strlen(s->kind) + strlen(s->name) <= INI_SECTION_MAX);
		fuzz_check(s->line > last);
		last = s->line;
		for (size_t j = 0; j < s->n_entries; j++) {
			fuzz_check(s->entries[j].key[0] != '\0');
			fuzz_check(strlen(s->entries[j].value) <= INI_LINE_MAX);
			fuzz_check(s->entries[j].line > last);
			last = s->entries[j].line;
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ini_doc *doc = NULL;
	struct diag d = {0};
	int r = ini_load_text("fuzz", (const char *)data, size, &doc, &d);

	if (r == 0)
		walk(doc);
	else
		fuzz_check(doc == NULL && d.msg[0] != '\0' && (d.line > 0 || r != -EINVAL));
	ini_doc_free(doc);
	return 0;
}
