/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_NOTIFY_H
#define SLUICED_NOTIFY_H

/*
 * Tell the service manager about our state: one datagram to $NOTIFY_SOCKET, as
 * sd_notify(3) describes. Without that variable nothing is sent; a manager that
 * does not listen is no error. Nothing here waits: where a manager lets its socket
 * fill up, the last state is kept for notify_tick(), and a line of the log says so the
 * first time. Control thread only.
 */

/* @state: lines as in sd_notify(3), such as "READY=1". */
void notify_send(const char *state);

/* Now and then: send again what a full socket did not take. */
void notify_tick(void);

#endif
