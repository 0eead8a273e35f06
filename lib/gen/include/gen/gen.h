/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GEN_GEN_H
#define GEN_GEN_H

/*
 * Generators: from what a person can say (a DNS pattern, a tcpdump expression)
 * to a classic BPF program. A generator is a row of a table: name, help, one
 * function. Results are values of the caller's; any thread, except that
 * expressions take a lock around libpcap.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbpf/insn.h"

struct diag;

/* How to generate; the same for every generator. */
struct gen_opts {
	uint8_t family; /* 4 or 6 */
	bool extensions; /* of IPv6: look behind its extension headers, as rules do */
	bool negate; /* match what the pattern does not; a load outside the packet still gives 0 */
	uint32_t l3_off; /* bytes before the IP header */
};

/*
 * What a generator's program takes for granted, to be tested by whoever runs
 * it (a rule's scope, an iptables command line).
 */
struct gen_scope {
	uint8_t proto; /* 17 for UDP …; 0: any */
	uint16_t sport, dport; /* 0: any */
	bool no_later_fragments; /* the program reads L4, which later fragments lack */
};

struct gen_out {
	struct cbpf_insn *insns; /* @n of them; gen_out_fini() frees */
	size_t n;
	char *text; /* assembler with comments that explain it */
	struct gen_scope scope;
	bool has_link; /* made for frames of link type @dlt, not for what begins with IP */
	int dlt;
};

/*
 * Run generator @type ("dns", "tcpdump", …) on its own options and arguments.
 *
 * @argv:	@argc words behind the type, options first, "--" allowed
 * @ret_out:	to be freed with gen_out_fini()
 * @diag:	col is the place in the argument, whose text the message quotes
 *
 * A match returns 65535, anything else 0. Returns 0, -ENOENT: no such
 * generator (the message names the nearest), -EINVAL, -E2BIG: over
 * CBPF_MAX_INSNS or branches too long, -ENOMEM.
 */
int gen_run(const char *type, const struct gen_opts *opts, int argc, const char *const *argv,
	struct gen_out *ret_out, struct diag *diag);

void gen_out_fini(struct gen_out *out);

/*
 * Make the program of @out shorter, if it has more than @max instructions and
 * can be made to have at most @max; 0: as short as it gets. Its text is then a
 * plain listing. xt_bpf takes CBPF_XT_MAX_INSNS. Returns 0, also when nothing
 * was to be done, -ENOMEM.
 */
int gen_fit(struct gen_out *out, size_t max);

/*
 * Make the program of @out what xt_bpf takes: no longer than that, and with tests
 * in front of shifts that Linux does in another way (cbpf_linux()).
 *
 * Returns 0, -E2BIG: it does not fit (it is now as short as it gets, and the
 * message says how short), -EINVAL as cbpf_linux(), -ENOMEM.
 */
int gen_xt(struct gen_out *out, struct diag *diag);

/* The generators: name and help of number @i, or NULL past the end. */
const char *gen_name(size_t i);
const char *gen_help(size_t i);

/* Its options and arguments and what they mean, several lines; NULL past the end. */
const char *gen_usage(size_t i);

/*
 * Compile a tcpdump expression for link type @dlt (12: raw IP, 1: Ethernet).
 * A match returns 65535. Any thread; libpcap runs under a lock.
 *
 * Returns 0, -EINVAL with libpcap's sentence (and "needs link = ether" where
 * that is why), -E2BIG: text over GEN_EXPR_MAX or a program over
 * CBPF_MAX_INSNS, -ENOMEM.
 */
#define GEN_EXPR_MAX 16384 /* bytes; libpcap's work grows with the square of it */
int gen_expr(
	const char *expr, int dlt, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag);

/* The same where no key of a rule asks; @ether: what gives the expression its Ethernet header. */
int gen_expr_for(const char *expr, int dlt, const char *ether, struct cbpf_insn **ret_insns,
	size_t *ret_n, struct diag *diag);

/*
 * Split @text into words like a shell: blanks separate, ' and " quote,
 * backslash escapes, nothing is expanded. @ret_argv: NULL-terminated, one
 * mem_free(). Returns the number of words, -EINVAL: open quote, -ENOMEM.
 */
int gen_split(const char *text, char ***ret_argv, struct diag *diag);

#endif
