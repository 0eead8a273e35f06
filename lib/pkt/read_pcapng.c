// SPDX-License-Identifier: BSD-3-Clause
/*
 * pcapng files: blocks, of which those that describe sections, interfaces and
 * frames are read and the others stepped over. As in libpcap all interfaces must
 * have one link type; their snapshot lengths and their sections' byte orders may
 * differ.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "base/vec.h"
#include "reader.h"

#define BLOCK_HEADER 8 /* type, length */
#define BLOCK_MIN 12
#define BLOCK_MAX ((uint32_t)16 << 20) /* bytes, as libpcap has it */
#define PORTS_MAX 65536 /* interfaces in a section */
#define BYTE_ORDER_MAGIC 0x1a2b3c4d

enum {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET_OLD = 2,
	BLOCK_PACKET_SIMPLE = 3,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

enum { OPT_END = 0, OPT_TSRESOL = 9, OPT_TSOFFSET = 14 };

/* The block that stands next: its bytes behind type and length, without the length at its end. */
struct block {
	uint32_t type, bytes /* in all */, n /* of @body */;
	const uint8_t *body;
};

static bool
is_packet(uint32_t type)
{
	return type == BLOCK_PACKET || type == BLOCK_PACKET_SIMPLE || type == BLOCK_PACKET_OLD;
}

/* The byte order that a section's header at @p says. */
static int
section_order(struct pkt_reader *r, const uint8_t *p, struct diag *diag)
{
	uint32_t magic;

	memcpy(&magic, p + BLOCK_HEADER, sizeof(magic));
	if (magic != BYTE_ORDER_MAGIC && magic != __builtin_bswap32(BYTE_ORDER_MAGIC))
		return reader_broken(r, diag, "a section whose byte order cannot be told");
	r->swapped = magic != BYTE_ORDER_MAGIC;
	return 0;
}

/*
 * Look at the block at @at bytes behind what is used. Returns 1 with the block,
 * 0: more must be read, see @r->need, -EINVAL.
 */
static int
peek(struct pkt_reader *r, size_t at, struct block *b, struct diag *diag)
{
	const uint8_t *p = r->in.buf + r->in.at + at;
	const size_t left = input_left(&r->in) - at;

	r->need = at + BLOCK_MIN;
	if (left < BLOCK_MIN)
		return 0;
	b->type = reader_u32(r, p);
	/* Its type reads the same in both orders. */
	if (b->type == BLOCK_SECTION && section_order(r, p, diag) < 0)
		return -EINVAL;
	b->bytes = reader_u32(r, p + 4);
	if (b->bytes < BLOCK_MIN || b->bytes % 4 != 0 || b->bytes > BLOCK_MAX)
		return reader_broken(r, diag, "a block of %u bytes", b->bytes);
	r->need = at + b->bytes;
	if (left < b->bytes)
		return 0;
	if (reader_u32(r, p + b->bytes - 4) != b->bytes)
		return reader_broken(r, diag, "a block of %u bytes whose end says %u", b->bytes,
			reader_u32(r, p + b->bytes - 4));
	b->body = p + BLOCK_HEADER;
	b->n = b->bytes - BLOCK_MIN;
	return 1;
}

static int
section(struct pkt_reader *r, const struct block *b, struct diag *diag)
{
	if (b->n < 16)
		return reader_broken(r, diag, "a section's header of %u bytes", b->bytes);
	if (reader_u16(r, b->body + 4) != 1)
		return reader_broken(r, diag, "version %u.%u of pcapng", reader_u16(r, b->body + 4),
			reader_u16(r, b->body + 6));
	r->ports.n = 0;
	return 0;
}

/* Option if_tsresol: units in a second as a power of 10, or of 2 with the highest bit set. */
static int
set_resolution(struct pkt_reader *r, struct reader_port *port, uint8_t v, struct diag *diag)
{
	uint64_t units = 1;

	if (v & 0x80 ? (v & 0x7f) > 63 : v > 19)
		return reader_broken(r, diag, "an interface with times of %u^-%u s",
			v & 0x80 ? 2 : 10, v & 0x7f);
	if (v & 0x80)
		units <<= v & 0x7f;
	else
		while (v-- > 0)
			units *= 10;
	port->units = units;
	port->ns = NS_PER_S % units == 0 ? NS_PER_S / units : 0;
	return 0;
}

static int
port_option(struct pkt_reader *r, struct reader_port *port, uint16_t code, const uint8_t *p,
	uint16_t n, struct diag *diag)
{
	uint64_t v;

	if ((code == OPT_TSRESOL && n != 1) || (code == OPT_TSOFFSET && n != 8))
		return reader_broken(r, diag, "an interface's option %u of %u bytes", code, n);
	if (code == OPT_TSRESOL)
		return set_resolution(r, port, *p, diag);
	if (code == OPT_TSOFFSET) {
		memcpy(&v, p, sizeof(v));
		port->offset_s = r->swapped ? __builtin_bswap64(v) : v;
	}
	return 0;
}

static int
port_options(struct pkt_reader *r, struct reader_port *port, const uint8_t *p, uint32_t n,
	struct diag *diag)
{
	while (n > 0) {
		uint16_t code, len;
		uint32_t bytes;

		if (n < 4)
			return reader_broken(r, diag, "an interface's options break off");
		code = reader_u16(r, p);
		len = reader_u16(r, p + 2);
		bytes = 4 + ((len + 3u) & ~3u);
		if (code == OPT_END)
			return 0;
		if (bytes > n)
			return reader_broken(r, diag, "an interface's options break off");
		if (port_option(r, port, code, p + 4, len, diag) < 0)
			return -EINVAL;
		p += bytes;
		n -= bytes;
	}
	return 0;
}

static int
interface(struct pkt_reader *r, const struct block *b, struct diag *diag)
{
	struct reader_port port = {.units = 1000000, .ns = 1000}, *p;
	int dlt;

	if (b->n < 8)
		return reader_broken(r, diag, "an interface's block of %u bytes", b->bytes);
	dlt = reader_link(r, reader_u16(r, b->body));
	if (dlt != r->dlt)
		return reader_broken(r, diag,
			"an interface of link type %s; those before have %s, and one file is read as one",
			pkt_link_name(reader_u16(r, b->body)), pkt_link_name(r->dlt));
	if (r->ports.n == PORTS_MAX)
		return reader_broken(r, diag, "more than %d interfaces", PORTS_MAX);
	port.snaplen = reader_snaplen(reader_u32(r, b->body + 4));
	if (port_options(r, &port, b->body + 8, b->n - 8, diag) < 0)
		return -EINVAL;
	p = vec_push(&r->ports);
	if (p == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	*p = port;
	return 0;
}

/* A section's or interface's block; others than these say nothing. */
static int
describe(struct pkt_reader *r, const struct block *b, struct diag *diag)
{
	if (b->type == BLOCK_SECTION)
		return section(r, b, diag);
	return b->type == BLOCK_INTERFACE ? interface(r, b, diag) : 0;
}

static uint64_t
to_ns(const struct reader_port *port, uint64_t t)
{
	const uint64_t offset = port->offset_s * NS_PER_S;

	if (port->ns != 0)
		return t * port->ns + offset;
	return (t / port->units) * NS_PER_S + offset +
		(uint64_t)((unsigned __int128)(t % port->units) * NS_PER_S / port->units);
}

/* Bytes of the fixed part of a packet's block. */
static uint32_t
packet_header(uint32_t type)
{
	return type == BLOCK_PACKET_SIMPLE ? 4 : 20;
}

static int
packet(struct pkt_reader *r, const struct block *b, struct pkt_frame *frame, struct diag *diag)
{
	const uint32_t header = packet_header(b->type);
	const struct reader_port *port;
	uint64_t t = 0; /* a simple block has no time */
	uint32_t id = 0;

	if (b->n < header)
		return reader_broken(r, diag, "a packet's block of %u bytes", b->bytes);
	if (b->type == BLOCK_PACKET)
		id = reader_u32(r, b->body);
	else if (b->type == BLOCK_PACKET_OLD)
		id = reader_u16(r, b->body);
	if (id >= r->ports.n)
		return reader_broken(
			r, diag, "a packet of interface %u, of which the file has not told", id);
	port = &r->ports.v[id];
	*frame = (struct pkt_frame){.data = b->body + header};
	if (b->type == BLOCK_PACKET_SIMPLE) {
		frame->wirelen = reader_u32(r, b->body);
		frame->caplen = MIN(frame->wirelen, port->snaplen);
	} else {
		t = (uint64_t)reader_u32(r, b->body + 4) << 32 | reader_u32(r, b->body + 8);
		frame->caplen = reader_u32(r, b->body + 12);
		frame->wirelen = MAX(reader_u32(r, b->body + 16), frame->caplen);
	}
	frame->time_ns = to_ns(port, t);
	if (frame->caplen > r->snaplen)
		return reader_broken(r, diag,
			"a frame of %u bytes; the interfaces promise at most %u", frame->caplen,
			r->snaplen);
	if (frame->caplen > b->n - header)
		return reader_broken(
			r, diag, "a frame of %u bytes in a block of %u", frame->caplen, b->bytes);
	return 0;
}

static int
take(struct pkt_reader *r, struct pkt_frame *frames, uint32_t max, struct diag *diag)
{
	struct block b = {0};
	uint32_t n = 0;

	while (n < max) {
		/* What is wrong behind frames is found again, and told, by the next call. */
		struct diag *why = n == 0 ? diag : NULL;
		int ret = peek(r, 0, &b, why);

		if (ret > 0 && is_packet(b.type))
			ret = packet(r, &b, &frames[n], why) == 0 ? 1 : -EINVAL;
		else if (ret > 0)
			ret = describe(r, &b, why);
		if (ret < 0 && n == 0)
			return ret;
		if (ret < 0 || (ret == 0 && input_left(&r->in) < r->need))
			break;
		r->in.at += b.bytes;
		if (is_packet(b.type))
			frames[n++].number = ++r->number;
	}
	return (int)n;
}

/* As peek(), with as much read as that takes. 0: the input ended. */
static int
next_block(struct pkt_reader *r, size_t at, struct block *b, struct diag *diag)
{
	int ret;

	while ((ret = peek(r, at, b, diag)) == 0) {
		if (r->in.ended)
			return 0;
		ret = input_want(&r->in, r->need);
		if (ret < 0)
			return diag_fail(
				diag, ret, "cannot read '%s': %s", r->path, strerror(-ret));
	}
	return ret;
}

/* Find the first interface, using nothing. 1 with its block, 0: libpcap is to say why not. */
static int
first_interface(struct pkt_reader *r, struct block *b)
{
	size_t at = 0;

	while (at < BLOCK_MAX && next_block(r, at, b, NULL) > 0 && !is_packet(b->type)) {
		if (b->type == BLOCK_INTERFACE)
			return b->n >= 8;
		at += b->bytes;
	}
	return 0;
}

/*
 * Read on to the first packet, so that the interfaces told until then, in nearly
 * all files all of them, decide the snapshot length.
 */
static int
read_head(struct pkt_reader *r, struct diag *diag)
{
	struct block b = {0};
	int ret;

	while ((ret = next_block(r, 0, &b, diag)) > 0 && !is_packet(b.type)) {
		ret = describe(r, &b, diag);
		if (ret < 0)
			break;
		r->in.at += b.bytes;
	}
	for (size_t i = 0; i < r->ports.n; i++)
		r->snaplen = MAX(r->snaplen, r->ports.v[i].snaplen);
	return ret < 0 ? ret : 0;
}

int
reader_pcapng_open(struct pkt_reader *r, struct diag *diag)
{
	struct block b = {0};
	int ret = input_want(&r->in, BLOCK_MIN);

	if (ret < 0)
		return diag_fail(diag, ret, "cannot read '%s': %s", r->path, strerror(-ret));
	if (input_left(&r->in) < BLOCK_MIN ||
		reader_u32(r, r->in.buf + r->in.at) != BLOCK_SECTION || !first_interface(r, &b)) {
		r->swapped = false;
		return 0;
	}
	r->dlt = reader_link(r, reader_u16(r, b.body));
	if (r->dlt < 0) {
		r->swapped = false;
		return 0;
	}
	r->take = take;
	ret = read_head(r, diag);
	return ret < 0 ? ret : 1;
}
