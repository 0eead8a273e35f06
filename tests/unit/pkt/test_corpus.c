// SPDX-License-Identifier: BSD-3-Clause
/* Every capture in SLUICE_CORPUS through the reader and the parser, each frame at a page's end. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "frames.h"
#include "pkt/savefile.h"
#include "pkt/view.h"

struct tally {
	unsigned long files, refused, broken, frames, ip, ports;
};

static int
check_frame(const struct pkt_view *v)
{
	uint32_t end = v->l3_off + v->l3_caplen;

	if (end > v->caplen || v->l4_off > end || v->l3_caplen > v->l3_len)
		return -EINVAL;
	if (v->flags & PKT_PORTS && (v->l4_off + 8u > end || v->family == 0))
		return -EINVAL;
	return 0;
}

/* Once under the file's link type, once as Ethernet and as IP, whatever it is. */
static int
parse_frame(int dlt, const struct pkt_frame *f, struct tally *t)
{
	uint8_t *p = guarded(f->caplen);
	struct pkt_view v;

	if (p == NULL)
		return -E2BIG;
	memcpy(p, f->data, f->caplen);
	pkt_parse_ether(p, f->caplen, f->wirelen, &v);
	if (check_frame(&v) < 0)
		return -EINVAL;
	pkt_parse_ip(p, f->caplen, f->wirelen, &v);
	if (check_frame(&v) < 0)
		return -EINVAL;
	if (!pkt_link_known(dlt))
		return 0;
	pkt_parse_link(dlt, p, f->caplen, f->wirelen, &v);
	t->ip += v.family != 0;
	t->ports += (v.flags & PKT_PORTS) != 0;
	return check_frame(&v);
}

static int
read_file(const char *path, struct tally *t)
{
	struct pkt_reader *r = NULL;
	struct diag diag = {0};
	struct pkt_frame f;
	int ret;

	t->files++;
	if (pkt_reader_open(path, &r, &diag) < 0) {
		t->refused++;
		return diag.msg[0] != '\0' ? 0 : -EINVAL;
	}
	while ((ret = pkt_reader_next(r, &f, &diag)) == 1) {
		t->frames++;
		if (parse_frame(pkt_reader_dlt(r), &f, t) < 0) {
			printf("%s: frame %llu: the view contradicts itself\n", path,
				(unsigned long long)f.number);
			ret = -ERANGE;
			break;
		}
	}
	if (ret == -EINVAL) {
		t->broken++;
		ret = diag.msg[0] != '\0' ? 0 : -EINVAL;
	}
	pkt_reader_close(r);
	return ret;
}

int
main(void)
{
	const char *corpus = getenv("SLUICE_CORPUS");
	struct tally t = {0};
	const struct dirent *e;
	char path[4096];
	int failed = 0;
	DIR *d;

	if (corpus == NULL)
		return 77;
	d = opendir(corpus);
	if (d == NULL) {
		printf("cannot open %s: %s\n", corpus, strerror(errno));
		return 1;
	}
	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".pcap") == NULL)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", corpus, e->d_name);
		failed |= read_file(path, &t) < 0;
	}
	closedir(d);
	printf("%lu files (%lu refused, %lu broken off), %lu frames, %lu IP, %lu with ports\n",
		t.files, t.refused, t.broken, t.frames, t.ip, t.ports);
	return failed || t.frames == 0 || t.ports == 0;
}
