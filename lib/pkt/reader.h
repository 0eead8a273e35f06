/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_READER_H
#define PKT_READER_H

/*
 * The kinds of savefile behind struct pkt_reader. pcap and pcapng of the link
 * types that the parser knows are read here, frames staying where they were read
 * to; whatever else there is (other magic numbers, old versions, link types with
 * headers in the writer's byte order) goes to libpcap, which also is the judge of
 * the others in the tests.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "input.h"
#include "pkt/savefile.h"

struct diag;

#define NS_PER_S UINT64_C(1000000000)
#define FRAME_BYTES_MAX 262144 /* libpcap's, of a frame and of a snapshot length */

struct pkt_reader;

/*
 * Take up to @max frames from what is read already. Returns how many; 0: the
 * next one needs @r->need unused bytes, or there is none where the input ended
 * with all used; -EINVAL with a sentence. A failure is told when no frame stands
 * before it.
 */
typedef int (*reader_take_fn)(
	struct pkt_reader *r, struct pkt_frame *frames, uint32_t max, struct diag *diag);

/* An interface of a pcapng section. */
struct reader_port {
	uint32_t snaplen;
	uint64_t units; /* of time in a second */
	uint64_t ns; /* in a unit; 0: it is no whole number */
	uint64_t offset_s; /* added to all times; two's complement */
};

struct pkt_reader {
	struct input in;
	reader_take_fn take;
	size_t need; /* bytes of the record that stands next */
	uint64_t number; /* frames read so far */
	int dlt;
	uint32_t snaplen;
	char path[256]; /* for messages; cut if longer */

	bool swapped; /* numbers in the other byte order */
	uint32_t ns; /* in a unit of a pcap file's times */

	struct { /* of the current pcapng section */
		struct reader_port *v;
		size_t n, cap;
	} ports;

	void *pcap; /* libpcap's pcap_t */
	bool pcap_ended;
};

static inline uint16_t
reader_u16(const struct pkt_reader *r, const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return r->swapped ? __builtin_bswap16(v) : v;
}

static inline uint32_t
reader_u32(const struct pkt_reader *r, const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return r->swapped ? __builtin_bswap32(v) : v;
}

/* Say that the file is broken behind the frames read so far. Returns -EINVAL. */
int reader_broken(const struct pkt_reader *r, struct diag *diag, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The link type of number @linktype in a file, if frames of it need no change; else -1. */
int reader_link(const struct pkt_reader *r, uint32_t linktype);

/* What libpcap makes of a file's snapshot length. */
uint32_t reader_snaplen(uint32_t snaplen);

/*
 * Look at the start of the file, of which nothing is used yet. Returns 1: it is
 * of this kind and read by this code, 0: another has to try (nothing is used),
 * -errno with a sentence.
 */
int reader_pcap_open(struct pkt_reader *r, struct diag *diag);
int reader_pcapng_open(struct pkt_reader *r, struct diag *diag);
int reader_libpcap_open(struct pkt_reader *r, struct diag *diag);

#endif
