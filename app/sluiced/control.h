/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_CONTROL_H
#define SLUICED_CONTROL_H

/*
 * What the daemon answers on its control socket:
 *
 *	{"cmd":"stats"}				the object of "sluice stats --json"
 *	{"cmd":"reload"}			when the configuration is in force
 *	{"cmd":"enforce","state":"off"}		or "on"; without state: how it is
 *	{"cmd":"rules","what":"cost"}		or "dump"; with "rule", of a dump "stage": a text;
 *						of cost with "form":"json" an object
 *	{"cmd":"sample","rate":"1/100"}		of all ports, or of "port":"NAME"
 */

struct diag;
struct sbuf;

/* A ctl_handler; @arg is a struct daemon. */
int control_handle(
	void *arg, const char *cmd, const char *request, struct sbuf *answer, struct diag *diag);

#endif
