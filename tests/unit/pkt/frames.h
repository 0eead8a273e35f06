/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_FRAMES_H
#define TEST_FRAMES_H

/* Frames of every shape the parser knows, each with what it must say of it. */

#include <stddef.h>
#include <stdint.h>

#include "pkt/build.h"
#include "pkt/view.h"

struct frame_case {
	const char *what;
	void (*build)(struct pkt_build *b);
	void (*spoil)(uint8_t *frame, size_t *len); /* after lengths and checksums; or NULL */
	uint16_t flags;
	uint16_t ethertype;
	uint8_t family, proto;
	uint16_t l3_off, l4_off;
	uint16_t sport, dport;
	uint32_t l3_len, l3_caplen;
};

extern const struct frame_case frame_cases[];
extern const size_t n_frame_cases;

/* Make case @c in @buf. Returns its bytes. */
size_t frame_make(const struct frame_case *c, uint8_t *buf, size_t cap);

/* Memory for @n bytes that ends at an unreadable page; one block, reused. Zeroed bytes before it. */
uint8_t *guarded(size_t n);

#endif
