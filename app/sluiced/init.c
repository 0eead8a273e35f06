// SPDX-License-Identifier: BSD-3-Clause
/*
 * The daemon's start and end: one table, walked forward and, from wherever that
 * ended, back. What can fail for a reason of the user's comes before what the
 * outside can see; what needs root comes before "privileges".
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/util.h"
#include "ctl/conf.h"
#include "ctl/server.h"
#include "dp/dp.h"
#include "dp/eal.h"
#include "match/image.h"
#include "rules/ruleset.h"
#include "sluice_build.h"

#include "config.h"
#include "control.h"
#include "daemon.h"
#include "eal.h"
#include "findings.h"
#include "log.h"
#include "loop.h"
#include "names.h"
#include "notify.h"
#include "privileges.h"
#include "reload.h"
#include "rules_report.h"
#include "samples.h"
#include "stats.h"
#include "ttl.h"

#define GROUP "sluice" /* may talk to the daemon */
#define RUN_DIR "/run/sluice"

#define STOPPED 1 /* above every -errno */

#define COLLECT_MS 50 /* a ring of 4,096 samples fills in 50 ms at 80,000 a second */
#define TICK_MS 1000 /* what dp_tick() asks for; rules end at whole seconds */

static int
init_cpus(struct daemon *d, struct diag *diag)
{
	return config_check_cpus(d->config, diag);
}

static int
init_loop(struct daemon *d, struct diag *diag)
{
	return loop_new(&d->loop, diag);
}

static void
fini_loop(struct daemon *d)
{
	loop_free(d->loop);
}

static int
init_ttl(struct daemon *d, struct diag *diag)
{
	struct ruleset_ttl *saved = ttl_load(d->config->rules, d->config->conf);
	int r = -ENOMEM;

	if (saved != NULL)
		r = ruleset_ttl_note(saved, d->config->rules, ttl_now_ms(), &d->ttl);
	ruleset_ttl_free(saved);
	return r < 0 ? diag_fail(diag, r, "out of memory") : 0;
}

static void
fini_ttl(struct daemon *d)
{
	ruleset_ttl_free(d->ttl);
}

static void
fini_rules(struct daemon *d)
{
	match_image_free(d->image);
	names_free(d->names);
	rules_slots_free(d->slots);
}

static int
init_rules(struct daemon *d, struct diag *diag)
{
	int r;

	r = rules_slots_new(&d->slots);
	if (r == 0)
		r = names_new(&d->names);
	if (r < 0) {
		diag_fail(diag, r, "out of memory");
		goto fail;
	}
	r = ruleset_compile(d->config->rules, d->slots, MATCH_ENGINE_AUTO, &d->image, diag);
	if (r < 0)
		goto fail;
	r = names_learn(d->names, d->config->rules, d->image);
	if (r < 0) {
		diag_fail(diag, r, "out of memory");
		goto fail;
	}
	d->n_slots = names_count(d->names);
	findings_log(d->config->rules, d->image);
	(void)ttl_apply(d->ttl, d->config->rules, d->image, ttl_now_ms());
	return 0;
fail:
	fini_rules(d);
	return r;
}

/*
 * The service manager makes /run/sluice; where none does, root makes it, writable
 * for the group, so that the socket can be removed as another user. A folder
 * anywhere else is its owner's to make.
 */
static void
make_run_folder(const char *socket_path)
{
	const struct group *gr = getgrnam(GROUP);
	const char *slash = strrchr(socket_path, '/');

	if (geteuid() != 0 || slash == NULL || (size_t)(slash - socket_path) != strlen(RUN_DIR) ||
		strncmp(socket_path, RUN_DIR, strlen(RUN_DIR)) != 0)
		return;
	if (mkdir(RUN_DIR, 0770) < 0 || gr == NULL)
		return; /* there already; if it cannot be made, the socket says so */
	if (chown(RUN_DIR, (uid_t)-1, gr->gr_gid) < 0 || chmod(RUN_DIR, 0770) < 0)
		log_line(LOG_LEVEL_WARNING, "cannot give %s to group " GROUP ": %s", RUN_DIR,
			strerror(errno));
}

static int
init_control(struct daemon *d, struct diag *diag)
{
	int r;

	make_run_folder(d->config->conf->control_socket);
	r = ctl_server_new(
		d->config->conf->control_socket, GROUP, control_handle, d, &d->server, diag);
	if (r != -ENOSYS)
		return r;
	log_line(LOG_LEVEL_WARNING,
		"no control socket, since this sluiced is built without libjansson");
	*diag = (struct diag){0};
	return 0;
}

static void
fini_control(struct daemon *d)
{
	if (d->server != NULL)
		ctl_server_free(d->server);
}

static int
init_eal(struct daemon *d, struct diag *diag)
{
	return eal_start(d->config->conf, d->verbose, diag);
}

static void
fini_eal(struct daemon *d)
{
	(void)d;
	dp_eal_stop();
}

static int
init_ports(struct daemon *d, struct diag *diag)
{
	return eal_ports_new(d->config->conf, &d->dp, diag);
}

static void
fini_ports(struct daemon *d)
{
	dp_free(d->dp);
}

static int
init_privileges(struct daemon *d, struct diag *diag)
{
	const char *user = d->config->conf->user;
	bool changed = false;
	int r;

	if (user[0] != '\0' && geteuid() == 0 && getpwnam(user) == NULL) {
		log_line(LOG_LEVEL_WARNING,
			"there is no user %s: staying root; create it, or set \"user =\" in "
			"[control] to say so",
			user);
		user = "";
	}
	r = privileges_drop(user, &changed, diag);
	if (r == 0 && changed)
		log_line(LOG_LEVEL_INFO, "running as %s", user);
	return r;
}

static int
init_samples(struct daemon *d, struct diag *diag)
{
	return samples_new(d->config->conf, d->names, &d->samples, diag);
}

static void
fini_samples(struct daemon *d)
{
	samples_drain(d->samples);
	samples_free(d->samples);
}

static int
init_workers(struct daemon *d, struct diag *diag)
{
	int r;

	r = dp_start(d->dp, d->image, diag);
	if (r == 0)
		samples_attach(d->samples, d->dp);
	return r;
}

static void
fini_workers(struct daemon *d)
{
	(void)dp_stop(d->dp); /* the image it gives back is d->image */
	stats_log(d);
}

static int
init_reload(struct daemon *d, struct diag *diag)
{
	return reload_new(d, &d->reload, diag);
}

static void
fini_reload(struct daemon *d)
{
	reload_free(d->reload);
}

static int
init_report(struct daemon *d, struct diag *diag)
{
	return rules_report_new(d, &d->report, diag);
}

static void
fini_report(struct daemon *d)
{
	rules_report_free(d->report);
	d->report = NULL;
}

static void
on_hangup(void *arg)
{
	struct daemon *d = arg;

	reload_request(d->reload);
}

static void
on_control(void *arg)
{
	struct daemon *d = arg;

	ctl_server_step(d->server);
}

static void
on_tick(void *arg)
{
	struct daemon *d = arg;

	dp_tick(d->dp);
	(void)ttl_apply(d->ttl, d->config->rules, d->image, ttl_now_ms());
	reload_tick(d->reload);
	notify_tick();
}

static int
init_events(struct daemon *d, struct diag *diag)
{
	int r;

	loop_on_hangup(d->loop, on_hangup, d);
	r = loop_every(d->loop, COLLECT_MS, samples_step, d->samples, diag);
	if (r == 0)
		r = loop_every(d->loop, TICK_MS, on_tick, d, diag);
	if (r == 0 && d->server != NULL)
		r = loop_add(d->loop, ctl_server_fd(d->server), on_control, d, diag);
	return r;
}

/* In the order of the start. */
static const struct init_step steps[] = {
	{"cpus", init_cpus, NULL},
	{"loop", init_loop, fini_loop},
	{"ttl", init_ttl, fini_ttl},
	{"rules", init_rules, fini_rules},
	{"control", init_control, fini_control},
	{"eal", init_eal, fini_eal},
	{"ports", init_ports, fini_ports},
	{"privileges", init_privileges, NULL},
	{"samples", init_samples, fini_samples},
	{"workers", init_workers, fini_workers},
	{"reload", init_reload, fini_reload},
	{"report", init_report, fini_report},
	{"events", init_events, NULL},
};

/*
 * Walk forward; *@ret_done is how many steps are to be taken back. Returns 0,
 * STOPPED when told to stop meanwhile, or what a step returned.
 */
static int
walk_forward(struct daemon *d, size_t *ret_done)
{
	struct diag diag = {0};
	int r;

	*ret_done = 0;
	for (size_t i = 0; i < DIM(steps); i++) {
		r = steps[i].init(d, &diag);
		if (r < 0) {
			log_diag(LOG_LEVEL_ERROR, "", &diag);
			return r;
		}
		*ret_done = i + 1;
		if (d->loop != NULL && loop_pending_stop(d->loop))
			return STOPPED;
	}
	return 0;
}

static void
walk_back(struct daemon *d, size_t done)
{
	while (done-- > 0)
		if (steps[done].fini != NULL)
			steps[done].fini(d);
}

/* What an operator may not expect of a device that only copies frames. */
static void
log_passive(const struct daemon *d)
{
	for (size_t i = 0; i < dp_port_count(d->dp); i++) {
		struct dp_port_info info;

		dp_port_info_get(d->dp, i, &info);
		if (info.copies && !info.taken_over)
			log_line(LOG_LEVEL_NOTICE,
				"port %s: takeover = no: the kernel handles the same frames, dropped or not",
				info.name);
	}
}

/* What the configuration asks for and this version does not do. */
static void
log_not_served(const struct ctl_conf *conf)
{
	if (conf->http[0] != '\0')
		log_line(LOG_LEVEL_WARNING, "http = %s: this version serves no metrics over HTTP",
			conf->http);
}

static int
serve(struct daemon *d)
{
	int r;

	ttl_save(d->ttl, d->config->rules, d->config->conf);
	log_line(LOG_LEVEL_INFO, "sluiced " SLUICE_VERSION " runs: %zu ports, %zu rules",
		dp_port_count(d->dp), ruleset_count(d->config->rules));
	samples_begin(d->samples);
	log_passive(d);
	log_not_served(d->config->conf);
	notify_send("READY=1");
	r = loop_run(d->loop);
	notify_send("STOPPING=1");
	if (r < 0)
		log_line(LOG_LEVEL_ERROR, "event loop: %s", strerror(-r));
	return r;
}

int
daemon_run(const char *conf_file, bool verbose, struct config *config)
{
	struct daemon d = {.conf_file = conf_file, .verbose = verbose, .config = config};
	size_t done;
	int r;

	r = walk_forward(&d, &done);
	if (r == 0)
		r = serve(&d);
	else if (r == STOPPED)
		r = 0;
	walk_back(&d, done);
	config_free(d.config);
	if (r == 0)
		log_line(LOG_LEVEL_INFO, "stopped");
	return r;
}
