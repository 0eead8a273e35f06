// SPDX-License-Identifier: BSD-3-Clause
/*
 * tcpdump expressions. The only file of lib/gen that knows libpcap, whose
 * compiler has been safe for threads only since 1.8 and not in its name
 * look-ups: it runs under a lock.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <pcap/pcap.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "gen/gen.h"
#include "gen_priv.h"

/*
 * libpcap's optimiser takes time in the third power of what it is given: 100 x
 * "port N or" (4,000 instructions) 0.2 s, 300 x 4.4 s. So an expression is first
 * compiled as it is, and refused when that is too long to be optimised in about
 * a second.
 */
#define PLAIN_INSNS_MAX 8192

static pthread_mutex_t pcap_lock = PTHREAD_MUTEX_INITIALIZER;

/* Copy libpcap's instructions; a match returns GEN_MATCH there too, its snaplen. */
static int
convert(const struct bpf_program *bp, struct cbpf_insn **ret_insns, size_t *ret_n,
	struct diag *diag)
{
	struct cbpf_insn *insns;

	if (bp->bf_len > CBPF_MAX_INSNS)
		return diag_fail(diag, -E2BIG,
			"the expression needs %u instructions, %d are allowed; lists of addresses "
			"and ports belong in sets and scopes",
			bp->bf_len, CBPF_MAX_INSNS);
	insns = mem_calloc(bp->bf_len, sizeof(*insns));
	if (insns == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	for (size_t i = 0; i < bp->bf_len; i++)
		insns[i] = (struct cbpf_insn){
			.code = bp->bf_insns[i].code,
			.jt = bp->bf_insns[i].jt,
			.jf = bp->bf_insns[i].jf,
			.k = bp->bf_insns[i].k,
		};
	*ret_insns = insns;
	*ret_n = bp->bf_len;
	return 0;
}

/*
 * libpcap also compiles what nobody can run: "ip[-15:2] = 1" reads at an offset
 * that is Linux' word for something else. Refuse that here, by the expression.
 */
static int
check(const char *expr, const struct cbpf_insn *insns, size_t n, struct diag *diag)
{
	struct cbpf_prog *prog = NULL;
	struct diag why = {0};
	int r = cbpf_prog_new(insns, n, &prog, &why);

	cbpf_prog_free(prog);
	return r < 0 ? diag_fail(diag, r, "'%.100s': %s", expr, why.msg) : 0;
}

/* Compile under the lock. 0 and a @bp to be freed, or -EINVAL, -E2BIG and why. */
static int
compile(const char *expr, int dlt, struct bpf_program *bp, char why[PCAP_ERRBUF_SIZE])
{
	pcap_t *dead = pcap_open_dead(dlt, GEN_MATCH);
	int r = -EINVAL;

	if (dead == NULL) {
		(void)snprintf(why, PCAP_ERRBUF_SIZE, "libpcap is out of memory");
		return -ENOMEM;
	}
	if (pcap_compile(dead, bp, expr, 0, PCAP_NETMASK_UNKNOWN) == 0) {
		r = bp->bf_len <= PLAIN_INSNS_MAX ? 0 : -E2BIG;
		pcap_freecode(bp);
		(void)snprintf(why, PCAP_ERRBUF_SIZE,
			"too long; lists of addresses and ports belong in sets and scopes");
	} else {
		(void)snprintf(why, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(dead));
	}
	if (r == 0 && pcap_compile(dead, bp, expr, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		(void)snprintf(why, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(dead));
		r = -EINVAL;
	}
	pcap_close(dead);
	return r;
}

static int
compile_or_say(
	const char *expr, int dlt, const char *ether, struct bpf_program *bp, struct diag *diag)
{
	char why[PCAP_ERRBUF_SIZE], other[PCAP_ERRBUF_SIZE];
	int r = compile(expr, dlt, bp, why);

	if (r == 0)
		return 0;
	if (r == -EINVAL && dlt == DLT_RAW && compile(expr, DLT_EN10MB, bp, other) == 0) {
		pcap_freecode(bp);
		return diag_fail(diag, r, "'%.100s': needs %s (%s)", expr, ether, why);
	}
	return diag_fail(diag, r, "'%.100s': %s", expr, why);
}

int
gen_link(const char *name, int *ret_dlt, struct diag *diag)
{
	const char *bare = strncasecmp(name, "DLT_", 4) == 0 ? name + 4 : name;
	const char *names[DLT_MATCHING_MAX + 1], *near;
	const int dlt = pcap_datalink_name_to_val(bare);
	size_t n = 0;

	if (dlt >= 0) {
		*ret_dlt = dlt;
		return 0;
	}
	for (int i = 0; i <= DLT_MATCHING_MAX; i++) {
		names[n] = pcap_datalink_val_to_name(i);
		n += names[n] != NULL;
	}
	near = parse_nearest(bare, names, n);
	if (near == NULL)
		return diag_fail(diag, -EINVAL,
			"libpcap knows no link type '%.40s'; it knows EN10MB, RAW, LINUX_SLL2 …",
			name);
	return diag_fail(
		diag, -EINVAL, "libpcap knows no link type '%.40s'; did you mean %s?", name, near);
}

int
gen_expr_for(const char *expr, int dlt, const char *ether, struct cbpf_insn **ret_insns,
	size_t *ret_n, struct diag *diag)
{
	struct cbpf_insn *insns = NULL;
	struct bpf_program bp;
	size_t n = 0;
	int r;

	if (strlen(expr) > GEN_EXPR_MAX)
		return diag_fail(diag, -E2BIG,
			"an expression has at most %d bytes; lists of addresses and ports belong "
			"in sets and scopes",
			GEN_EXPR_MAX);
	/* To libpcap nothing means everything; a rule that drops all must say so. */
	if (expr[strspn(expr, " \t\r\n")] == '\0')
		return diag_fail(diag, -EINVAL, "the expression is empty");

	(void)pthread_mutex_lock(&pcap_lock);
	r = compile_or_say(expr, dlt, ether, &bp, diag);
	if (r == 0) {
		r = convert(&bp, &insns, &n, diag);
		pcap_freecode(&bp);
	}
	(void)pthread_mutex_unlock(&pcap_lock);

	if (r == 0)
		r = check(expr, insns, n, diag);
	if (r < 0) {
		mem_free(insns);
		return r;
	}
	*ret_insns = insns;
	*ret_n = n;
	return 0;
}

int
gen_expr(const char *expr, int dlt, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag)
{
	return gen_expr_for(expr, dlt, "link = ether", ret_insns, ret_n, diag);
}
