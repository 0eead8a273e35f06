// SPDX-License-Identifier: BSD-3-Clause
/* pcap files: a header of 24 bytes, then records of 16 bytes and the frame. */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "reader.h"

#define FILE_HEADER 24
#define RECORD_HEADER 16

#define MAGIC_US 0xa1b2c3d4
#define MAGIC_NS 0xa1b23c4d

/* One record at @p, of which the header is there. Returns the frame's bytes in the file. */
static inline uint32_t
record(const struct pkt_reader *r, const uint8_t *p, bool swapped, struct pkt_frame *frame)
{
	uint32_t v[4], kept;

	memcpy(v, p, sizeof(v));
	if (swapped)
		for (size_t i = 0; i < DIM(v); i++)
			v[i] = __builtin_bswap32(v[i]);
	/* More than the file promises to hold is left out, as libpcap does. */
	kept = MIN(v[2], r->snaplen);
	*frame = (struct pkt_frame){
		.data = p + RECORD_HEADER,
		.caplen = kept,
		.wirelen = MAX(v[3], kept), /* some writers claim less than they kept */
		.time_ns = v[0] * NS_PER_S + (uint64_t)v[1] * r->ns,
	};
	return v[2];
}

static int
take(struct pkt_reader *r, struct pkt_frame *frames, uint32_t max, struct diag *diag)
{
	struct input *in = &r->in;
	uint32_t n = 0;

	while (n < max) {
		const size_t left = input_left(in);
		uint32_t bytes;

		r->need = RECORD_HEADER;
		if (left < RECORD_HEADER)
			break;
		bytes = record(r, in->buf + in->at, r->swapped, &frames[n]);
		if (bytes > FRAME_BYTES_MAX) {
			if (n > 0)
				break;
			return reader_broken(r, diag, "a frame of %u bytes; at most %u can be",
				bytes, FRAME_BYTES_MAX);
		}
		r->need = RECORD_HEADER + (size_t)bytes;
		if (left < r->need)
			break;
		in->at += r->need;
		frames[n++].number = ++r->number;
	}
	return (int)n;
}

int
reader_pcap_open(struct pkt_reader *r, struct diag *diag)
{
	const uint8_t *p;
	uint32_t magic;
	int ret = input_want(&r->in, FILE_HEADER);

	if (ret < 0)
		return diag_fail(diag, ret, "cannot read '%s': %s", r->path, strerror(-ret));
	if (input_left(&r->in) < FILE_HEADER)
		return 0;
	p = r->in.buf + r->in.at;
	magic = reader_u32(r, p);
	r->swapped = magic == __builtin_bswap32(MAGIC_US) || magic == __builtin_bswap32(MAGIC_NS);
	magic = reader_u32(r, p);
	r->dlt = reader_link(r, reader_u32(r, p + 20));
	if ((magic != MAGIC_US && magic != MAGIC_NS) || reader_u16(r, p + 4) != 2 ||
		reader_u16(r, p + 6) != 4 || r->dlt < 0) {
		r->swapped = false;
		return 0;
	}
	r->ns = magic == MAGIC_NS ? 1 : 1000;
	r->snaplen = reader_snaplen(reader_u32(r, p + 16));
	r->in.at += FILE_HEADER;
	r->take = take;
	return 1;
}
