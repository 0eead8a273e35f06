/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_RELOAD_H
#define SLUICED_RELOAD_H

/*
 * Reading the configuration again while running: all or nothing. A builder
 * thread reads, checks, compiles, opens what is new and publishes the image, so
 * that nothing of it delays the control thread; that one then takes over what
 * the builder made. A reload that is asked for while one is under way starts
 * when that one ends, since it may have read the files too early.
 */

#include <stdint.h>

struct daemon;
struct diag;
struct reload;

/* Returns 0, -errno. */
int reload_new(struct daemon *d, struct reload **ret_reload, struct diag *diag);

/* Waits for a reload that is under way and lets it have its effect. NULL is allowed. */
void reload_free(struct reload *reload);

/*
 * To be called about once a second. Rules that a reload did not change are not compiled
 * again, at the cost of some ns a frame; when nothing has changed for a while the builder
 * makes that up.
 */
void reload_tick(struct reload *reload);

/* Start a reload, or another one after that under way. */
void reload_request(struct reload *reload);

/*
 * The same, and answer @ticket of the control socket with how it ended: for
 * whoever wants to know when the new rules are in force. Returns 0, -ENOSPC.
 */
int reload_request_answered(struct reload *reload, uint64_t ticket);

#endif
