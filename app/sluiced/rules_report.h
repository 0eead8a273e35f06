/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_RULES_REPORT_H
#define SLUICED_RULES_REPORT_H

/*
 * Answers to "rules cost" and "rules dump". They take some tenths of a second, so
 * they are made on a thread of their own, one at a time, of the rules and the image
 * in force; a reload that has ended waits for it before it takes these away.
 */

struct daemon;
struct diag;
struct rules_report;

/* Returns 0, -errno. */
int rules_report_new(struct daemon *d, struct rules_report **ret_report, struct diag *diag);

/* Waits for the one under way. NULL is allowed. */
void rules_report_free(struct rules_report *report);

/* Wait for the one under way, if there is one, and answer. NULL is allowed. */
void rules_report_wait(struct rules_report *report);

/* What is asked; "" for a default. */
#define RULES_REPORT_ARG 64 /* bytes with the NUL */
struct rules_report_args {
	char what[RULES_REPORT_ARG]; /* "cost", "dump" */
	char form[RULES_REPORT_ARG]; /* of cost: "text", "json" */
	char stage[RULES_REPORT_ARG], rule[RULES_REPORT_ARG];
};

/*
 * Start one that answers the question in hand: for a handler of the control socket.
 * Returns -EINPROGRESS; -EINVAL: no such @what or @form, -EBUSY: another one is
 * being made, -errno.
 */
int rules_report_start(
	struct rules_report *report, const struct rules_report_args *args, struct diag *diag);

#endif
