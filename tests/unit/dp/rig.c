// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/util.h"
#include "dp/eal.h"
#include "pkt/build.h"
#include "pkt/savefile.h"

#include "rig.h"

#define DLT_ETHERNET 1

static char folder[64];
static struct dp *running; /* the test's data plane, NULL between tests */

struct dp *
rig_dp(const struct dp_conf *conf)
{
	struct diag diag = {0};

	rig_free(running);
	if (dp_new(conf, &running, &diag) < 0)
		fail_msg("%s", diag.msg);
	return running;
}

void
rig_free(struct dp *dp)
{
	dp_free(dp);
	running = NULL;
}

int
rig_setup(void **state)
{
	uint16_t cpus[RIG_WORKERS];
	struct dp_eal_conf conf = {
		.hugepages = DP_HUGE_NO,
		.memory_mib = 256,
		.main_cpu = DP_CPU_ANY,
		.cpus = cpus,
		.n_cpus = RIG_WORKERS,
	};
	struct diag diag = {0};

	(void)state;
	strcpy(folder, "/tmp/sluice-dp-XXXXXX");
	if (mkdtemp(folder) == NULL || dp_cpus_choose(cpus, RIG_WORKERS) < 0)
		return -1;
	if (dp_eal_start(&conf, &diag) < 0) {
		fprintf(stderr, "%s\n", diag.msg);
		return -1;
	}
	return 0;
}

int
rig_teardown(void **state)
{
	char cmd[128];

	(void)state;
	rig_free(running);
	dp_eal_stop();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", folder);
	return system(cmd) == 0 ? 0 : -1;
}

void
rig_path(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", folder, name);
}

struct rig_file
rig_file(const char *name)
{
	struct rig_file f = {.frames = NULL, .n = 0};

	rig_path(name, f.path, sizeof(f.path));
	return f;
}

void
rig_add(struct rig_file *f, const void *data, size_t len)
{
	if ((f->n & (f->n - 1)) == 0)
		f->frames = realloc(f->frames, (f->n == 0 ? 1 : 2 * f->n) * sizeof(*f->frames));
	f->frames[f->n].data = malloc(len + 1);
	memcpy(f->frames[f->n].data, data, len);
	f->frames[f->n++].len = (uint32_t)len;
}

void
rig_add_udp(struct rig_file *f, uint16_t dport, size_t n)
{
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 1}, src[6] = {2, 0, 0, 0, 0, 2};
	static uint8_t payload[16384], buf[17000];
	struct pkt_build b;
	size_t len;

	for (size_t i = 0; i < n; i++)
		payload[i] = (uint8_t)(f->n + i);
	pkt_build_init(&b, buf, sizeof(buf));
	pkt_build_ether(&b, dst, src);
	pkt_build_ip4(&b,
		&(struct pkt_ip4){
			.src = 0x0a000001, .dst = 0x0a000002, .ttl = 64, .id = (uint16_t)f->n});
	pkt_build_udp(&b, 4000, dport);
	pkt_build_bytes(&b, payload, n);
	len = pkt_build_done(&b);
	assert_true(len > 0);
	rig_add(f, buf, len);
}

void
rig_write(const struct rig_file *f)
{
	struct pkt_writer *w;

	assert_int_equal(pkt_writer_open(f->path, DLT_ETHERNET, 65535, &w, NULL), 0);
	for (size_t i = 0; i < f->n; i++) {
		const struct pkt_frame frame = {
			.data = f->frames[i].data,
			.caplen = f->frames[i].len,
			.wirelen = f->frames[i].len,
			.time_ns = i * 1000,
		};

		assert_int_equal(pkt_writer_put(w, &frame), 0);
	}
	assert_int_equal(pkt_writer_close(w), 0);
}

struct rig_file
rig_read(const char *name)
{
	struct rig_file f = rig_file(name);
	struct pkt_reader *r;
	struct pkt_frame frame;

	assert_int_equal(pkt_reader_open(f.path, &r, NULL), 0);
	while (pkt_reader_next(r, &frame, NULL) == 1)
		rig_add(&f, frame.data, frame.caplen);
	pkt_reader_close(r);
	return f;
}

void
rig_file_free(struct rig_file *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->frames[i].data);
	free(f->frames);
	f->frames = NULL;
	f->n = 0;
}

bool
rig_same(const struct rig_file *a, const struct rig_file *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->frames[i].len != b->frames[i].len ||
			memcmp(a->frames[i].data, b->frames[i].data, a->frames[i].len) != 0)
			return false;
	return true;
}

struct match_image *
rig_image(size_t n, const uint16_t *dports, const enum match_action *actions, const uint32_t *slots)
{
	struct u16_range ranges[64];
	struct match_rule rules[64];
	struct match_image *image = NULL;
	struct diag diag = {0};

	assert_true(n <= DIM(rules));
	memset(rules, 0, sizeof(rules));
	for (size_t i = 0; i < n; i++) {
		ranges[i] = (struct u16_range){dports[i], dports[i]};
		rules[i].name = "r";
		rules[i].slot = slots[i];
		rules[i].action = actions[i];
		rules[i].enabled = true;
		rules[i].scope.src.any = rules[i].scope.dst.any = true;
		rules[i].scope.ports = UINT64_MAX;
		rules[i].scope_only = true;
		if (dports[i] != 0)
			rules[i].scope.dport = (struct match_ranges){&ranges[i], 1};
	}
	if (match_image_new(rules, n, MATCH_ENGINE_AUTO, &image, &diag) < 0)
		fail_msg("%s", diag.msg);
	return image;
}

void
rig_drain(struct dp *dp)
{
	const struct timespec wait = {.tv_nsec = 1000000};

	for (int i = 0; i < 20000; i++) {
		if (dp_drained(dp))
			return;
		/* lint: sleep: between looks, with a deadline; nobody signals this event */
		(void)nanosleep(&wait, NULL);
	}
	fail_msg("the savefiles were not read to their end within 20 s");
}

uint64_t
rig_stat(struct dp *dp, size_t port, enum dp_stat s)
{
	struct dp_port_stats st;

	dp_port_stats_get(dp, port, &st);
	return st.v[s];
}

void
rig_check_books(struct dp *dp, size_t port)
{
	struct dp_port_stats st;
	const uint64_t *v = st.v;

	dp_port_stats_get(dp, port, &st);
	assert_int_equal(v[DP_STAT_RX],
		v[DP_STAT_DROPPED] + v[DP_STAT_LIMITED] + v[DP_STAT_PASSED] +
			v[DP_STAT_EXCEPTION_FULL] + v[DP_STAT_EXCEPTION_POLICED]);
	assert_int_equal(v[DP_STAT_KERNEL_RX], v[DP_STAT_TX] + v[DP_STAT_TX_FULL]);
}
