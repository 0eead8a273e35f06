/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_LOOP_H
#define SLUICED_LOOP_H

/*
 * The control thread's event loop: file descriptors, timers and signals, one
 * callback each. Nothing here is called from another thread.
 *
 * Signals are blocked before any thread exists (loop_block_signals()), so that
 * every thread inherits the mask and a signal during start waits until somebody
 * asks for it (loop_pending_stop()).
 */

#include <stdbool.h>
#include <stdint.h>

struct diag;
struct loop;

typedef void (*loop_fn)(void *arg);

/* Block what the loop handles, ignore SIGPIPE. Before the first thread. */
void loop_block_signals(void);

/* Returns 0, -errno of epoll or signalfd, -ENOMEM. */
int loop_new(struct loop **ret_loop, struct diag *diag);
void loop_free(struct loop *loop);

/* Call @fn whenever @fd is readable; @fd stays the caller's. Returns 0, -errno, -ENOSPC. */
int loop_add(struct loop *loop, int fd, loop_fn fn, void *arg, struct diag *diag);
void loop_remove(struct loop *loop, int fd);

/* Call @fn every @period_ms; the loop owns the timer. Returns 0, -errno, -ENOSPC. */
int loop_every(struct loop *loop, uint64_t period_ms, loop_fn fn, void *arg, struct diag *diag);

/* Call @fn at SIGHUP; at once if one came already. */
void loop_on_hangup(struct loop *loop, loop_fn fn, void *arg);

/* True when SIGTERM or SIGINT came; asks without waiting. */
bool loop_pending_stop(struct loop *loop);

/* Run until SIGTERM, SIGINT or loop_stop(). Returns 0 or -errno of epoll. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
