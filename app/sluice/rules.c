// SPDX-License-Identifier: BSD-3-Clause
#include "rules.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/ini.h"
#include "base/mem.h"
#include "ctl/conf.h"
#include "rules/ruleset.h"

/* "conf.d" in the folder of @path; standard input has none. */
static const char *
conf_d_of(const char *path, char *buf, size_t size)
{
	const char *slash = strrchr(path, '/');

	if (strcmp(path, "-") == 0)
		return NULL;
	(void)snprintf(buf, size, "%.*sconf.d", slash != NULL ? (int)(slash - path + 1) : 0, path);
	return buf;
}

static int
load_rules(const struct ini_doc *doc, const struct rules_opts *opts, struct rules_file *f,
	struct diag *diag)
{
	const size_t n = f->conf->n_ports;
	struct ruleset_opts o = {
		.location = opts->location != NULL ? opts->location : f->conf->location,
		.n_ports = opts->offline ? 0 : n,
		.offline = opts->offline,
		.keep_text = opts->keep_text,
	};
	const char **ports = mem_calloc(n + 1, sizeof(*ports));
	int r;

	if (ports == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		ports[i] = f->conf->ports[i].name;
	o.ports = ports;
	r = ruleset_load(doc, &o, &f->rules, diag);
	mem_free(ports);
	return r;
}

int
rules_file_load(
	const char *path, const struct rules_opts *opts, struct rules_file *ret, struct diag *diag)
{
	struct ini_doc *doc = NULL;
	char conf_d[PATH_MAX];
	int r;

	*ret = (struct rules_file){0};
	r = ini_load(
		path, opts->conf_d ? conf_d_of(path, conf_d, sizeof(conf_d)) : NULL, &doc, diag);
	if (r == 0)
		r = ctl_conf_load(doc, &ret->conf, diag);
	if (r == 0)
		r = load_rules(doc, opts, ret, diag);
	if (r == 0 && rules_slots_new(&ret->slots) < 0)
		r = diag_fail(diag, -ENOMEM, "out of memory");
	if (r == 0)
		r = ruleset_compile(ret->rules, ret->slots, opts->engine, &ret->image, diag);
	ini_doc_free(doc);
	return r;
}

void
rules_file_fini(struct rules_file *f)
{
	match_image_free(f->image);
	rules_slots_free(f->slots);
	ruleset_free(f->rules);
	ctl_conf_free(f->conf);
	*f = (struct rules_file){0};
}
