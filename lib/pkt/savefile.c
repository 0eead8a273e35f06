// SPDX-License-Identifier: BSD-3-Clause
/* Savefiles in: which code reads which, and what all of them share. Names of link types. */
#include "pkt/savefile.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/util.h"
#include "linktype.h"
#include "reader.h"

int
reader_broken(const struct pkt_reader *r, struct diag *diag, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return diag_fail(diag, -EINVAL, "'%s', behind frame %llu: %s", r->path,
		(unsigned long long)r->number, what);
}

int
reader_link(const struct pkt_reader *r, uint32_t linktype)
{
	switch (linktype) {
	case LINK_NULL:
	case LINK_EN10MB:
	case LINK_RAW_LINUX:
	case LINK_RAW_OPENBSD:
	case LINK_LOOP:
	case LINK_IPV4:
	case LINK_IPV6: return (int)linktype;
	case LINK_RAW: return LINK_RAW_LINUX;
	case LINK_SLL:
	case LINK_SLL2: return r->swapped ? -1 : (int)linktype; /* CAN frames need a change */
	}
	return -1;
}

uint32_t
reader_snaplen(uint32_t snaplen)
{
	return snaplen == 0 || snaplen > INT32_MAX ? FRAME_BYTES_MAX : snaplen;
}

static int
start(struct pkt_reader *r, struct diag *diag)
{
	static int (*const openers[])(struct pkt_reader * r, struct diag * diag) = {
		reader_pcap_open, reader_pcapng_open, reader_libpcap_open};
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < DIM(openers); i++)
		ret = openers[i](r, diag);
	return ret < 0 ? ret : 0;
}

int
pkt_reader_open(const char *path, struct pkt_reader **ret_reader, struct diag *diag)
{
	struct pkt_reader *r = mem_zalloc(sizeof(*r));
	int ret;

	if (r == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	(void)snprintf(r->path, sizeof(r->path), "%s", path);
	ret = input_open(path, &r->in);
	if (ret < 0) {
		mem_free(r);
		if (ret == -EISDIR)
			return diag_fail(diag, ret, "cannot read '%s': it is a directory", path);
		return diag_fail(diag, ret, "cannot open '%s': %s", path, strerror(-ret));
	}
	ret = start(r, diag);
	if (ret < 0) {
		pkt_reader_close(r);
		return ret;
	}
	*ret_reader = r;
	return 0;
}

int
pkt_reader_dlt(const struct pkt_reader *r)
{
	return r->dlt;
}

uint32_t
pkt_reader_snaplen(const struct pkt_reader *r)
{
	return r->snaplen;
}

int
pkt_reader_burst(
	struct pkt_reader *r, struct pkt_frame *ret_frames, uint32_t max, struct diag *diag)
{
	int n, ret;

	while ((n = r->take(r, ret_frames, max, diag)) == 0) {
		if (r->pcap_ended || (r->in.ended && input_left(&r->in) == 0))
			return 0;
		if (r->in.ended)
			return reader_broken(r, diag, "the file breaks off");
		ret = input_want(&r->in, r->need);
		if (ret < 0)
			return diag_fail(
				diag, ret, "cannot read '%s': %s", r->path, strerror(-ret));
	}
	return n;
}

int
pkt_reader_next(struct pkt_reader *r, struct pkt_frame *ret_frame, struct diag *diag)
{
	return pkt_reader_burst(r, ret_frame, 1, diag);
}

bool
pkt_reader_waits(const struct pkt_reader *r)
{
	return input_left(&r->in) < r->need && input_waits(&r->in);
}

void
pkt_reader_close(struct pkt_reader *r)
{
	if (r == NULL)
		return;
	if (r->pcap != NULL)
		pcap_close(r->pcap);
	input_close(&r->in);
	mem_free(r->ports.v);
	mem_free(r);
}

const char *
pkt_link_name(int dlt)
{
	const char *name = pcap_datalink_val_to_name(dlt);

	return name != NULL ? name : "unknown";
}

int
pkt_link_by_name(const char *name)
{
	uint32_t dlt;

	if (parse_u32(name, 0, UINT16_MAX, &dlt, NULL) == 0)
		return (int)dlt;
	return pcap_datalink_name_to_val(name);
}
