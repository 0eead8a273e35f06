// SPDX-License-Identifier: BSD-3-Clause
/*
 * Captures of a given size. A pool of different frames is repeated, with times
 * that go on, since making each one anew would take longer than what is measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "bench.h"
#include "pkt/build.h"
#include "pkt/pcapng.h"
#include "pkt/savefile.h"
#include "tools.h"
#include "traffic.h"

#define POOL_BYTES ((size_t)1 << 20)
#define POOL_FRAMES 8192
#define ETHERNET 1 /* LINKTYPE_ETHERNET */
#define SNAPLEN 65535
#define START_NS UINT64_C(1767225600000000000)
#define GATHER ((size_t)256 << 10)

static const char *const names[] = {
	[TOOLS_FLOOD] = "flood", [TOOLS_IMIX] = "imix", [TOOLS_FULL] = "1500"};
_Static_assert(DIM(names) == TOOLS_FRAMES, "a name for each");

struct pool {
	uint8_t bytes[POOL_BYTES];
	uint32_t off[POOL_FRAMES], len[POOL_FRAMES];
	uint32_t n;
};

/* Where frames go: a pcap writer, or a pcapng writer and what it gathered. */
struct sink {
	struct pkt_writer *pcap;
	struct pcapng *ng;
	int fd;
	size_t n;
	uint8_t buf[GATHER];
};

const char *
tools_frames_name(enum tools_frames kind)
{
	return names[kind];
}

/* A UDP datagram to a port that no rule asks for, in a frame of @bytes. */
static size_t
udp_frame(struct rng *rng, size_t bytes, uint8_t *buf)
{
	enum { HEADERS = 14 + 20 + 8 };
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2}, src[6] = {2, 0, 0, 0, 0, 1};
	uint8_t payload[TRAFFIC_FRAME_MAX];
	struct pkt_build b;

	for (size_t i = 0; i < bytes - HEADERS; i++)
		payload[i] = (uint8_t)rng_next(rng);
	pkt_build_init(&b, buf, TRAFFIC_FRAME_MAX);
	pkt_build_ether(&b, dst, src);
	pkt_build_ip4(&b,
		&(struct pkt_ip4){.src = 0xc6120000 | rng_below(rng, 65536),
			.dst = 0xc0000235,
			.ttl = 57,
			.id = (uint16_t)rng_next(rng)});
	pkt_build_udp(&b, (uint16_t)(1024 + rng_below(rng, 60000)), 443);
	pkt_build_bytes(&b, payload, bytes - HEADERS);
	return pkt_build_done(&b);
}

static size_t
make_frame(enum tools_frames kind, struct rng *rng, uint8_t *buf)
{
	static const uint16_t imix[] = {64, 64, 64, 64, 64, 64, 64, 594, 594, 594, 594, 1514};
	struct traffic_conf conf;
	const bool rare = rng_below(rng, 100) < 3;

	traffic_defaults(&conf);
	conf.random_sources = true;
	if (kind == TOOLS_FLOOD) {
		conf.kind = rare ? TRAFFIC_DNS_MIXED : TRAFFIC_DNS_FLOOD;
		return traffic_frame(&conf, rng, buf);
	}
	if (rare)
		return traffic_frame(&conf, rng, buf);
	return udp_frame(rng, kind == TOOLS_FULL ? 1514 : imix[rng_below(rng, DIM(imix))], buf);
}

static void
fill_pool(struct pool *p, enum tools_frames kind)
{
	struct rng rng = {1};
	uint32_t at = 0;

	while (p->n < POOL_FRAMES && POOL_BYTES - at >= TRAFFIC_FRAME_MAX) {
		p->off[p->n] = at;
		p->len[p->n] = (uint32_t)make_frame(kind, &rng, p->bytes + at);
		at += p->len[p->n++];
	}
}

static int
flush(struct sink *s)
{
	for (size_t at = 0; at < s->n;) {
		ssize_t n = write(s->fd, s->buf + at, s->n - at);

		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	s->n = 0;
	return 0;
}

static int
gather(void *arg, const void *bytes, size_t n)
{
	struct sink *s = arg;
	int r = n > sizeof(s->buf) - s->n ? flush(s) : 0;

	if (r == 0) {
		memcpy(s->buf + s->n, bytes, n);
		s->n += n;
	}
	return r;
}

static int
sink_open(struct sink *s, const char *path, bool ng)
{
	struct diag diag = {0};
	int r;

	if (!ng)
		return pkt_writer_open(path, ETHERNET, SNAPLEN, &s->pcap, &diag);
	s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return -errno;
	r = pcapng_new(gather, s, "sluice-bench", &s->ng);
	if (r == 0)
		r = pcapng_interface(s->ng, "eth0", ETHERNET, SNAPLEN);
	return r;
}

static int
sink_put(struct sink *s, const struct pkt_frame *f)
{
	if (s->pcap != NULL)
		return pkt_writer_put(s->pcap, f);
	return pcapng_packet(s->ng,
		&(struct pcapng_packet){.data = f->data,
			.caplen = f->caplen,
			.wirelen = f->wirelen,
			.time_ns = f->time_ns,
			.queue = -1});
}

static int
sink_close(struct sink *s, int r)
{
	int closed = pkt_writer_close(s->pcap);

	if (s->ng != NULL && r == 0)
		closed = flush(s);
	pcapng_free(s->ng);
	if (s->fd >= 0)
		(void)close(s->fd);
	return r < 0 ? r : closed;
}

/* On disk, or memory if that is what the folder is on; and how large it became. */
static int
settle(const char *path, struct tools_capture *c)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;

	r = end < 0 || fsync(fd) < 0 ? -errno : 0;
	c->bytes = r == 0 ? (uint64_t)end : 0;
	if (fd >= 0)
		(void)close(fd);
	return r;
}

static int
write_frames(struct sink *s, const struct pool *p, bool ng, uint64_t bytes, struct tools_capture *c)
{
	uint64_t written = 0;
	int r = 0;

	for (uint32_t i = 0; r == 0 && written < bytes; i = i + 1 < p->n ? i + 1 : 0) {
		r = sink_put(s,
			&(struct pkt_frame){.data = p->bytes + p->off[i],
				.caplen = p->len[i],
				.wirelen = p->len[i],
				.time_ns = START_NS + c->frames * 1000});
		written += ng ? 32 + ((p->len[i] + 3) & ~3u) : 16 + p->len[i];
		c->frame_bytes += p->len[i];
		c->frames++;
	}
	return r;
}

int
tools_capture_write(const char *path, enum tools_frames kind, bool ng, uint64_t bytes,
	struct tools_capture *ret)
{
	struct pool *p = mem_zalloc(sizeof(*p));
	struct sink *s = mem_zalloc(sizeof(*s));
	int r = -ENOMEM;

	*ret = (struct tools_capture){0};
	if (p != NULL && s != NULL) {
		s->fd = -1;
		fill_pool(p, kind);
		r = sink_open(s, path, ng);
		if (r == 0)
			r = write_frames(s, p, ng, bytes, ret);
		r = sink_close(s, r);
	}
	mem_free(s);
	mem_free(p);
	if (r == 0)
		r = settle(path, ret);
	return r < 0 ? bench_fail("cannot write '%s': %s", path, strerror(-r)) : BENCH_OK;
}
