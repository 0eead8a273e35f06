// SPDX-License-Identifier: BSD-3-Clause
/*
 * The way of a frame, a burst at a time. Each stage is a short loop over the
 * whole burst; verdicts turn into places in arrays, never into jumps, so that
 * an attack cannot choose our mispredictions.
 */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pkt/view.h"
#include "sample/ring.h"

#include "maybe_vital.h"
#include "protect.h"

/* While frames flow, looking for the kernel's answers costs a system call. */
#define BACK_GAP_MIN_US 5
#define BACK_GAP_MAX_US 40
#define BACK_BURST 32

/* A sleeping worker wakes by itself this often, to see whether to stop. */
#define WAIT_MAX_NS 20000000

#define CLOCK_RENEW_US 1000
#define SECOND_NS UINT64_C(1000000000)

/* One writer per counter: a plain add, made visible without tearing. */
static inline void
count(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static void
clock_renew(struct worker_clock *c, uint64_t now)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	c->cycles = now;
	c->ns = (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
	c->s = (uint64_t)ts.tv_sec;
	c->renew_at = now + c->renew_cycles;
}

/* The burst's frames and what is found out about them, in step by number. */
struct burst {
	struct rte_mbuf *pkts[WORKER_BURST];
	struct pkt_view views[WORKER_BURST];
	struct match_verdict verdicts[WORKER_BURST];
	uint16_t n;
	uint64_t bytes;
	uint64_t vital; /* bit i: frame i is vital and its class has room */
	uint16_t flags; /* of all frames together */
};

/* All bytes of a frame in one piece: in place, or copied to the scratch area. */
static inline const uint8_t *
linear(struct worker *w, const struct rte_mbuf *m, uint32_t i, uint32_t *ret_len)
{
	*ret_len = m->data_len;
	if (m->nb_segs == 1)
		return rte_pktmbuf_mtod(m, const uint8_t *);
	*ret_len = MIN(m->pkt_len, WORKER_FRAME_MAX);
	return rte_pktmbuf_read(m, 0, *ret_len, w->scratch + (size_t)i * WORKER_FRAME_MAX);
}

/*
 * Parse the burst; mark frames that may be vital. No prefetching: it cost 1.3 ns
 * a frame on net_pcap, where all is in cache, and with a NIC as many frames are
 * in flight by themselves, since one does not depend on the other. Sums are kept
 * in registers: in memory each would wait for the one before.
 */
static inline uint64_t
parse(struct worker *w, struct burst *b)
{
	struct maybe_vital_ports ports;
	const uint32_t n = b->n;
	uint64_t maybe = 0, bytes = 0;
	uint16_t flags = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct rte_mbuf *m = b->pkts[i];
		struct pkt_view *v = &b->views[i];
		const uint8_t *frame;
		uint32_t len;

		frame = linear(w, m, i, &len);
		/* The common frame has no flaws, and only its ports may make it vital. */
		if (!pkt_parse_ether_common(frame, len, m->pkt_len, v)) {
			pkt_parse_ether_any(frame, len, m->pkt_len, v);
			flags |= v->flags;
			maybe |= (uint64_t)maybe_vital_kind(v) << i;
		}
		memcpy(&ports.v[2 * i], &v->sport, 2 * sizeof(v->sport));
		bytes += m->pkt_len;
	}
	b->bytes = bytes;
	b->flags = flags;
	return maybe | maybe_vital_ports(&ports, n);
}

/* Count frames that are not what they say. Seldom needed, so not in parse(). */
static void
note_flaws(struct worker *w, const struct burst *b)
{
	uint32_t truncated = 0, malformed = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		truncated += (b->views[i].flags & PKT_TRUNCATED) != 0;
		malformed += (b->views[i].flags & PKT_MALFORMED) != 0;
	}
	count(&w->own.v[DP_STAT_TRUNCATED], truncated);
	count(&w->own.v[DP_STAT_MALFORMED], malformed);
}

/* Of the frames in @maybe, those that are vital and within their class's bucket. */
static uint64_t
pick_vital(struct worker *w, const struct burst *b, uint64_t maybe, uint64_t now)
{
	/* Pairs with the exchange in dp_protect_publish(); see qsbr_online(). */
	const struct dp_protect *p =
		atomic_load_explicit(&w->shared->protect, memory_order_seq_cst);
	uint64_t vital = 0;

	if (!p->vital)
		return 0;
	if (w->vital_generation != p->generation) {
		for (int c = 0; c < PKT_VITAL_COUNT; c++)
			w->vital[c] = p->full;
		w->vital_generation = p->generation;
	}
	for (; maybe != 0; maybe &= maybe - 1) {
		const unsigned int i = (unsigned int)__builtin_ctzll(maybe);
		const enum pkt_vital c = pkt_vital_class(&b->views[i], &p->conf);

		if (c != PKT_VITAL_NONE && bucket_take(&w->vital[c], now))
			vital |= UINT64_C(1) << i;
	}
	return vital;
}

static void
pass_all(struct burst *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		b->verdicts[i] = (struct match_verdict){
			.slot = MATCH_NONE,
			.shadow_slot = MATCH_NONE,
			.index = MATCH_NONE,
			.kind = MATCH_VERDICT_PASS,
		};
}

static void
judge(struct worker *w, struct burst *b)
{
	struct match_notes notes = {0, 0};
	const struct match_image *image = match_slot_get(&w->shared->slot);
	const bool enforce = atomic_load_explicit(&w->shared->enforce, memory_order_relaxed);

	if (image == NULL) {
		pass_all(b);
		return;
	}
	match_verdicts(image, b->views, b->n, w->port, b->vital, enforce, w->rules, w->clock.s,
		b->verdicts, &notes);
	if (notes.transparent_overflow != 0)
		count(&w->own.v[DP_STAT_TRANSPARENT_OVERFLOW], notes.transparent_overflow);
	if (notes.is_protected != 0)
		count(&w->own.v[DP_STAT_PROTECTED], notes.is_protected);
}

/* Copy frame @i with its verdict into the ring; a full ring counts for itself. */
static bool
take_sample(struct worker *w, const struct burst *b, unsigned int i, uint64_t now)
{
	const struct match_verdict *verdict = &b->verdicts[i];
	const struct pkt_view *v = &b->views[i];
	const struct worker_clock *c = &w->clock;
	struct sample_rec *rec = sample_ring_reserve(w->ring);

	if (rec == NULL)
		return false;
	rec->time_ns = c->ns +
		(uint64_t)(((unsigned __int128)(now - c->cycles) * c->ns_per_cycle_q32) >> 32);
	rec->wirelen = v->wirelen;
	rec->caplen = MIN(v->caplen, sample_ring_snaplen(w->ring));
	rec->slot = verdict->slot;
	rec->shadow_slot = verdict->shadow_slot;
	rec->weight = w->sampler.one_in;
	rec->port = w->port;
	rec->queue = w->queue;
	rec->verdict = verdict->kind;
	memset(rec->pad, 0, sizeof(rec->pad));
	memcpy(rec->data, v->frame, rec->caplen);
	sample_ring_commit(w->ring);
	return true;
}

static void
take_samples(struct worker *w, const struct burst *b, uint64_t mask, uint64_t now)
{
	uint64_t taken = 0;

	for (; mask != 0; mask &= mask - 1)
		taken += take_sample(w, b, (unsigned int)__builtin_ctzll(mask), now);
	count(&w->own.v[DP_STAT_SAMPLED], taken);
}

/* Let through what the policer has room for; the rest is freed. Returns how many remain. */
static uint16_t
police(struct worker *w, struct rte_mbuf **pkts, uint16_t n, uint64_t now)
{
	struct rte_mbuf *over[WORKER_BURST];
	uint16_t keep = 0, n_over = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		if (bucket_take(&w->policer, now))
			pkts[keep++] = m;
		else
			over[n_over++] = m;
	}
	if (n_over != 0) {
		rte_pktmbuf_free_bulk(over, n_over);
		count(&w->own.v[DP_STAT_EXCEPTION_POLICED], n_over);
	}
	return keep;
}

/* Hand @n survivors over and account for them. */
static void
hand_over(struct worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t bytes;
	uint16_t taken;

	taken = exc_send(&w->exc, pkts, n, &bytes);
	count(&w->own.v[DP_STAT_PASSED], taken);
	if (taken < n)
		count(&w->own.v[DP_STAT_EXCEPTION_FULL], n - taken);
	if (w->to_wire) {
		count(&w->out.v[DP_STAT_KERNEL_RX], taken);
		count(&w->out.v[DP_STAT_TX], taken);
		count(&w->out.v[DP_STAT_TX_BYTES], bytes);
	}
}

/* Where the frames of a burst go. */
struct piles {
	struct rte_mbuf *pass[WORKER_BURST], *vital[WORKER_BURST], *drop[WORKER_BURST];
	uint32_t n_pass, n_vital, n_drop, n_limit;
};

/*
 * Sort the burst by verdict: every frame is stored on every pile, and only the
 * right one grows. @any_vital is constant at each call.
 */
static inline void
sort(const struct burst *b, bool any_vital, struct piles *p)
{
	uint32_t n_vital = 0, n_drop = 0, n_limit = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		struct rte_mbuf *m = b->pkts[i];
		const uint32_t kind = b->verdicts[i].kind;
		const uint32_t gone = kind != MATCH_VERDICT_PASS;

		p->drop[n_drop] = m;
		p->pass[i - n_drop - n_vital] = m;
		if (any_vital) {
			p->vital[n_vital] = m;
			n_vital += (uint32_t)(b->vital >> i) & 1 & !gone;
		}
		n_drop += gone;
		n_limit += kind == MATCH_VERDICT_LIMIT;
	}
	p->n_pass = b->n - n_drop - n_vital;
	p->n_vital = n_vital;
	p->n_drop = n_drop;
	p->n_limit = n_limit;
}

/*
 * Free what is dropped, hand over what survives: vital frames first, and past
 * the policer, which is not to starve them.
 */
static inline void
deal_out(struct worker *w, const struct burst *b, uint64_t now)
{
	struct piles p;

	if (b->vital == 0)
		sort(b, false, &p);
	else
		sort(b, true, &p);
	if (p.n_drop != 0) {
		rte_pktmbuf_free_bulk(p.drop, p.n_drop);
		count(&w->own.v[DP_STAT_DROPPED], p.n_drop - p.n_limit);
		count(&w->own.v[DP_STAT_LIMITED], p.n_limit);
	}
	if (p.n_vital != 0)
		hand_over(w, p.vital, (uint16_t)p.n_vital);
	if (p.n_pass != 0 && w->policer.cost != 0)
		p.n_pass = police(w, p.pass, (uint16_t)p.n_pass, now);
	if (p.n_pass != 0)
		hand_over(w, p.pass, (uint16_t)p.n_pass);
}

/* One receive burst, all the way. Returns the frames received. */
static inline uint16_t
work(struct worker *w, uint64_t now)
{
	struct burst b;
	uint64_t maybe, mask;
	uint32_t one_in;

	b.n = rte_eth_rx_burst(w->ethdev, w->queue, b.pkts, WORKER_BURST);
	if (b.n == 0)
		return 0;
	b.vital = 0;
	if (now >= w->clock.renew_at)
		clock_renew(&w->clock, now);

	maybe = parse(w, &b);
	if (maybe != 0)
		b.vital = pick_vital(w, &b, maybe, now);

	one_in = atomic_load_explicit(w->sample_one_in, memory_order_relaxed);
	if (one_in != w->sampler.one_in)
		sampler_set(&w->sampler, one_in);
	mask = sampler_burst(&w->sampler, b.n);

	judge(w, &b);
	if (mask != 0)
		take_samples(w, &b, mask, now);

	count(&w->own.v[DP_STAT_RX], b.n);
	count(&w->own.v[DP_STAT_RX_BYTES], b.bytes);
	if ((b.flags & (PKT_TRUNCATED | PKT_MALFORMED)) != 0)
		note_flaws(w, &b);
	deal_out(w, &b, now);
	return b.n;
}

/* Frames of the kernel onto the wire. Returns how many there were. */
static uint16_t
work_back(struct worker *w)
{
	struct rte_mbuf *pkts[BACK_BURST];
	uint64_t bytes;
	uint16_t n, sent;

	n = exc_recv(&w->exc, pkts, BACK_BURST);
	if (n == 0)
		return 0;
	sent = wire_send(&w->wire, pkts, n, &bytes);
	count(&w->own.v[DP_STAT_KERNEL_RX], n);
	count(&w->own.v[DP_STAT_TX], sent);
	count(&w->own.v[DP_STAT_TX_BYTES], bytes);
	if (sent < n)
		count(&w->own.v[DP_STAT_TX_FULL], n - sent);
	return n;
}

/*
 * work_back() when it is due: at once after a full burst, ever later while there
 * is nothing.
 */
static inline uint16_t
back_if_due(struct worker *w, uint64_t now)
{
	uint16_t n;

	if (now < w->back_at)
		return 0;
	n = work_back(w);
	if (n == 0)
		w->back_gap = MIN(2 * w->back_gap, w->back_gap_max);
	else
		w->back_gap = w->back_gap_max * BACK_GAP_MIN_US / BACK_GAP_MAX_US;
	w->back_at = n == BACK_BURST ? now : now + w->back_gap;
	return n;
}

/*
 * Sleep @ns, or where descriptors tell of frames until there are some. No image
 * is held meanwhile, so that a publisher does not wait for a sleeper.
 */
static void
rest(struct worker *w, uint32_t ns)
{
	const int fds[WORKER_FDS] = {w->rx_fd, w->exc.fd};
	struct pollfd p[WORKER_FDS];
	/* Whoever has frames for us and no descriptor to tell of them must be asked. */
	const bool told = w->rx_fd >= 0 && (w->exc.fd >= 0 || !exc_two_way(&w->exc));
	struct timespec ts = {.tv_nsec = told ? WAIT_MAX_NS : ns};
	nfds_t n = 0;
	bool broken = false;
	uint64_t events;

	for (int i = 0; i < WORKER_FDS; i++)
		if (fds[i] >= 0)
			p[n++] = (struct pollfd){.fd = fds[i], .events = POLLIN};

	qsbr_offline(w->qsbr, w->id);
	(void)ppoll(p, n, &ts, NULL);
	for (nfds_t i = 0; i < n; i++) {
		socklen_t len = sizeof(int);
		int err;

		/* A link that went down: asking for the error clears it. */
		if ((p[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
			(void)getsockopt(p[i].fd, SOL_SOCKET, SO_ERROR, &err, &len);
			broken = true;
		}
	}
	if (w->intr)
		(void)!read(w->rx_fd, &events, sizeof(events));
	if (broken) {
		ts.tv_nsec = IDLE_SLEEP_MAX_NS;
		(void)nanosleep(&ts, NULL);
	}
	qsbr_online(w->qsbr, w->id);
	w->back_at = 0;
}

/* Nothing to do: poll on, or rest. */
static void
idle(struct worker *w, uint64_t now)
{
	const uint32_t ns = idle_next(&w->idle, now);

	if (ns == 0) {
		rte_pause();
		return;
	}
	if (!w->intr) {
		rest(w, ns);
		return;
	}
	/* What came before the interrupt was on raises none: look once more. */
	if (rte_eth_dev_rx_intr_enable(w->ethdev, w->queue) == 0) {
		if (work(w, now) == 0)
			rest(w, ns);
		(void)rte_eth_dev_rx_intr_disable(w->ethdev, w->queue);
	}
}

static inline void
note_dry(struct worker *w, bool dry)
{
	const uint32_t n = atomic_load_explicit(&w->dry, memory_order_relaxed);

	if (dry && n < WORKER_DRY_MAX)
		atomic_store_explicit(&w->dry, n + 1, memory_order_relaxed);
	else if (!dry && n != 0)
		atomic_store_explicit(&w->dry, 0, memory_order_relaxed);
}

uint64_t
worker_run(struct worker *w, uint64_t bursts)
{
	uint64_t frames = 0;

	qsbr_online(w->qsbr, w->id);
	for (uint64_t i = 0; i < bursts; i++) {
		const uint64_t now = rte_rdtsc();

		frames += work(w, now);
		if (exc_two_way(&w->exc))
			(void)back_if_due(w, now);
		qsbr_quiescent(w->qsbr, w->id);
	}
	qsbr_offline(w->qsbr, w->id);
	return frames;
}

int
worker_main(void *worker)
{
	struct worker *w = worker;
	const bool two_way = exc_two_way(&w->exc);

	/* Sleeps of microseconds, not of the default 50 more. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	qsbr_online(w->qsbr, w->id);
	while (!atomic_load_explicit(&w->shared->stop, memory_order_relaxed)) {
		const uint64_t now = rte_rdtsc();
		const uint16_t n = work(w, now);
		const uint16_t back = two_way ? back_if_due(w, now) : 0;

		/* No pointer to an image is held across this line. */
		qsbr_quiescent(w->qsbr, w->id);
		note_dry(w, n == 0);
		if ((n | back) != 0)
			idle_busy(&w->idle);
		else
			idle(w, now);
	}
	/* The ring gets no more: a few thousand frames at most. */
	while (w->drain && work(w, rte_rdtsc()) != 0)
		;
	qsbr_offline(w->qsbr, w->id);
	return 0;
}

void
worker_init(struct worker *w, uint64_t cycles_per_s, uint32_t idle_max_ns)
{
	w->clock.renew_cycles = cycles_per_s / 1000000 * CLOCK_RENEW_US;
	w->clock.ns_per_cycle_q32 =
		(uint64_t)(((unsigned __int128)SECOND_NS << 32) / MAX(cycles_per_s, 1));
	w->back_gap_max = cycles_per_s / 1000000 * BACK_GAP_MAX_US;
	w->back_gap = w->back_gap_max;
	idle_init(&w->idle, cycles_per_s, idle_max_ns);
}
