/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_DP_H
#define DP_DP_H

/*
 * The data plane: ports, their exception paths, one worker per (port, queue),
 * the image they match against.
 *
 * Life: dp_eal_start(); dp_new() takes devices and makes TAPs, nothing runs;
 * dp_start() lets the workers poll; dp_stop(); dp_free(); dp_eal_stop().
 *
 * Threads: everything from the thread that called dp_new() (the control
 * thread), unless a function says otherwise. Workers run on threads of DPDK.
 * Capabilities needed after dp_new(): CAP_NET_ADMIN for dp_tick() and dp_free()
 * where a port has a TAP or is taken over, else none.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dp/port.h"
#include "dp/stats.h"
#include "pkt/vital.h"

struct diag;
struct dp;
struct match_image;
struct sample_ring;

struct dp_conf {
	const struct dp_port_conf *ports; /* in order: port number i is ports[i] */
	size_t n_ports; /* 1..DP_PORTS_MAX */

	uint32_t sample_one_in; /* 0: off */
	uint32_t sample_snaplen; /* bytes, 64..65535 */
	uint32_t sample_ring_slots; /* per worker; a power of two; 0: 4096 */
	uint64_t seed; /* of the samplers */

	/* Protection of vital frames; can be changed later by dp_protect_publish(). */
	bool vital;
	const struct ip_addr *peers; /* copied */
	size_t n_peers;
	bool gtsm;
	uint32_t vital_pps; /* bucket of each class at each receive queue, frames/s; 0: no limit */
};

/*
 * Take the devices of all ports (and, from then on, interfaces away from the
 * kernel where takeover is set), make their exception paths, allocate all that
 * workers need. After failure nothing of it is left.
 *
 * Returns 0, or with a sentence that names the port and says what to do: -EINVAL
 * (conf: two ports of one name, exception = port:X with no X, more queues than
 * the device has, not as many workers as dp_eal_start() was given CPUs), -ENODEV
 * (no such device or interface, no driver took it), -EPERM, -EBUSY (TAP in use),
 * -ENOTSUP (what this build or machine lacks), -ENOMEM, -EIO.
 */
int dp_new(const struct dp_conf *conf, struct dp **ret_dp, struct diag *diag);

/*
 * Start devices and workers, matching against @image (NULL: everything
 * passes), which is the data plane's until dp_publish() or dp_stop() gives it
 * back. Returns 0 or
 * -errno with a sentence; after failure nothing runs, @image is the caller's.
 */
int dp_start(struct dp *dp, struct match_image *image, struct diag *diag);

/*
 * Stop the workers and devices, let the kernel have the interfaces again, TAPs
 * lose their carrier. Returns the image that was in force, now the caller's.
 * Counters stay readable. No effect when not running (returns NULL). All other
 * threads must have left dp_publish().
 */
struct match_image *dp_stop(struct dp *dp);

/* Give all back. NULL is allowed; stops first, and then leaks no image: call dp_stop() for it. */
void dp_free(struct dp *dp);

/*
 * Put @image into force from every worker's next burst on and wait until no
 * worker can be reading the one it replaces, however idle they are: at most
 * some bursts' time. No frame goes without a verdict meanwhile.
 *
 * One thread at a time, any thread: the builder's, since it waits.
 * @image:	NULL: everything passes
 * @ret_old:	what was in force before, the caller's to free; NULL if nothing was
 *
 * Returns 0, or -E2BIG when a rule's slot is not below DP_SLOTS_MAX (then nothing changed).
 */
int dp_publish(struct dp *dp, struct match_image *image, struct match_image **ret_old);

/*
 * Change what protects vital frames. dp_protect_new() takes the fields of @conf
 * under "Protection" and no others, needs dp_eal_start() only, and may run on
 * any thread; 0 or -ENOMEM. dp_protect_publish() puts it in force from every
 * worker's next burst on, with full buckets, takes it over, and waits like
 * dp_publish(), under the same rule for threads.
 */
struct dp_protect;
int dp_protect_new(const struct dp_conf *conf, struct dp_protect **ret_protect);
void dp_protect_free(struct dp_protect *protect);
void dp_protect_publish(struct dp *dp, struct dp_protect *protect);

/* The panic handle: with false no rule drops from the next burst on. Any thread. Starts true. */
void dp_enforce_set(struct dp *dp, bool enforce);
bool dp_enforce_get(const struct dp *dp);

/* Sample 1 in @one_in (0: off) of port number @port from the next burst on. Any thread. */
void dp_sample_set(struct dp *dp, size_t port, uint32_t one_in);
uint32_t dp_sample_get(const struct dp *dp, size_t port);

/* The sample rings of all workers, to be read by one thread; valid until dp_free(). */
size_t dp_rings(struct dp *dp, struct sample_ring *const **ret_rings);

/*
 * Let TAPs follow their link, collect statistics that would overflow. To be
 * called about once a second while running.
 */
void dp_tick(struct dp *dp);

size_t dp_port_count(const struct dp *dp);

/* What port number @port is and how its link is. */
void dp_port_info_get(const struct dp *dp, size_t port, struct dp_port_info *ret);

/*
 * Whether no port can receive anything more: true when every port reads a
 * savefile that has ended and all its frames have been handled. Devices that
 * never end are never done. For runs from a capture.
 */
bool dp_drained(struct dp *dp);

/*
 * For benchmarks: run worker number @worker's loop for @bursts receive bursts on
 * the calling thread, instead of dp_start() but after dp_bench_start(), which
 * starts the devices only. Never sleeps. Returns the frames it received.
 */
int dp_bench_start(struct dp *dp, struct match_image *image, struct diag *diag);
uint64_t dp_bench_run(struct dp *dp, size_t worker, uint64_t bursts);

#endif
