/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_SAVEFILE_H
#define PKT_SAVEFILE_H

/*
 * Savefiles: pcap and pcapng in, pcap out. Timestamps keep their
 * nanoseconds. One thread per object.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct diag;
struct pkt_reader;
struct pkt_writer;

/* One frame of a savefile; @data is valid until the next read. */
struct pkt_frame {
	const uint8_t *data;
	uint32_t caplen, wirelen; /* bytes */
	uint64_t time_ns; /* since 1970 */
	uint64_t number; /* from 1, in the order read */
};

/* Open @path, "-" is standard input. Returns 0, -ENOENT and other -errno, -EINVAL: no savefile. */
int pkt_reader_open(const char *path, struct pkt_reader **ret_reader, struct diag *diag);
int pkt_reader_dlt(const struct pkt_reader *r);
uint32_t pkt_reader_snaplen(const struct pkt_reader *r);

/* Returns 1 and a frame, 0 at the end, -EINVAL for a file that breaks off or lies, -errno of reading. */
int pkt_reader_next(struct pkt_reader *r, struct pkt_frame *ret_frame, struct diag *diag);
/*
 * The same for up to @max frames, 1 or more, as many as are at hand; all are
 * valid until the next read. Returns how many, 0 at the end, -errno.
 */
int pkt_reader_burst(
	struct pkt_reader *r, struct pkt_frame *ret_frames, uint32_t max, struct diag *diag);

/* True when the next read would wait for whoever writes the pipe: time to flush what is done. */
bool pkt_reader_waits(const struct pkt_reader *r);
void pkt_reader_close(struct pkt_reader *r);

/* What libpcap calls link type @dlt, "unknown" for none that it knows. */
const char *pkt_link_name(int dlt);
/* The link type that libpcap calls @name (in any case) or whose decimal number that is; -1: none. */
int pkt_link_by_name(const char *name);

/* A new pcap file with nanoseconds, "-" is standard output. Errors as open(2), -ENOMEM. */
int pkt_writer_open(const char *path, int dlt, uint32_t snaplen, struct pkt_writer **ret_writer,
	struct diag *diag);
/* Returns 0 or -errno of the write. */
int pkt_writer_put(struct pkt_writer *w, const struct pkt_frame *frame);
/* Hand what is buffered to the system, so that a reader sees whole frames. 0 or -errno. */
int pkt_writer_flush(struct pkt_writer *w);
/* Flush and close; -errno when what was written could not be kept. NULL is allowed. */
int pkt_writer_close(struct pkt_writer *w);

#endif
