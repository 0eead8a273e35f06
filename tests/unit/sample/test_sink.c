// SPDX-License-Identifier: BSD-3-Clause
/* The pcapng sink: comments, rotation, a disk that fills, files that are none of ours. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "pkt/savefile.h"
#include "sample/ring.h"
#include "sample/sink.h"

static char dir[] = "/tmp/sluice-sink-XXXXXX";
static char file[64];

static int
make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/sluice-sink-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(file, sizeof(file), "%s/s.pcapng", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	const struct dirent *e;
	DIR *d = opendir(dir);

	(void)state;
	while (d != NULL && (e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	return rmdir(dir);
}

static const char *
rule(void *arg, uint32_t slot)
{
	static const char *const names[] = {"random-subdomains", "shadowy"};

	(void)arg;
	return slot < DIM(names) ? names[slot] : NULL;
}

static const char *const ports[] = {"edge0", "edge1"};
static const struct sample_names names = {.rule = rule, .ports = ports, .n_ports = 2};

static struct sample_sink *
sink_new(uint64_t rotate_bytes, uint32_t keep)
{
	const struct sample_pcapng_conf conf = {
		.file = file,
		.rotate_bytes = rotate_bytes,
		.keep = keep,
		.comments = true,
		.snaplen = 128,
	};
	struct sample_sink *s = NULL;
	struct diag diag = {0};

	assert_int_equal(sample_pcapng_new(&conf, &names, &s, &diag), 0);
	return s;
}

/* Sample number @n: its number is its time. */
static struct sample_rec *
sample(uint32_t n)
{
	static union {
		struct sample_rec rec;
		uint8_t room[sizeof(struct sample_rec) + 256];
	} u;

	memset(&u, (int)n, sizeof(u));
	u.rec = (struct sample_rec){
		.time_ns = UINT64_C(1767225600000000000) + n,
		.wirelen = 300,
		.caplen = 100,
		.slot = UINT32_MAX,
		.shadow_slot = UINT32_MAX,
		.weight = 1000,
		.port = n & 1,
	};
	return &u.rec;
}

static char *
path(uint32_t n)
{
	static char p[80];

	(void)snprintf(p, sizeof(p), n == 0 ? "%s" : "%s.%u", file, n);
	return p;
}

/* Frames in FILE.@n, -1 when it is not there; numbers must rise by one. *@first: of the first. */
static int
frames_in(uint32_t n, uint32_t *first)
{
	struct pkt_reader *r = NULL;
	struct pkt_frame f;
	uint64_t last = 0;
	int count = 0, ret;

	if (access(path(n), F_OK) != 0)
		return -1;
	assert_int_equal(pkt_reader_open(path(n), &r, NULL), 0);
	while ((ret = pkt_reader_next(r, &f, NULL)) == 1) {
		assert_int_equal(f.caplen, 100);
		assert_int_equal(f.wirelen, 300);
		if (count == 0)
			*first = (uint32_t)(f.time_ns - UINT64_C(1767225600000000000));
		assert_true(count == 0 || f.time_ns == last + 1);
		last = f.time_ns;
		count++;
	}
	assert_int_equal(ret, 0);
	pkt_reader_close(r);
	return count;
}

static const struct {
	uint32_t slot, shadow_slot;
	uint8_t verdict;
	const char *comment;
} comments[] = {
	{UINT32_MAX, UINT32_MAX, 0, "verdict=pass port=edge0 weight=1000"},
	{0, UINT32_MAX, 1, "verdict=drop rule=random-subdomains port=edge1 weight=1000"},
	{0, 1, 1, "verdict=drop rule=random-subdomains shadow=shadowy port=edge0 weight=1000"},
	{UINT32_MAX, 1, 0, "verdict=pass shadow=shadowy port=edge1 weight=1000"},
	{7, UINT32_MAX, 2, "verdict=limit port=edge0 weight=1000"},
};

/* By tshark where it is, else by the bytes. */
static void
writes_comments(void **state)
{
	struct sample_sink *s = sink_new(0, 3);
	bool tshark = system("command -v tshark >/dev/null") == 0;
	char cmd[256], line[256];
	FILE *f;

	(void)state;
	for (uint32_t i = 0; i < DIM(comments); i++) {
		struct sample_rec *rec = sample(i);

		rec->slot = comments[i].slot;
		rec->shadow_slot = comments[i].shadow_slot;
		rec->verdict = comments[i].verdict;
		assert_int_equal(sample_sink_put(s, rec), 0);
	}
	assert_int_equal(sample_sink_written(s), 0);
	assert_int_equal(sample_sink_flush(s), 0);
	assert_int_equal(sample_sink_written(s), DIM(comments));
	sample_sink_free(s);

	(void)snprintf(cmd, sizeof(cmd),
		tshark ? "tshark -n -r %s -T fields -e frame.comment 2>/dev/null"
		       : "grep -a -o 'verdict=[ -~]*' %s",
		file);
	f = popen(cmd, "r");
	assert_non_null(f);
	for (uint32_t i = 0; i < DIM(comments); i++) {
		assert_non_null(fgets(line, sizeof(line), f));
		line[strcspn(line, "\n")] = '\0';
		assert_string_equal(line, comments[i].comment);
	}
	assert_null(fgets(line, sizeof(line), f));
	assert_int_equal(pclose(f), 0);
}

static void
rotates(void **state)
{
	struct sample_sink *s = sink_new(2000, 2);
	uint32_t first = 0, next = 200;
	struct stat st;

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(sample_sink_put(s, sample(i)), 0);
	sample_sink_free(s);
	for (uint32_t n = 0; n <= 2; n++) {
		int count = frames_in(n, &first);

		/* The newest in FILE, then back in time without a gap. */
		assert_true(count > 0);
		assert_int_equal(first + (uint32_t)count, next);
		next = first;
		assert_int_equal(stat(path(n), &st), 0);
		assert_true(st.st_size <= 2000);
		assert_int_equal(st.st_mode & 0777, 0640);
	}
	assert_int_equal(frames_in(3, &first), -1);
}

/* Five sinks after each other, with room for two old files. */
static void
never_overwrites(void **state)
{
	uint32_t first = 0;

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		struct sample_sink *s = sink_new(0, 2);

		assert_int_equal(sample_sink_put(s, sample(i)), 0);
		sample_sink_free(s);
	}
	for (uint32_t n = 0; n <= 2; n++) {
		assert_int_equal(frames_in(n, &first), 1);
		assert_int_equal(first, 4 - n);
	}
	assert_int_equal(frames_in(3, &first), -1);
}

/* Where FILE.1 was taken away, the others stay as they are. */
static void
fills_a_gap(void **state)
{
	uint32_t first = 0;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		struct sample_sink *s = sink_new(0, 5);

		assert_int_equal(sample_sink_put(s, sample(i)), 0);
		sample_sink_free(s);
		if (i == 2)
			assert_int_equal(unlink(path(1)), 0);
	}
	assert_int_equal(frames_in(1, &first), 1);
	assert_int_equal(first, 2);
	assert_int_equal(frames_in(2, &first), 1);
	assert_int_equal(first, 0);
}

/* A limit below one packet still writes each packet, to a file of its own. */
static void
tiny_limit(void **state)
{
	struct sample_sink *s = sink_new(1, 9);
	uint32_t first = 0;

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(sample_sink_put(s, sample(i)), 0);
	sample_sink_free(s);
	for (uint32_t n = 0; n < 5; n++)
		assert_int_equal(frames_in(n, &first), 1);
	assert_int_equal(frames_in(5, &first), -1);
}

static void
file_limit(rlim_t bytes)
{
	struct rlimit lim;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &lim), 0);
	lim.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
}

/*
 * The disk fills, samples are dropped and counted, the file ends at a block's
 * end; there is room again, and a second later samples are written again.
 */
static void
disk_fills(void **state)
{
	struct sample_sink *s = sink_new(0, 2);
	uint64_t put = 0, written, lost;
	const time_t deadline = time(NULL) + 30;
	uint32_t first = 0;
	int r = 0;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	file_limit(20000);
	for (uint32_t i = 0; i < 1000; i++, put++) {
		r = sample_sink_put(s, sample(i));
		if (i % 10 == 0 && r == 0)
			r = sample_sink_flush(s);
	}
	assert_int_equal(r, -EFBIG);
	assert_int_equal(sample_sink_flush(s), -EFBIG);
	file_limit(RLIM_INFINITY);

	written = sample_sink_written(s);
	lost = sample_sink_lost(s);
	assert_true(written > 0 && lost > 0);
	assert_true(written + lost == put);
	assert_int_equal(frames_in(0, &first), written);

	/* Not before its time. */
	assert_int_equal(sample_sink_put(s, sample(0)), -EFBIG);
	assert_true(sample_sink_lost(s) == lost + 1);
	while (sample_sink_put(s, sample((uint32_t)written)) < 0) {
		assert_true(time(NULL) < deadline);
		(void)poll(NULL, 0, 20); /* no event to wait for: the sink looks at the clock */
	}
	for (uint32_t i = (uint32_t)written + 1; i < written + 10; i++)
		assert_int_equal(sample_sink_put(s, sample(i)), 0);
	sample_sink_free(s);
	assert_int_equal(frames_in(0, &first), written + 10);
}

static const struct {
	const char *file;
	int err;
	const char *says;
} refused[] = {
	{"/dev/full", -ENOSPC, "cannot write samples to '/dev/full': the disk is full"},
	{"/nonexistent/s.pcapng", -ENOENT, "make the directory"},
	{"/tmp", -EINVAL, "neither a regular file"},
};

static void
refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(refused); i++) {
		const struct sample_pcapng_conf conf = {.file = refused[i].file, .snaplen = 128};
		struct sample_sink *s = NULL;
		struct diag diag = {0};

		assert_int_equal(sample_pcapng_new(&conf, &names, &s, &diag), refused[i].err);
		assert_null(s);
		assert_non_null(strstr(diag.msg, refused[i].says));
	}
}

/* A full disk at the start leaves no empty file behind, and keeps the old one. */
static void
full_at_start(void **state)
{
	const struct sample_pcapng_conf conf = {.file = file, .snaplen = 128, .keep = 3};
	struct sample_sink *s = sink_new(0, 3);
	uint32_t first = 0;

	(void)state;
	assert_int_equal(sample_sink_put(s, sample(5)), 0);
	sample_sink_free(s);
	s = NULL;
	(void)signal(SIGXFSZ, SIG_IGN);
	file_limit(10);
	for (int i = 0; i < 5; i++)
		assert_int_equal(sample_pcapng_new(&conf, &names, &s, NULL), -EFBIG);
	file_limit(RLIM_INFINITY);
	assert_int_equal(frames_in(0, &first), 1);
	assert_int_equal(frames_in(1, &first), -1);
}

/* A file that is deleted under the sink is made again; without its folder samples are lost, and said so. */
static void
deleted(void **state)
{
	struct sample_sink *s = sink_new(0, 1);
	char away[PATH_MAX];
	uint32_t first = 0;

	(void)state;
	assert_int_equal(sample_sink_put(s, sample(1)), 0);
	assert_int_equal(sample_sink_flush(s), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(sample_sink_flush(s), 0);
	assert_int_equal(sample_sink_put(s, sample(2)), 0);
	assert_int_equal(sample_sink_flush(s), 0);
	assert_int_equal(frames_in(0, &first), 1);
	assert_int_equal(first, 2);

	(void)snprintf(away, sizeof(away), "%s.away", dir);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rename(dir, away), 0);
	assert_int_equal(sample_sink_flush(s), 0);
	assert_int_equal(sample_sink_put(s, sample(3)), -ENOENT);
	assert_int_equal(sample_sink_lost(s), 1);
	assert_int_equal(rename(away, dir), 0);
	sample_sink_free(s);
}

/* Sinks that get no sample move nothing, however many there are: a reload that is refused. */
static void
unused_moves_nothing(void **state)
{
	struct sample_sink *s = sink_new(0, 1);
	uint32_t first = 0;
	char waiting[PATH_MAX];

	(void)state;
	(void)snprintf(waiting, sizeof(waiting), "%s.new", file);
	assert_int_equal(frames_in(0, &first), -1);
	assert_int_equal(sample_sink_begin(s), 0);
	assert_int_equal(frames_in(0, &first), 0);
	assert_int_equal(sample_sink_put(s, sample(7)), 0);
	sample_sink_free(s);

	for (int i = 0; i < 3; i++) {
		s = sink_new(0, 1);
		assert_int_equal(access(waiting, F_OK), 0);
		if (i > 0)
			assert_int_equal(sample_sink_begin(s), 0);
		sample_sink_free(s);
		assert_int_equal(access(waiting, F_OK), -1);
	}
	assert_int_equal(frames_in(0, &first), 1);
	assert_int_equal(first, 7);
	assert_int_equal(frames_in(1, &first), -1);

	s = sink_new(0, 1);
	assert_int_equal(sample_sink_put(s, sample(8)), 0);
	sample_sink_free(s);
	assert_int_equal(frames_in(0, &first), 1);
	assert_int_equal(first, 8);
	assert_int_equal(frames_in(1, &first), 1);
	assert_int_equal(first, 7);
}

/* A reload has two sinks of one file for a while; whichever goes, the other loses nothing. */
static void
two_of_one_file(void **state)
{
	struct sample_sink *old = sink_new(0, 8), *new = sink_new(0, 8);
	uint32_t first = 0;

	(void)state;
	/* It is refused. */
	sample_sink_free(new);
	assert_int_equal(sample_sink_put(old, sample(1)), 0);
	sample_sink_free(old);
	assert_int_equal(frames_in(0, &first), 1);

	/* The old one has had no sample yet. */
	old = sink_new(0, 8);
	new = sink_new(0, 8);
	assert_int_equal(sample_sink_begin(new), 0);
	sample_sink_free(old);
	assert_int_equal(sample_sink_put(new, sample(2)), 0);
	sample_sink_free(new);
	assert_int_equal(frames_in(0, &first), 1);
	assert_int_equal(first, 2);

	/* The old one rotates meanwhile. */
	old = sink_new(1000, 8);
	assert_int_equal(sample_sink_put(old, sample(3)), 0);
	new = sink_new(0, 8);
	for (uint32_t i = 4; i < 9; i++)
		assert_int_equal(sample_sink_put(old, sample(i)), 0);
	assert_int_equal(sample_sink_begin(new), 0);
	sample_sink_free(old);
	assert_int_equal(sample_sink_put(new, sample(9)), 0);
	assert_int_equal(sample_sink_lost(new), 0);
	sample_sink_free(new);
	assert_int_equal(frames_in(0, &first), 1);
	assert_int_equal(first, 9);
	assert_true(frames_in(2, &first) > 0);
	assert_true(first > 2 && first < 9);
}

static void
unknown_port(void **state)
{
	struct sample_sink *s = sink_new(0, 1);
	struct sample_rec *rec = sample(1);

	(void)state;
	rec->port = 2;
	assert_int_equal(sample_sink_put(s, rec), -EINVAL);
	assert_int_equal(sample_sink_lost(s), 1);
	assert_int_equal(sample_sink_put(s, sample(2)), 0);
	sample_sink_free(s);
}

static void
no_memory(void **state)
{
	const struct sample_pcapng_conf conf = {.file = file, .snaplen = 128};
	struct sample_sink *s = NULL;
	int r = -ENOMEM;
	long n;

	(void)state;
	for (n = 0; r != 0; n++) {
		mem_fault_set(n);
		r = sample_pcapng_new(&conf, &names, &s, NULL);
		mem_fault_set(-1);
		assert_true(r == 0 || r == -ENOMEM);
	}
	assert_true(n > 4);
	sample_sink_free(s);
	sample_sink_free(NULL);
}

static void
collects_no_more_than_asked(void **state)
{
	struct sample_ring *rings[2] = {NULL, NULL};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(sample_ring_new(16, 128, &rings[i]), 0);
		assert_non_null(sample_ring_reserve(rings[i]));
		sample_ring_commit(rings[i]);
	}
	assert_int_equal(sample_collect(rings, 2, NULL, 0, 1), 1);
	assert_int_equal(sample_collect(rings, 2, NULL, 0, 0), 0);
	assert_int_equal(sample_collect(rings, 2, NULL, 0, 9), 1);
	for (size_t i = 0; i < 2; i++)
		sample_ring_free(rings[i]);
}

/* Two rings, one of them full: both get their turn, the rest waits. */
static void
collects_in_turn(void **state)
{
	struct sample_ring *rings[2] = {NULL, NULL};
	struct sample_sink *sinks[1] = {sink_new(0, 1)};
	uint32_t first = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(sample_ring_new(16, 128, &rings[i]), 0);
	for (uint32_t i = 0; i < 16; i++) {
		struct sample_rec *rec = sample_ring_reserve(rings[i & 1 && i < 4]);

		assert_non_null(rec);
		memcpy(rec, sample(i), sizeof(*rec) + 100);
		sample_ring_commit(rings[i & 1 && i < 4]);
	}
	assert_int_equal(sample_collect(rings, 2, sinks, 1, 4), 4);
	assert_int_equal(sample_sink_flush(sinks[0]), 0);
	assert_int_equal(frames_in(0, &first), 4);
	assert_int_equal(first, 0);
	assert_int_equal(sample_collect(rings, 2, sinks, 1, 100), 12);
	assert_int_equal(sample_collect(rings, 2, sinks, 1, 100), 0);
	sample_sink_free(sinks[0]);
	assert_int_equal(frames_in(0, &first), 16);
	for (size_t i = 0; i < 2; i++)
		sample_ring_free(rings[i]);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(writes_comments),
		IN_DIR(unused_moves_nothing),
		IN_DIR(deleted),
		IN_DIR(rotates),
		IN_DIR(never_overwrites),
		IN_DIR(fills_a_gap),
		IN_DIR(tiny_limit),
		IN_DIR(disk_fills),
		IN_DIR(full_at_start),
		IN_DIR(two_of_one_file),
		IN_DIR(unknown_port),
		IN_DIR(no_memory),
		IN_DIR(collects_in_turn),
		cmocka_unit_test(refuses),
		cmocka_unit_test(collects_no_more_than_asked),
	};

	return cmocka_run_group_tests_name("sample sink", tests, NULL, NULL);
}
