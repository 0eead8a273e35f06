// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any bytes as a frame to be scrubbed: nothing outside of it is touched, and what
 * it is stays. The first byte chooses the link type, the second how much longer
 * the frame was on the wire.
 */
#include <string.h>

#include "base/util.h"
#include "pkt/scrub.h"
#include "pkt/view.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int links[] = {1, 12, 14, 101, 228, 229, 113, 276, 0, 108};
	const struct pkt_scrub_key key = {{1, 2}};
	struct pkt_view before, after;
	uint32_t caplen, wirelen;
	uint8_t *frame;
	int dlt;

	if (size < 2 || size > 4096)
		return 0;
	dlt = links[data[0] % DIM(links)];
	caplen = (uint32_t)size - 2;
	wirelen = caplen + data[1];
	/* Of exactly that size, so that a sanitizer sees a byte behind it. */
	frame = malloc(caplen > 0 ? caplen : 1);
	fuzz_check(frame != NULL);
	memcpy(frame, data + 2, caplen);
	pkt_parse_link(dlt, frame, caplen, wirelen, &before);
	pkt_scrub(&key, dlt, frame, caplen, wirelen);
	pkt_parse_link(dlt, frame, caplen, wirelen, &after);
	/* Without the padding behind the last field. */
	fuzz_check(memcmp(&before.flags, &after.flags,
			   offsetof(struct pkt_view, l3_len) - offsetof(struct pkt_view, flags)) ==
			0 &&
		before.l3_len == after.l3_len);
	free(frame);
	return 0;
}
