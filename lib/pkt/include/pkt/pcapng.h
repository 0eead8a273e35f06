/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_PCAPNG_H
#define PKT_PCAPNG_H

/*
 * A pcapng writer (draft-ietf-opsawg-pcapng): one section, one interface block
 * per port, enhanced packet blocks with comment, flags and queue options,
 * interface statistics at the end. Times are nanoseconds. The writer formats
 * into a buffer of its own and hands whole blocks to @write, so that a file
 * always ends at a block's end. One thread per object.
 */

#include <stdint.h>
#include <sys/types.h>

struct pcapng;

/* Take @n bytes, all or nothing. Returns 0 or -errno. */
typedef int (*pcapng_write_fn)(void *arg, const void *bytes, size_t n);

/* Start a section. @application: the program's name and version. Returns 0, -ENOMEM, @write's error. */
int pcapng_new(
	pcapng_write_fn write, void *arg, const char *application, struct pcapng **ret_pcapng);

/* Start another section (for the next file); interfaces count from 0 again. Errors as above. */
int pcapng_section(struct pcapng *p, const char *application);

/* Add an interface; its number counts from 0. Returns 0, -ENOMEM, @write's error. */
int pcapng_interface(struct pcapng *p, const char *name, int dlt, uint32_t snaplen);

struct pcapng_packet {
	uint32_t interface;
	uint64_t time_ns; /* since 1970 */
	const uint8_t *data;
	uint32_t caplen, wirelen; /* bytes */
	const char *comment; /* UTF-8, may be NULL */
	uint32_t direction; /* 0 unknown, 1 inbound, 2 outbound */
	int32_t queue; /* -1: unknown */
};
/* Returns 0, -EINVAL for an interface that was not added, -ENOMEM, @write's error. */
int pcapng_packet(struct pcapng *p, const struct pcapng_packet *pkt);

/* Statistics of interface @n: what was received, and what was lost before it could be written. */
int pcapng_stats(struct pcapng *p, uint32_t n, uint64_t time_ns, uint64_t received, uint64_t lost);

void pcapng_free(struct pcapng *p);

#endif
