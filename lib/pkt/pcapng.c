// SPDX-License-Identifier: BSD-3-Clause
/*
 * Blocks are written in the machine's byte order, which the magic number tells
 * the reader. A block is formatted whole, then handed over once.
 */
#include "pkt/pcapng.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "linktype.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
};
#define BYTE_ORDER_MAGIC 0x1a2b3c4d

enum {
	OPT_END = 0,
	OPT_COMMENT = 1,
	OPT_SHB_USERAPPL = 4,
	OPT_IF_NAME = 2,
	OPT_IF_TSRESOL = 9,
	OPT_EPB_FLAGS = 2,
	OPT_EPB_QUEUE = 6,
	OPT_ISB_IFRECV = 4,
	OPT_ISB_IFDROP = 5,
};

#define OPT_MAX 65535 /* bytes of an option's value */

struct pcapng {
	pcapng_write_fn write;
	void *arg;
	uint8_t *buf; /* the block being made */
	size_t len, cap; /* bytes */
	bool failed; /* out of memory within this block */
	uint32_t n_interfaces;
};

static void
put(struct pcapng *p, const void *bytes, size_t n)
{
	if (p->failed)
		return;
	if (n > p->cap - p->len) {
		size_t cap = MAX(p->cap * 2, p->len + n);
		uint8_t *buf = mem_realloc(p->buf, cap);

		if (buf == NULL) {
			p->failed = true;
			return;
		}
		p->buf = buf;
		p->cap = cap;
	}
	if (n > 0)
		memcpy(p->buf + p->len, bytes, n);
	p->len += n;
}

static void
put_u16(struct pcapng *p, uint16_t v)
{
	put(p, &v, sizeof(v));
}

static void
put_u32(struct pcapng *p, uint32_t v)
{
	put(p, &v, sizeof(v));
}

/* A time as two halves, the upper first whatever the byte order. */
static void
put_time(struct pcapng *p, uint64_t ns)
{
	put_u32(p, (uint32_t)(ns >> 32));
	put_u32(p, (uint32_t)ns);
}

static void
put_padded(struct pcapng *p, const void *bytes, size_t n)
{
	static const uint8_t zero[3];

	put(p, bytes, n);
	put(p, zero, -n & 3);
}

static void
put_option(struct pcapng *p, uint16_t code, const void *value, size_t n)
{
	put_u16(p, code);
	put_u16(p, (uint16_t)n);
	put_padded(p, value, n);
}

/* @s, cut at what an option can hold; nothing for NULL. */
static void
put_option_text(struct pcapng *p, uint16_t code, const char *s)
{
	if (s != NULL)
		put_option(p, code, s, strnlen(s, OPT_MAX));
}

static void
block_begin(struct pcapng *p, uint32_t type)
{
	p->len = 0;
	p->failed = false;
	put_u32(p, type);
	put_u32(p, 0); /* length, by block_end() */
}

/* The length at both ends, then out with it. */
static int
block_end(struct pcapng *p)
{
	uint32_t n = (uint32_t)p->len + 4;

	put_u32(p, n);
	if (p->failed)
		return -ENOMEM;
	memcpy(p->buf + 4, &n, sizeof(n));
	return p->write(p->arg, p->buf, p->len);
}

int
pcapng_section(struct pcapng *p, const char *application)
{
	block_begin(p, BLOCK_SECTION);
	put_u32(p, BYTE_ORDER_MAGIC);
	put_u16(p, 1);
	put_u16(p, 0);
	put_u32(p, UINT32_MAX); /* section length: not told, 64 bits of ones */
	put_u32(p, UINT32_MAX);
	put_option_text(p, OPT_SHB_USERAPPL, application);
	put_option(p, OPT_END, NULL, 0);
	p->n_interfaces = 0;
	return block_end(p);
}

int
pcapng_new(pcapng_write_fn write, void *arg, const char *application, struct pcapng **ret_pcapng)
{
	struct pcapng *p = mem_zalloc(sizeof(*p));
	int r;

	if (p == NULL)
		return -ENOMEM;
	p->write = write;
	p->arg = arg;
	r = pcapng_section(p, application);
	if (r < 0) {
		pcapng_free(p);
		return r;
	}
	*ret_pcapng = p;
	return 0;
}

/* Numbers in files differ from pcap's DLT_ for raw IP only, among those there are. */
static uint16_t
linktype_of(int dlt)
{
	if (dlt == LINK_RAW_LINUX || dlt == LINK_RAW_OPENBSD)
		return LINK_RAW;
	return (uint16_t)dlt;
}

int
pcapng_interface(struct pcapng *p, const char *name, int dlt, uint32_t snaplen)
{
	static const uint8_t nanoseconds = 9;
	int r;

	block_begin(p, BLOCK_INTERFACE);
	put_u16(p, linktype_of(dlt));
	put_u16(p, 0);
	put_u32(p, snaplen);
	put_option_text(p, OPT_IF_NAME, name);
	put_option(p, OPT_IF_TSRESOL, &nanoseconds, 1);
	put_option(p, OPT_END, NULL, 0);
	r = block_end(p);
	if (r == 0)
		p->n_interfaces++;
	return r;
}

int
pcapng_packet(struct pcapng *p, const struct pcapng_packet *pkt)
{
	if (pkt->interface >= p->n_interfaces)
		return -EINVAL;
	block_begin(p, BLOCK_PACKET);
	put_u32(p, pkt->interface);
	put_time(p, pkt->time_ns);
	put_u32(p, pkt->caplen);
	put_u32(p, pkt->wirelen);
	put_padded(p, pkt->data, pkt->caplen);
	put_option_text(p, OPT_COMMENT, pkt->comment);
	if (pkt->direction != 0)
		put_option(p, OPT_EPB_FLAGS, &pkt->direction, sizeof(pkt->direction));
	if (pkt->queue >= 0)
		put_option(p, OPT_EPB_QUEUE, &pkt->queue, sizeof(pkt->queue));
	if (pkt->comment != NULL || pkt->direction != 0 || pkt->queue >= 0)
		put_option(p, OPT_END, NULL, 0);
	return block_end(p);
}

int
pcapng_stats(struct pcapng *p, uint32_t n, uint64_t time_ns, uint64_t received, uint64_t lost)
{
	if (n >= p->n_interfaces)
		return -EINVAL;
	block_begin(p, BLOCK_STATISTICS);
	put_u32(p, n);
	put_time(p, time_ns);
	put_option(p, OPT_ISB_IFRECV, &received, sizeof(received));
	put_option(p, OPT_ISB_IFDROP, &lost, sizeof(lost));
	put_option(p, OPT_END, NULL, 0);
	return block_end(p);
}

void
pcapng_free(struct pcapng *p)
{
	if (p == NULL)
		return;
	mem_free(p->buf);
	mem_free(p);
}
