/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_STATS_H
#define DP_STATS_H

/*
 * The books. Per port, exactly:
 *
 *	rx = dropped + limited + passed + exception_full + exception_policed
 *	frames sent to us = rx + rx_missed + rx_nombuf
 *	kernel_rx = tx + tx_full
 *
 * as soon as no frame is on its way; while traffic flows a snapshot is taken
 * counter by counter and may be off by the bursts in flight.
 *
 * kernel_rx counts what is to go out by the port's wire: what the kernel sent
 * through the exception path, and what another port's exception path put there
 * (of that, only what was taken: what was refused is the other port's
 * exception_full, so that no loss is counted twice).
 */

#include <stddef.h>
#include <stdint.h>

struct dp;

enum dp_stat_kind {
	DP_KIND_FLOW, /* what went where */
	DP_KIND_LOST, /* frames that nobody got, by reason */
	DP_KIND_NOTE, /* what happened besides; no loss */
};

/*   X(id, name, kind, help) */
/* clang-format off */
#define DP_STATS(X) \
	X(RX, "rx", FLOW, "Frames taken from the NIC.") \
	X(RX_BYTES, "rx_bytes", FLOW, "Their bytes, without FCS.") \
	X(DROPPED, "dropped", FLOW, "Frames dropped by a rule.") \
	X(LIMITED, "limited", FLOW, "Frames dropped by a limit.") \
	X(PASSED, "passed", FLOW, "Survivors that the exception path took.") \
	X(SAMPLED, "sampled", FLOW, "Frames copied into a sample.") \
	X(KERNEL_RX, "kernel_rx", FLOW, "Frames to be sent by this port.") \
	X(TX, "tx", FLOW, "Frames sent by this port.") \
	X(TX_BYTES, "tx_bytes", FLOW, "Their bytes, without FCS.") \
	X(EXCEPTION_FULL, "exception_full", LOST, "Survivors that the exception path did not take.") \
	X(EXCEPTION_POLICED, "exception_policed", LOST, "Survivors over the policer's rate.") \
	X(RX_MISSED, "rx_missed", LOST, "Frames that found no room in the receive ring.") \
	X(RX_NOMBUF, "rx_nombuf", LOST, "Frames for which there was no buffer.") \
	X(TX_FULL, "tx_full", LOST, "Frames to be sent that the NIC did not take.") \
	X(SAMPLE_LOST, "sample_lost", NOTE, "Samples lost because the collector was late.") \
	X(TRUNCATED, "truncated", NOTE, "Frames with a header that ends behind their last byte.") \
	X(MALFORMED, "malformed", NOTE, "Frames with a length field that cannot be.") \
	X(PROTECTED, "protected", NOTE, "Drops prevented because the frame is vital.") \
	X(TRANSPARENT_OVERFLOW, "transparent_overflow", NOTE, \
	  "Frames that matched 16 rules that do not decide; of others only deciding ones were asked.")
/* clang-format on */

#define X(id, name, kind, help) DP_STAT_##id,
enum dp_stat { DP_STATS(X) DP_STAT_COUNT };
#undef X

struct dp_stat_info {
	const char *name;
	enum dp_stat_kind kind;
	const char *help;
};

/* One row per enum dp_stat. */
extern const struct dp_stat_info dp_stat_info[DP_STAT_COUNT];

struct dp_port_stats {
	uint64_t v[DP_STAT_COUNT]; /* by enum dp_stat */
};

/* What a rule counted, over all workers. */
struct dp_rule_stats {
	uint64_t packets, bytes; /* reached the rule and matched; bytes: IP length */
	uint64_t dropped;
	uint64_t limited;
	uint64_t would_drop;
	uint64_t would_drop_passed;
	uint64_t prot; /* drops that protection of vital frames prevented */
	uint64_t last_hit_s; /* seconds since 1970; 0: never */
};

#define DP_SLOTS_MAX (1u << 20) /* counter slots of rules, per worker */

/*
 * The counters of port number @port (its place in the configuration). Also
 * collects what the driver and the kernel counted, so: one thread at a time,
 * the one that calls dp_tick().
 */
void dp_port_stats_get(struct dp *dp, size_t port, struct dp_port_stats *ret);

/* The counters of rule slot @slot, 0..DP_SLOTS_MAX - 1. Any thread. */
void dp_rule_stats_get(const struct dp *dp, uint32_t slot, struct dp_rule_stats *ret);

#endif
