// SPDX-License-Identifier: BSD-3-Clause
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "base/diag.h"
#include "ctl/conf.h"
#include "match/image.h"
#include "rules/ruleset.h"

#include "log.h"
#include "ttl.h"

uint64_t
ttl_now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static const char *
state_path(const struct ctl_conf *conf, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%s/ttl.state", conf->state_dir);
	return buf;
}

static bool
any_ttl(const struct ruleset *rules)
{
	for (size_t i = 0; i < ruleset_count(rules); i++)
		if (ruleset_info(rules, i)->ttl_ms != 0)
			return true;
	return false;
}

struct ruleset_ttl *
ttl_load(const struct ruleset *rules, const struct ctl_conf *conf)
{
	struct ruleset_ttl *ttl = NULL;
	struct diag diag = {0};
	char path[PATH_MAX];

	if (any_ttl(rules)) {
		if (ruleset_ttl_load(state_path(conf, path, sizeof(path)), &ttl, &diag) == 0)
			return ttl;
		log_diag(LOG_LEVEL_WARNING, "times to live start anew: ", &diag);
	}
	(void)ruleset_ttl_new(&ttl);
	return ttl;
}

void
ttl_save(const struct ruleset_ttl *ttl, const struct ruleset *rules, const struct ctl_conf *conf)
{
	struct diag diag = {0};
	char path[PATH_MAX];

	if (any_ttl(rules) &&
		ruleset_ttl_save(ttl, state_path(conf, path, sizeof(path)), &diag) < 0)
		log_diag(LOG_LEVEL_WARNING,
			"times to live will start anew after a restart: ", &diag);
}

size_t
ttl_apply(const struct ruleset_ttl *ttl, const struct ruleset *rules, struct match_image *image,
	uint64_t now_ms)
{
	size_t over = 0;

	for (size_t i = 0; i < ruleset_count(rules); i++) {
		if (now_ms < ruleset_ttl_end_ms(ttl, rules, i))
			continue;
		match_image_enable(image, (uint32_t)i, false);
		over++;
	}
	return over;
}
