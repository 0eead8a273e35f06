// SPDX-License-Identifier: BSD-3-Clause
/*
 * Every capture of Ethernet in SLUICE_CORPUS, most of them malformed, through
 * programs in the kernel: verdicts and counters are the reference's.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "judge.h"
#include "pkt/savefile.h"

#define DLT_ETHER 1

/* Where in the folder the next frame is. */
struct captures {
	const char *folder;
	DIR *dir;
	struct pkt_reader *reader;
	unsigned long files, frames;
};

/* Open the next file that is a capture of Ethernet. */
static bool
next_file(struct captures *c)
{
	const struct dirent *e;

	while ((e = readdir(c->dir)) != NULL) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", c->folder, e->d_name);
		if (e->d_name[0] == '.' || pkt_reader_open(path, &c->reader, NULL) < 0)
			continue;
		if (pkt_reader_dlt(c->reader) == DLT_ETHER) {
			c->files++;
			return true;
		}
		pkt_reader_close(c->reader);
	}
	c->reader = NULL;
	return false;
}

static bool
next_frame(void *ctx, struct world_frame *ret)
{
	struct captures *c = ctx;
	struct pkt_frame f;

	while (c->reader != NULL || next_file(c)) {
		if (pkt_reader_next(c->reader, &f, NULL) > 0) {
			*ret = world_frame_copy(f.data, f.caplen, f.caplen);
			c->frames++;
			return true;
		}
		pkt_reader_close(c->reader);
		c->reader = NULL;
	}
	return false;
}

static void
captures_get_the_references_verdicts(void **state)
{
	static const struct xdp_opts how = {.vital = true};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct captures c = {.folder = getenv("SLUICE_CORPUS")};

		c.dir = opendir(c.folder);
		assert_non_null(c.dir);
		(void)judge_set(&judge_writers[i == 0 ? JUDGE_C : JUDGE_OBJECT], 20, &how,
			next_frame, &c, false);
		closedir(c.dir);
		print_message("%lu captures, %lu frames\n", c.files, c.frames);
		assert_true(c.frames > 1000);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(captures_get_the_references_verdicts),
	};
	int r;

	if (getenv("SLUICE_CORPUS") == NULL) {
		printf("SLUICE_CORPUS does not name a folder of captures\n");
		return 77;
	}
	if (!judge_init())
		return 77;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	judge_fini();
	return r;
}
