/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_DP_RIG_H
#define TEST_DP_RIG_H

/*
 * A data plane on savefiles, without privileges: frames written to one file are
 * received by a net_pcap port, what it sends is read back from another.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dp/dp.h"
#include "match/image.h"
#include "match/rule.h"

#define RIG_WORKERS 4

/* One frame; @data is malloc()ed. */
struct rig_frame {
	uint8_t *data;
	uint32_t len;
};

struct rig_file {
	char path[256];
	struct rig_frame *frames;
	size_t n;
};

/* Start DPDK (once a process) and make a folder for files; group setup and teardown. */
int rig_setup(void **state);
int rig_teardown(void **state);

/*
 * dp_new() and dp_free() through the rig, which stops what a failed test left
 * running: workers that go on would keep the process from ending.
 */
struct dp *rig_dp(const struct dp_conf *conf);
void rig_free(struct dp *dp);

/* A file named @name in the folder. */
void rig_path(const char *name, char *buf, size_t size);

/* An empty list of frames, to be written to @name; rig_add copies; UDP to @dport with @n payload. */
struct rig_file rig_file(const char *name);
void rig_add(struct rig_file *f, const void *data, size_t len);
void rig_add_udp(struct rig_file *f, uint16_t dport, size_t n);
void rig_write(const struct rig_file *f);
/* What the device wrote. */
struct rig_file rig_read(const char *name);
void rig_file_free(struct rig_file *f);

/* True when both hold the same frames in the same order. */
bool rig_same(const struct rig_file *a, const struct rig_file *b);

/* Rules with a destination port as their only condition; 0: all frames. */
struct match_image *rig_image(
	size_t n, const uint16_t *dports, const enum match_action *actions, const uint32_t *slots);

/* Wait until all savefiles have been read and handled; fails the test after 20 s. */
void rig_drain(struct dp *dp);

/* Fails the test unless the port's books balance. */
void rig_check_books(struct dp *dp, size_t port);

uint64_t rig_stat(struct dp *dp, size_t port, enum dp_stat s);

#endif
