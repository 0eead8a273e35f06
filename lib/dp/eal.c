// SPDX-License-Identifier: BSD-3-Clause
/*
 * DPDK's environment from values. rte_eal_init() wants a command line, prints
 * 90 lines of usage when it dislikes one, writes to stderr and syslog, and works
 * once per process: so the arguments are built here and checked before, its
 * stderr is shut for the call, and its log goes to the application.
 */
#include "eal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "base/util.h"

#include "cpus.h"
#include "dp/eal.h"

#define ARGS_MAX 96
#define LINE_MAX_BYTES 512

static struct {
	bool tried, running;
	size_t n_workers;
	FILE *stream;
	void (*log)(void *arg, int level, const char *line);
	void *log_arg;
	pthread_mutex_t lock; /* of the two lines below; DPDK logs from any thread */
	char line[LINE_MAX_BYTES]; /* collected so far */
	size_t len;
	char error[LINE_MAX_BYTES]; /* the last whole line of level error or worse */
} eal = {.lock = PTHREAD_MUTEX_INITIALIZER};

size_t
eal_workers(void)
{
	return eal.running ? eal.n_workers : 0;
}

void
eal_error_clear(void)
{
	pthread_mutex_lock(&eal.lock);
	eal.error[0] = '\0';
	pthread_mutex_unlock(&eal.lock);
}

void
eal_error_get(char *buf, size_t size)
{
	pthread_mutex_lock(&eal.lock);
	snprintf(buf, size, "%s", eal.error);
	pthread_mutex_unlock(&eal.lock);
}

static void
line_end(int level)
{
	if (eal.len == 0)
		return;
	eal.line[eal.len] = '\0';
	eal.len = 0;
	if (level <= LOG_ERR)
		memcpy(eal.error, eal.line, sizeof(eal.error));
	if (eal.log != NULL)
		eal.log(eal.log_arg, level, eal.line);
}

/* The write function of the stream: cut what comes into lines. */
static ssize_t
log_write(void *cookie, const char *buf, size_t size)
{
	/* RTE_LOG_EMERG is 1, LOG_EMERG 0; the rest goes in step. */
	const int level = MAX(rte_log_cur_msg_loglevel() - 1, 0);

	(void)cookie;
	pthread_mutex_lock(&eal.lock);
	for (size_t i = 0; i < size; i++) {
		if (buf[i] == '\n')
			line_end(level);
		else if (eal.len < sizeof(eal.line) - 1)
			eal.line[eal.len++] = buf[i];
	}
	pthread_mutex_unlock(&eal.lock);
	return (ssize_t)size;
}

static int
log_open(void)
{
	const cookie_io_functions_t io = {.write = log_write};

	eal.stream = fopencookie(NULL, "w", io);
	if (eal.stream == NULL)
		return -ENOMEM;
	/* Unbuffered: each message arrives whole while its level can still be asked. */
	setvbuf(eal.stream, NULL, _IONBF, 0);
	return rte_openlog_stream(eal.stream) == 0 ? 0 : -EIO;
}

/* @n hexadecimal digits at *@p, and @end behind them ('\0': end of text or a comma). */
static bool
take_hex(const char **p, size_t n, char end)
{
	for (size_t i = 0; i < n; i++)
		if (!isxdigit((unsigned char)*(*p)++))
			return false;
	if (end == '\0')
		return **p == '\0' || **p == ',';
	return *(*p)++ == end;
}

bool
eal_is_pci(const char *device)
{
	const char *p = device;

	if (strnlen(device, 5) == 5 && device[4] == ':' && !take_hex(&p, 4, ':'))
		return false;
	return take_hex(&p, 2, ':') && take_hex(&p, 2, '.') && take_hex(&p, 1, '\0');
}

/* MiB of free hugepages of all sizes. */
static uint64_t
huge_free_mib(void)
{
	static const struct {
		const char *file;
		uint64_t mib;
	} sizes[] = {
		{"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", 2},
		{"/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", 1024},
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < DIM(sizes); i++) {
		char text[32] = "";
		uint64_t n = 0;
		FILE *f = fopen(sizes[i].file, "re");

		if (f == NULL)
			continue;
		if (fgets(text, sizeof(text), f) != NULL) {
			text[strcspn(text, "\n")] = '\0';
			if (parse_u64(text, 0, UINT32_MAX, &n, NULL) == 0)
				sum += n * sizes[i].mib;
		}
		fclose(f);
	}
	return sum;
}

/* What the buffers of @conf's workers, their rings and DPDK itself take, in MiB. */
static uint32_t
memory_need(const struct dp_eal_conf *conf)
{
	if (conf->memory_mib != 0)
		return conf->memory_mib;
	return MAX(256, 64 + 40 * (uint32_t)conf->n_cpus);
}

static int
choose_memory(const struct dp_eal_conf *conf, bool *ret_huge, struct diag *diag)
{
	const uint32_t need = memory_need(conf);
	const uint64_t have = huge_free_mib();

	switch (conf->hugepages) {
	case DP_HUGE_NO: *ret_huge = false; return 0;
	case DP_HUGE_AUTO: *ret_huge = have >= need; return 0;
	case DP_HUGE_YES:
		if (have < need)
			return diag_fail(diag, -ENOMEM,
				"%u MiB of hugepages needed, %llu MiB are free: set vm.nr_hugepages, "
				"or hugepages = no",
				need, (unsigned long long)have);
		*ret_huge = true;
		return 0;
	}
	return -EINVAL;
}

/* "0@0,1@1,2@1": lcore 0 is the control thread, lcore i + 1 worker i. */
static int
print_lcores(const struct dp_eal_conf *conf, struct sbuf *out)
{
	cpu_set_t main_set;
	bool first = true;
	int r;

	if (conf->main_cpu == DP_CPU_ANY) {
		r = cpus_usable(&main_set);
		if (r < 0)
			return r;
		for (size_t i = 0; i < conf->n_cpus; i++)
			CPU_CLR(conf->cpus[i], &main_set);
		if (CPU_COUNT(&main_set) == 0)
			(void)cpus_usable(&main_set);
	} else {
		CPU_ZERO(&main_set);
		CPU_SET(conf->main_cpu, &main_set);
	}

	sbuf_adds(out, "0@(");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &main_set))
			continue;
		sbuf_addf(out, "%s%d", first ? "" : ",", cpu);
		first = false;
	}
	sbuf_adds(out, ")");
	for (size_t i = 0; i < conf->n_cpus; i++)
		sbuf_addf(out, ",%zu@%u", i + 1, conf->cpus[i]);
	return 0;
}

static int
check_cpus(const struct dp_eal_conf *conf, struct diag *diag)
{
	int r;

	if (conf->n_cpus > DP_WORKERS_MAX)
		return diag_fail(diag, -EINVAL, "%zu workers asked for; %d is the limit",
			conf->n_cpus, DP_WORKERS_MAX);
	if (conf->main_cpu != DP_CPU_ANY) {
		r = dp_cpu_check(conf->main_cpu, diag);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < conf->n_cpus; i++) {
		r = dp_cpu_check(conf->cpus[i], diag);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * rte_eal_init() with stdout and stderr shut: it prints alerts and usage there
 * whatever its log is set to. The log stream does not use them.
 */
static int
init_quietly(int argc, char **argv)
{
	const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int saved[2] = {-1, -1};
	int r;

	for (int i = 0; i < 2 && null >= 0; i++) {
		saved[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
		if (saved[i] >= 0)
			(void)dup2(null, i + 1);
	}

	r = rte_eal_init(argc, argv);

	for (int i = 0; i < 2; i++) {
		if (saved[i] < 0)
			continue;
		(void)dup2(saved[i], i + 1);
		close(saved[i]);
	}
	if (null >= 0)
		close(null);
	return r;
}

static int
run_init(const struct dp_eal_conf *conf, const char *lcores, bool huge, struct diag *diag)
{
	char *argv[ARGS_MAX + 1], memory[16], error[LINE_MAX_BYTES];
	bool any_pci = false;
	int argc = 0;

	snprintf(memory, sizeof(memory), "%u", memory_need(conf));
	argv[argc++] = (char *)"sluiced";
	argv[argc++] = (char *)"--lcores";
	argv[argc++] = (char *)lcores;
	argv[argc++] = (char *)"--no-telemetry";
	if (huge) {
		argv[argc++] = (char *)"--in-memory";
	} else {
		argv[argc++] = (char *)"--no-huge";
		argv[argc++] = (char *)"--no-shconf";
		argv[argc++] = (char *)"-m";
		argv[argc++] = memory;
	}
	for (size_t i = 0; i < conf->n_devices && argc + 3 < ARGS_MAX; i++) {
		if (!eal_is_pci(conf->devices[i]))
			continue;
		argv[argc++] = (char *)"-a";
		argv[argc++] = (char *)conf->devices[i];
		any_pci = true;
	}
	if (!any_pci)
		argv[argc++] = (char *)"--no-pci";
	argv[argc] = NULL;

	if (init_quietly(argc, argv) >= 0)
		return 0;
	eal_error_get(error, sizeof(error));
	if (rte_errno == ENOMEM)
		return diag_fail(diag, -ENOMEM, "DPDK did not get its %s MiB of memory%s%s", memory,
			error[0] != '\0' ? ": " : "", error);
	return diag_fail(diag, -EIO, "DPDK does not start: %s",
		error[0] != '\0' ? error : rte_strerror(rte_errno));
}

int
dp_eal_start(const struct dp_eal_conf *conf, struct diag *diag)
{
	struct sbuf lcores = SBUF_INIT;
	bool huge = false;
	int r;

	if (eal.tried)
		return diag_fail(diag, -EALREADY, "DPDK can be started only once in a process");
	r = check_cpus(conf, diag);
	if (r < 0)
		return r;
	r = choose_memory(conf, &huge, diag);
	if (r < 0)
		return r;
	r = print_lcores(conf, &lcores);
	if (r == 0 && !sbuf_ok(&lcores))
		r = -ENOMEM;
	if (r < 0) {
		diag_fail(diag, r, "out of memory");
		goto out;
	}

	eal.tried = true;
	eal.log = conf->log;
	eal.log_arg = conf->log_arg;
	r = log_open();
	if (r < 0) {
		diag_fail(diag, r, "cannot redirect DPDK's log");
		goto out;
	}
	r = run_init(conf, sbuf_str(&lcores), huge, diag);
	if (r < 0)
		goto out;
	eal.n_workers = conf->n_cpus;
	eal.running = true;
out:
	sbuf_fini(&lcores);
	return r;
}

void
dp_eal_stop(void)
{
	if (!eal.running)
		return;
	eal.running = false;
	(void)rte_eal_cleanup();
	pthread_mutex_lock(&eal.lock);
	eal.log = NULL;
	pthread_mutex_unlock(&eal.lock);
}
