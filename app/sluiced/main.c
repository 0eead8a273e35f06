// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "ctl/conf.h"
#include "rules/ruleset.h"
#include "sluice_build.h"

#include "config.h"
#include "daemon.h"
#include "log.h"
#include "loop.h"
#include "options.h"

/* Exit statuses; systemd's RestartPreventExitStatus knows the last. */
enum { EXIT_DONE = 0, EXIT_RUNTIME = 1, EXIT_CONFIG = 2 };

/* Standard output has taken everything? */
static int
stdout_done(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_DONE;
	log_line(LOG_LEVEL_ERROR, "cannot write to standard output: %s", strerror(errno));
	return EXIT_RUNTIME;
}

static int
print_version(void)
{
	printf("sluiced " SLUICE_VERSION "\n");
	return stdout_done();
}

static int
print_help(void)
{
	options_help();
	return stdout_done();
}

static int
print_config(void)
{
	struct sbuf text = SBUF_INIT;
	size_t n;
	const struct ini_key *keys = ruleset_keys(&n);

	ctl_conf_print(keys, n, &text);
	fwrite(sbuf_str(&text), 1, text.len, stdout);
	sbuf_fini(&text);
	return stdout_done();
}

static int
load(const char *file, struct config **ret_config)
{
	struct diag diag = {0};
	int r;

	r = config_load(file, NULL, ret_config, &diag);
	if (r < 0)
		log_diag(LOG_LEVEL_ERROR, "", &diag);
	return r == 0 ? EXIT_DONE : EXIT_CONFIG;
}

static int
check(const struct options *opts)
{
	struct config *config = NULL;
	struct diag diag = {0};
	int status;

	status = load(opts->conf_file, &config);
	if (status != EXIT_DONE)
		return status;
	if (config_check_cpus(config, &diag) < 0) {
		log_diag(LOG_LEVEL_ERROR, "", &diag);
		status = EXIT_CONFIG;
	} else {
		printf("%s: %zu ports, %zu rules, no error\n", opts->conf_file,
			config->conf->n_ports, ruleset_count(config->rules));
		status = stdout_done();
	}
	config_free(config);
	return status;
}

/*
 * Memory that was freed stays with the process: to unmap or protect pages interrupts
 * every CPU on which a worker polls, and rules are replaced under traffic. One heap for
 * all threads, since further ones grow by mprotect(); workers do not allocate.
 */
static void
keep_memory(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_MMAP_MAX, 0);
	(void)mallopt(M_TRIM_THRESHOLD, -1);
	(void)mallopt(M_TOP_PAD, 4 << 20);
#endif
}

static int
run(const struct options *opts)
{
	struct config *config = NULL;
	int status, r;

	/* Here and not before: what only prints or checks is to end at Ctrl-C. */
	loop_block_signals();
	keep_memory();
	log_init(false, opts->verbose);
	status = load(opts->conf_file, &config);
	if (status != EXIT_DONE)
		return status;
	r = daemon_run(opts->conf_file, opts->verbose, config);
	if (r == -EINVAL)
		return EXIT_CONFIG;
	return r == 0 ? EXIT_DONE : EXIT_RUNTIME;
}

int
main(int argc, char **argv)
{
	struct options opts;
	struct diag diag = {0};

	log_init(true, false);
	if (options_parse(argc, argv, &opts, &diag) < 0) {
		log_diag(LOG_LEVEL_ERROR, "", &diag);
		return EXIT_CONFIG;
	}
	switch (opts.action) {
	case OPTIONS_RUN: return run(&opts);
	case OPTIONS_CHECK: return check(&opts);
	case OPTIONS_VERSION: return print_version();
	case OPTIONS_PRINT_CONFIG: return print_config();
	case OPTIONS_HELP: return print_help();
	}
	return EXIT_RUNTIME;
}
