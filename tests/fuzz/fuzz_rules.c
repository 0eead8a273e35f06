// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any bytes as a whole configuration: ports, gate and sinks, rules and sets, an
 * image of them; or a reason with its line. Once accepted, always accepted.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/diag.h"
#include "base/ini.h"
#include "ctl/conf.h"
#include "match/image.h"
#include "rules/ruleset.h"

#include "fuzz.h"

/* Refused with a sentence, and at a line unless the whole file is meant. */
static void
explained(int r, const struct diag *d, const void *result)
{
	fuzz_check(r < 0 && result == NULL && d->msg[0] != '\0');
}

static void
compile(const struct ruleset *rs)
{
	struct rules_slots *slots = NULL;
	struct match_image *image = NULL;
	struct diag d = {0};
	int r;

	if (rules_slots_new(&slots) < 0)
		return;
	r = ruleset_compile(rs, slots, MATCH_ENGINE_INTERP, &image, &d);
	if (r < 0)
		explained(r, &d, image);
	match_image_free(image);
	rules_slots_free(slots);
}

static void
load(const struct ini_doc *doc)
{
	const struct ruleset_opts opts = {.offline = true};
	struct ctl_conf *conf = NULL;
	struct ruleset *rs = NULL;
	struct diag d = {0}, d2 = {0};
	int r;

	r = ctl_conf_load(doc, &conf, &d);
	if (r < 0)
		explained(r, &d, conf);
	else
		fuzz_check(ctl_conf_needs_restart(conf, conf, &d) == 0);
	ctl_conf_free(conf);

	r = ruleset_load(doc, &opts, &rs, &d2);
	if (r < 0) {
		explained(r, &d2, rs);
		return;
	}
	for (size_t i = 0; i < ruleset_count(rs); i++)
		fuzz_check(ruleset_info(rs, i)->name[0] != '\0');
	compile(rs);
	ruleset_free(rs);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ini_doc *doc = NULL;
	struct diag d = {0};

	if (size > 4096)
		return 0;
	if (ini_load_text("fuzz", (const char *)data, size, &doc, &d) == 0)
		load(doc);
	ini_doc_free(doc);
	return 0;
}
