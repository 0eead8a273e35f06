// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any bytes as a frame of any link type: no view points outside its frame. The
 * first byte chooses the link type, the second how much longer the frame was on
 * the wire.
 */
#include <string.h>

#include "base/util.h"
#include "pkt/view.h"

#include "fuzz.h"

static void
holds(const struct pkt_view *v, uint32_t caplen)
{
	fuzz_check(v->key == pkt_key(v));
	fuzz_check(v->family == 0 || v->family == 4 || v->family == 6);
	if (v->family == 0) {
		fuzz_check(v->l3_caplen == 0 && v->l3_len == 0);
		return;
	}
	fuzz_check(v->l3_off <= caplen && v->l3_caplen <= caplen - v->l3_off);
	fuzz_check(v->l3_caplen <= v->l3_len);
	fuzz_check(v->l4_off == 0 || v->l4_off >= v->l3_off);
	if (v->flags & PKT_PORTS)
		fuzz_check(v->l4_off != 0 && v->l4_off + 4u <= caplen);
	/* The addresses are read, so that a sanitizer sees one that is not there. */
	fuzz_check(pkt_src(v) + (v->family == 4 ? 4 : 16) <= v->frame + caplen);
	fuzz_check(pkt_dst(v) + (v->family == 4 ? 4 : 16) <= v->frame + caplen);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int links[] = {1, 12, 14, 101, 228, 229, 113, 276, 0, 108};
	struct pkt_view v;
	uint32_t caplen, wirelen;

	if (size < 2 || size > 70000)
		return 0;
	caplen = (uint32_t)size - 2;
	wirelen = caplen + data[1];
	pkt_parse_link(links[data[0] % DIM(links)], data + 2, caplen, wirelen, &v);
	holds(&v, caplen);
	pkt_parse_ether(data + 2, caplen, wirelen, &v);
	holds(&v, caplen);
	pkt_parse_ip(data + 2, caplen, wirelen, &v);
	holds(&v, caplen);
	return 0;
}
