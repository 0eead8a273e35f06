// SPDX-License-Identifier: BSD-3-Clause
/* Savefiles out and in again, and files that are none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "pkt/savefile.h"

static char dir[] = "/tmp/sluice-savefile-XXXXXX";
static char path[64];

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/a.pcap", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

#define T0 UINT64_C(1767225600123456789)

static void
put_frames(int dlt, uint32_t n)
{
	struct diag diag = {0};
	struct pkt_writer *w = NULL;
	uint8_t data[64];

	assert_int_equal(pkt_writer_open(path, dlt, 65535, &w, &diag), 0);
	for (uint32_t i = 0; i < n; i++) {
		memset(data, (int)i, sizeof(data));
		assert_int_equal(pkt_writer_put(w,
					 &(struct pkt_frame){.data = data,
						 .caplen = i,
						 .wirelen = i + 100,
						 .time_ns = T0 + i}),
			0);
	}
	assert_int_equal(pkt_writer_close(w), 0);
}

static void
round_trip(void **state)
{
	static const int dlts[] = {1, 12, 113, 276, 0};

	(void)state;
	for (size_t d = 0; d < DIM(dlts); d++) {
		struct diag diag = {0};
		struct pkt_reader *r = NULL;
		struct pkt_frame f;

		put_frames(dlts[d], 20);
		assert_int_equal(pkt_reader_open(path, &r, &diag), 0);
		assert_int_equal(pkt_reader_dlt(r), dlts[d]);
		assert_int_equal(pkt_reader_snaplen(r), 65535);
		for (uint32_t i = 0; i < 20; i++) {
			assert_int_equal(pkt_reader_next(r, &f, &diag), 1);
			assert_int_equal(f.caplen, i);
			assert_int_equal(f.wirelen, i + 100);
			assert_int_equal(f.number, i + 1);
			assert_true(f.time_ns == T0 + i);
			assert_true(i == 0 || f.data[i - 1] == i);
		}
		assert_int_equal(pkt_reader_next(r, &f, &diag), 0);
		pkt_reader_close(r);
	}
}

/* The file cut at every byte: whole frames, then a clean end or a sentence. */
static void
cut(void **state)
{
	struct diag diag = {0};
	uint8_t buf[4096];
	size_t n;
	FILE *f;

	(void)state;
	put_frames(1, 8);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	for (size_t at = 0; at < n; at++) {
		struct pkt_reader *r = NULL;
		struct pkt_frame frame;
		int ret;

		f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(buf, 1, at, f), at);
		fclose(f);
		ret = pkt_reader_open(path, &r, &diag);
		if (at < 24) {
			assert_int_equal(ret, -EINVAL);
			assert_null(r);
			continue;
		}
		assert_int_equal(ret, 0);
		do
			ret = pkt_reader_next(r, &frame, &diag);
		while (ret == 1);
		assert_true(ret == 0 || ret == -EINVAL);
		if (at == n - 1)
			assert_non_null(strstr(diag.msg, "behind frame 7"));
		pkt_reader_close(r);
	}
}

static const struct {
	const char *path;
	int err;
	const char *says;
} refused[] = {
	{"/nonexistent/x.pcap", -ENOENT, "cannot open '/nonexistent/x.pcap': No such file"},
	{"/tmp", -EISDIR, "is a directory"},
	{"/dev/null", -EINVAL, "is no savefile"},
	{"/proc/self/exe", -EINVAL, "is no savefile"},
};

static void
refuses(void **state)
{
	struct pkt_writer *w = NULL;

	(void)state;
	for (size_t i = 0; i < DIM(refused); i++) {
		struct diag diag = {0};
		struct pkt_reader *r = NULL;

		assert_int_equal(pkt_reader_open(refused[i].path, &r, &diag), refused[i].err);
		assert_null(r);
		assert_non_null(strstr(diag.msg, refused[i].says));
	}
	assert_int_equal(pkt_writer_open("/nonexistent/x", 1, 128, &w, NULL), -ENOENT);
	assert_int_equal(pkt_writer_open("/tmp", 1, 128, &w, NULL), -EISDIR);
	assert_null(w);
}

static void
full_disk(void **state)
{
	struct pkt_writer *w = NULL;
	const uint8_t data[1500] = {0};
	int r = 0;

	(void)state;
	r = pkt_writer_open("/dev/full", 1, 65535, &w, NULL);
	for (int i = 0; i < 1000 && r == 0; i++)
		r = pkt_writer_put(
			w, &(struct pkt_frame){.data = data, .caplen = 1500, .wirelen = 1500});
	assert_int_equal(r, -ENOSPC);
	assert_true(pkt_writer_close(w) < 0);
	assert_int_equal(pkt_writer_close(NULL), 0);

	/* What fits the buffer fails at the close. */
	assert_int_equal(pkt_writer_open("/dev/full", 1, 65535, &w, NULL), 0);
	assert_int_equal(pkt_writer_close(w), -ENOSPC);
}

static void
no_memory(void **state)
{
	struct pkt_reader *r = NULL;
	struct pkt_writer *w = NULL;

	(void)state;
	put_frames(1, 1);
	mem_fault_set(0);
	assert_int_equal(pkt_reader_open(path, &r, NULL), -ENOMEM);
	assert_int_equal(pkt_writer_open(path, 1, 128, &w, NULL), -ENOMEM);
	mem_fault_set(-1);
	assert_null(r);
	assert_null(w);
	pkt_reader_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(cut),
		cmocka_unit_test(refuses),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests_name("pkt savefile", tests, make_dir, remove_dir);
}
