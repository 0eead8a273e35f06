// SPDX-License-Identifier: BSD-3-Clause
/* The only file of lib/pkt that knows libpcap. */
#include "pkt/savefile.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pcap/pcap.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/util.h"

#define NS_PER_S UINT64_C(1000000000)

struct pkt_reader {
	pcap_t *pcap; /* owns the FILE */
	uint64_t number; /* frames read so far */
	char path[256]; /* for messages; cut if longer */
};

/* "-" gets a stream of its own, so that closing it leaves the caller's alone. */
static FILE *
open_stream(const char *path, FILE *std, const char *mode)
{
	FILE *f;
	int fd;

	if (strcmp(path, "-") != 0)
		return fopen(path, mode);
	fd = dup(fileno(std));
	if (fd < 0)
		return NULL;
	f = fdopen(fd, mode);
	if (f == NULL)
		(void)close(fd);
	return f;
}

static bool
is_directory(FILE *f)
{
	struct stat st;

	return fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode);
}

int
pkt_reader_open(const char *path, struct pkt_reader **ret_reader, struct diag *diag)
{
	char err[PCAP_ERRBUF_SIZE] = "";
	struct pkt_reader *r = NULL;
	FILE *f;
	int ret;

	f = open_stream(path, stdin, "re");
	if (f == NULL) {
		ret = -errno;
		return diag_fail(diag, ret, "cannot open '%s': %s", path, strerror(-ret));
	}
	if (is_directory(f)) {
		ret = diag_fail(diag, -EISDIR, "cannot read '%s': it is a directory", path);
		goto out;
	}
	r = mem_zalloc(sizeof(*r));
	if (r == NULL) {
		ret = diag_fail(diag, -ENOMEM, "out of memory");
		goto out;
	}
	(void)snprintf(r->path, sizeof(r->path), "%s", path);
	r->pcap = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, err);
	if (r->pcap == NULL) {
		ret = diag_fail(diag, -EINVAL, "'%s' is no savefile: %s", path, err);
		goto out;
	}
	f = NULL;
	*ret_reader = r;
	return 0;
out:
	mem_free(r);
	if (f != NULL)
		(void)fclose(f);
	return ret;
}

int
pkt_reader_dlt(const struct pkt_reader *r)
{
	return pcap_datalink(r->pcap);
}

uint32_t
pkt_reader_snaplen(const struct pkt_reader *r)
{
	return (uint32_t)pcap_snapshot(r->pcap);
}

int
pkt_reader_next(struct pkt_reader *r, struct pkt_frame *ret_frame, struct diag *diag)
{
	struct pcap_pkthdr *h;
	const uint8_t *data;
	int n = pcap_next_ex(r->pcap, &h, &data);

	if (n == PCAP_ERROR_BREAK)
		return 0;
	if (n != 1)
		return diag_fail(diag, -EINVAL, "'%s', behind frame %llu: %s", r->path,
			(unsigned long long)r->number, pcap_geterr(r->pcap));
	*ret_frame = (struct pkt_frame){
		.data = data,
		.caplen = h->caplen,
		.wirelen = MAX(h->len, h->caplen), /* some writers claim less than they kept */
		.time_ns = (uint64_t)h->ts.tv_sec * NS_PER_S + (uint64_t)h->ts.tv_usec,
		.number = ++r->number,
	};
	return 1;
}

void
pkt_reader_close(struct pkt_reader *r)
{
	if (r == NULL)
		return;
	pcap_close(r->pcap);
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

struct pkt_writer {
	pcap_t *pcap; /* what pcap_dump_fopen() wants to know the file's header from */
	pcap_dumper_t *dumper; /* owns the FILE */
};

int
pkt_writer_open(const char *path, int dlt, uint32_t snaplen, struct pkt_writer **ret_writer,
	struct diag *diag)
{
	struct pkt_writer *w = NULL;
	FILE *f;
	int r;

	f = open_stream(path, stdout, "we");
	if (f == NULL) {
		r = -errno;
		return diag_fail(diag, r, "cannot create '%s': %s", path, strerror(-r));
	}
	w = mem_zalloc(sizeof(*w));
	if (w == NULL) {
		r = diag_fail(diag, -ENOMEM, "out of memory");
		goto out;
	}
	w->pcap = pcap_open_dead_with_tstamp_precision(
		dlt, (int)MIN(snaplen, 262144), PCAP_TSTAMP_PRECISION_NANO);
	if (w->pcap == NULL) {
		r = diag_fail(diag, -ENOMEM, "out of memory");
		goto out;
	}
	errno = 0;
	w->dumper = pcap_dump_fopen(w->pcap, f);
	if (w->dumper == NULL) {
		r = errno != 0 ? -errno : -EINVAL;
		diag_fail(diag, r, "cannot write '%s': %s", path, pcap_geterr(w->pcap));
		goto out;
	}
	*ret_writer = w;
	return 0;
out:
	if (w != NULL && w->pcap != NULL)
		pcap_close(w->pcap);
	mem_free(w);
	(void)fclose(f);
	return r;
}

int
pkt_writer_put(struct pkt_writer *w, const struct pkt_frame *frame)
{
	struct pcap_pkthdr h = {
		.caplen = frame->caplen,
		.len = frame->wirelen,
	};

	h.ts.tv_sec = (time_t)(frame->time_ns / NS_PER_S);
	h.ts.tv_usec = (suseconds_t)(frame->time_ns % NS_PER_S);
	errno = 0;
	pcap_dump((u_char *)w->dumper, &h, frame->data);
	if (ferror(pcap_dump_file(w->dumper)))
		return errno != 0 ? -errno : -EIO;
	return 0;
}

int
pkt_writer_flush(struct pkt_writer *w)
{
	errno = 0;
	if (pcap_dump_flush(w->dumper) < 0 || ferror(pcap_dump_file(w->dumper)))
		return errno != 0 ? -errno : -EIO;
	return 0;
}

int
pkt_writer_close(struct pkt_writer *w)
{
	int r;

	if (w == NULL)
		return 0;
	r = pkt_writer_flush(w);
	pcap_dump_close(w->dumper);
	pcap_close(w->pcap);
	mem_free(w);
	return r;
}
