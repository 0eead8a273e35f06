// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/ini.h"
#include "base/mem.h"
#include "ctl/conf.h"
#include "dp/eal.h"
#include "dp/port.h"
#include "rules/ruleset.h"

#include "config.h"

/* "conf.d" in the folder of @file; standard input has none. */
static const char *
conf_d_path(const char *file, char *buf, size_t size)
{
	const char *slash = strrchr(file, '/');
	const int dir_len = slash != NULL ? (int)(slash - file + 1) : 0;

	if (strcmp(file, "-") == 0)
		return NULL;
	(void)snprintf(buf, size, "%.*sconf.d", dir_len, file);
	return buf;
}

static int
load_rules(
	struct config *c, const struct ini_doc *doc, const struct config *prev, struct diag *diag)
{
	const char *names[DP_PORTS_MAX];
	struct ruleset_opts opts = {
		.location = c->conf->location,
		.ports = names,
		.n_ports = c->conf->n_ports,
		.prev = prev != NULL ? prev->rules : NULL,
	};

	for (size_t i = 0; i < c->conf->n_ports; i++)
		names[i] = c->conf->ports[i].name;
	return ruleset_load(doc, &opts, &c->rules, diag);
}

/* What a file may leave out, but a daemon cannot run without. */
static int
check_daemon(const struct ctl_conf *conf, const char *file, struct diag *diag)
{
	_Static_assert((int)DP_PORTS_MAX >= (int)DP_WORKERS_MAX,
		"lib/ctl bounds the queues of all ports, and so the ports");
	if (conf->n_ports > 0)
		return 0;
	diag_set_file(diag, file);
	return diag_fail(diag, -EINVAL, "no port: add a section [port NAME] with device = …");
}

int
config_load(
	const char *file, const struct config *prev, struct config **ret_config, struct diag *diag)
{
	char conf_d[PATH_MAX];
	struct ini_doc *doc = NULL;
	struct config *c;
	int r;

	c = mem_zalloc(sizeof(*c));
	if (c == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");

	r = ini_load(file, conf_d_path(file, conf_d, sizeof(conf_d)), &doc, diag);
	if (r < 0)
		goto out;
	r = ctl_conf_load(doc, &c->conf, diag);
	if (r < 0)
		goto out;
	r = check_daemon(c->conf, file, diag);
	if (r < 0)
		goto out;
	r = load_rules(c, doc, prev, diag);
	if (r < 0)
		goto out;

	*ret_config = c;
	c = NULL;
out:
	config_free(c);
	ini_doc_free(doc);
	return r;
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	ruleset_free(config->rules);
	ctl_conf_free(config->conf);
	mem_free(config);
}

static int
check_port_cpus(const struct ctl_port *port, struct diag *diag)
{
	struct diag why = {0};
	int r;

	for (size_t i = 0; i < port->n_lcores; i++) {
		r = dp_cpu_check(port->lcores[i], &why);
		if (r < 0) {
			diag_set_file(diag, port->file);
			return diag_fail_at(
				diag, r, port->line, 0, "port %s: lcores: %s", port->name, why.msg);
		}
	}
	return 0;
}

int
config_check_cpus(const struct config *config, struct diag *diag)
{
	const struct ctl_conf *conf = config->conf;
	struct diag why = {0};
	int r;

	for (size_t i = 0; i < conf->n_ports; i++) {
		r = check_port_cpus(&conf->ports[i], diag);
		if (r < 0)
			return r;
	}
	if (!conf->main_lcore_set)
		return 0;
	r = dp_cpu_check(conf->main_lcore, &why);
	return r < 0 ? diag_fail(diag, r, "[eal] main_lcore: %s", why.msg) : 0;
}
