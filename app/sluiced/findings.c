// SPDX-License-Identifier: BSD-3-Clause
#include <stdbool.h>
#include <stddef.h>

#include "base/sbuf.h"
#include "match/report.h"
#include "rules/ruleset.h"

#include "findings.h"
#include "log.h"

#define LINES_MAX 16 /* a log is no place for more; sluice check has all */

void
findings_log(const struct ruleset *rules, const struct match_image *image)
{
	size_t n;
	bool cut;
	const struct match_finding *v = match_image_findings(image, &n, &cut);

	for (size_t i = 0; i < n && i < LINES_MAX; i++) {
		struct sbuf line = SBUF_INIT;

		ruleset_finding_text(rules, &v[i], &line);
		log_line(LOG_LEVEL_WARNING, "%s", sbuf_ok(&line) ? sbuf_str(&line) : "");
		sbuf_fini(&line);
	}
	if (n > LINES_MAX)
		log_line(LOG_LEVEL_WARNING, "%zu more such rules; sluice check tells of all",
			n - LINES_MAX);
}
