// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rules of xt_bpf over netlink, as iptables-nft puts them: expressions "match"
 * (nft_compat), counter and verdict, in one transaction. nft itself lists such
 * rules and cannot read them. Written without a library: it is one message.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_bpf.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "base/vec.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "ebpf/asm.h"
#include "ebpf/lower.h"
#include "nft.h"

#define ANSWER_MS 10000

_Static_assert(sizeof(struct sock_filter) == sizeof(struct cbpf_insn), "one layout");

/* ---- programs in eBPF ---- */

static int
load_code(const struct ebpf_asm *a)
{
	union bpf_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uint64_t)(uintptr_t)a->insns.v;
	attr.insn_cnt = (uint32_t)a->insns.n;
	attr.license = (uint64_t)(uintptr_t) "Dual BSD/GPL";
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	return fd < 0 ? -errno : (int)fd;
}

/* Returns a descriptor, to be closed when the rule is there, or -errno. */
static int
load_ebpf(const struct nft_line *line)
{
	struct cbpf_prog *prog = NULL;
	struct ebpf_asm a;
	int r = cbpf_prog_new(line->xt, line->n_xt, &prog, NULL);

	if (r < 0)
		return r;
	ebpf_asm_init(&a);
	ebpf_lower_socket(&a, prog);
	r = ebpf_asm_finish(&a, NULL);
	if (r == 0)
		r = load_code(&a);
	ebpf_asm_fini(&a);
	cbpf_prog_free(prog);
	return r;
}

/* One per rule of xt_bpf, -1 where it has none. */
struct fds {
	int *v;
	size_t n, cap;
};

static void
close_all(struct fds *fds)
{
	for (size_t i = 0; i < fds->n; i++)
		if (fds->v[i] >= 0)
			(void)close(fds->v[i]);
	mem_free(fds->v);
}

static int
load_one(const struct nft_entry *e, const struct nft_line *line, struct fds *fds, struct diag *diag)
{
	int *slot = vec_push(fds);

	if (slot == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	*slot = line->is_ebpf ? load_ebpf(line) : -1;
	if (*slot >= 0 || !line->is_ebpf)
		return 0;
	return diag_fail(diag, *slot, "rule %s: the kernel does not load its program as eBPF: %s",
		e->rule.name, strerror(-*slot));
}

static int
load_all(const struct nft *nft, struct fds *fds, struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < nft->entries.n; i++) {
		const struct nft_entry *e = &nft->entries.v[i];

		for (size_t j = 0; r == 0 && j < e->n; j++)
			if (e->v[j].xt != NULL)
				r = load_one(e, &e->v[j], fds, diag);
	}
	return r;
}

/* ---- attributes ---- */

static void
pad(struct sbuf *b)
{
	static const char zeros[4];

	sbuf_add(b, zeros, (4 - b->len % 4) % 4);
}

/* Open an attribute or message; its length is filled in by close_at(). Returns where it is. */
static size_t
open_attr(struct sbuf *b, uint16_t type)
{
	const struct nlattr a = {.nla_type = type};
	const size_t at = b->len;

	sbuf_add(b, &a, sizeof(a));
	return at;
}

static size_t
open_nest(struct sbuf *b, uint16_t type)
{
	return open_attr(b, type | NLA_F_NESTED);
}

static void
close_attr(struct sbuf *b, size_t at)
{
	const uint16_t len = (uint16_t)(b->len - at);

	if (!sbuf_ok(b))
		return;
	memcpy(b->s + at + offsetof(struct nlattr, nla_len), &len, sizeof(len));
	pad(b);
}

static void
add_bytes(struct sbuf *b, uint16_t type, const void *bytes, size_t n)
{
	const size_t at = open_attr(b, type);

	sbuf_add(b, bytes, n);
	close_attr(b, at);
}

static void
add_string(struct sbuf *b, uint16_t type, const char *s)
{
	add_bytes(b, type, s, strlen(s) + 1);
}

static void
add_be32(struct sbuf *b, uint16_t type, uint32_t v)
{
	v = __builtin_bswap32(v);
	add_bytes(b, type, &v, sizeof(v));
}

/* ---- expressions ---- */

static size_t
open_expr(struct sbuf *b, const char *name, size_t *ret_elem)
{
	*ret_elem = open_nest(b, NFTA_LIST_ELEM);
	add_string(b, NFTA_EXPR_NAME, name);
	return open_nest(b, NFTA_EXPR_DATA);
}

static void
close_expr(struct sbuf *b, size_t data, size_t elem)
{
	close_attr(b, data);
	close_attr(b, elem);
}

static void
add_match(struct sbuf *b, const struct nft_line *line, int fd)
{
	struct xt_bpf_info_v1 info;
	size_t elem, data = open_expr(b, "match", &elem);

	memset(&info, 0, sizeof(info));
	info.mode = fd >= 0 ? XT_BPF_MODE_FD_ELF : XT_BPF_MODE_BYTECODE;
	info.fd = fd;
	if (fd < 0) {
		info.bpf_program_num_elem = (uint16_t)line->n_xt;
		memcpy(info.bpf_program, line->xt, line->n_xt * sizeof(info.bpf_program[0]));
	}
	add_string(b, NFTA_MATCH_NAME, "bpf");
	add_be32(b, NFTA_MATCH_REV, 1);
	add_bytes(b, NFTA_MATCH_INFO, &info, sizeof(info));
	close_expr(b, data, elem);
}

static void
add_counter(struct sbuf *b)
{
	size_t elem, data = open_expr(b, "counter", &elem);

	close_expr(b, data, elem);
}

static void
add_verdict(struct sbuf *b, uint32_t code)
{
	size_t elem, data = open_expr(b, "immediate", &elem), value, verdict;

	add_be32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	value = open_nest(b, NFTA_IMMEDIATE_DATA);
	verdict = open_nest(b, NFTA_DATA_VERDICT);
	add_be32(b, NFTA_VERDICT_CODE, code);
	close_attr(b, verdict);
	close_attr(b, value);
	close_expr(b, data, elem);
}

/* What nft shows as comment: type 0, length, text with its NUL. */
static void
add_comment(struct sbuf *b, const char *text)
{
	const uint8_t head[2] = {0, (uint8_t)(strlen(text) + 1)};
	const size_t at = open_attr(b, NFTA_RULE_USERDATA);

	sbuf_add(b, head, sizeof(head));
	sbuf_add(b, text, strlen(text) + 1);
	close_attr(b, at);
}

/* ---- messages ---- */

static size_t
open_message(struct sbuf *b, uint16_t type, uint16_t flags, uint32_t seq, uint8_t family,
	uint16_t res_id)
{
	const struct nlmsghdr h = {
		.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = seq};
	const struct nfgenmsg g = {
		.nfgen_family = family,
		.version = NFNETLINK_V0,
		.res_id = __builtin_bswap16(res_id),
	};
	const size_t at = b->len;

	sbuf_add(b, &h, sizeof(h));
	sbuf_add(b, &g, sizeof(g));
	return at;
}

static void
close_message(struct sbuf *b, size_t at)
{
	const uint32_t len = (uint32_t)(b->len - at);

	if (sbuf_ok(b))
		memcpy(b->s + at + offsetof(struct nlmsghdr, nlmsg_len), &len, sizeof(len));
}

static uint8_t
family_number(enum nft_family f)
{
	switch (f) {
	case NFT_INET: return NFPROTO_INET;
	case NFT_IP: return NFPROTO_IPV4;
	case NFT_IP6: return NFPROTO_IPV6;
	}
	return NFPROTO_UNSPEC;
}

static void
add_rule(const struct nft *nft, const struct nft_entry *e, const struct nft_line *line, int fd,
	uint32_t seq, bool ack, struct sbuf *b)
{
	const size_t at = open_message(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE,
		NLM_F_CREATE | NLM_F_APPEND | (ack ? NLM_F_ACK : 0), seq,
		family_number(nft->conf.family), 0);
	size_t list;

	add_string(b, NFTA_RULE_TABLE, nft->conf.table);
	add_string(b, NFTA_RULE_CHAIN, line->xt_chain);
	list = open_nest(b, NFTA_RULE_EXPRESSIONS);
	add_match(b, line, fd);
	add_counter(b);
	if (e->verdict[0] != '\0')
		add_verdict(b, strcmp(e->verdict, "drop") == 0 ? NF_DROP : NF_ACCEPT);
	close_attr(b, list);
	add_comment(b, e->rule.name);
	close_message(b, at);
}

/* All rules as one transaction; the answer to the last one, @ret_last, is the answer to all. */
static void
add_batch(const struct nft *nft, const struct fds *fds, struct sbuf *b, uint32_t *ret_last)
{
	const uint32_t n = (uint32_t)nft_count_xt(nft);
	uint32_t seq = 1;
	size_t at = open_message(b, NFNL_MSG_BATCH_BEGIN, 0, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);

	close_message(b, at);
	for (size_t i = 0; i < nft->entries.n; i++) {
		const struct nft_entry *e = &nft->entries.v[i];

		for (size_t j = 0; j < e->n; j++)
			if (e->v[j].xt != NULL) {
				add_rule(nft, e, &e->v[j], fds->v[seq - 1], seq, seq == n, b);
				seq++;
			}
	}
	at = open_message(b, NFNL_MSG_BATCH_END, 0, seq, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	close_message(b, at);
	*ret_last = n;
}

/* ---- the socket ---- */

/* The first error, or the acknowledgement of message @last. */
static int
wait_answer(int fd, uint32_t last)
{
	char buf[16384] __attribute__((aligned(8)));

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)buf;
		ssize_t n;

		if (poll(&p, 1, ANSWER_MS) == 0)
			return -ETIMEDOUT;
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (size_t left = (size_t)n; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			if (e->error != 0 || h->nlmsg_seq == last)
				return e->error;
		}
	}
}

static int
talk(const struct sbuf *b, uint32_t last)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const int room = (int)MIN(2 * b->len + 65536, (size_t)1 << 30);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), r = 0;

	if (fd < 0)
		return -errno;
	/* A transaction is one message, however long; what it takes more than that says sendto(). */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (sendto(fd, b->s, b->len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		r = -errno;
	if (r == 0)
		r = wait_answer(fd, last);
	(void)close(fd);
	return r;
}

/* Why the kernel said no to all of them. */
static int
fail_put(const struct nft *nft, int r, struct diag *diag)
{
	if (r == -EPERM)
		return diag_fail(diag, r, "no permission to change nftables; be root");
	if (r == -ENOENT)
		return diag_fail(diag, r,
			"the kernel knows no table %s %s with the chains of the script, or no match bpf (module xt_bpf)",
			nft_family_name(nft->conf.family), nft->conf.table);
	return diag_fail(diag, r, "the kernel refused the rules of xt_bpf: %s", strerror(-r));
}

int
nft_put_xt(const struct nft *nft, struct diag *diag)
{
	struct sbuf b = SBUF_INIT;
	struct fds fds = {.v = NULL};
	uint32_t last;
	int r = load_all(nft, &fds, diag);

	if (r == 0 && fds.n > 0) {
		add_batch(nft, &fds, &b, &last);
		r = sbuf_ok(&b) ? talk(&b, last) : -ENOMEM;
		sbuf_fini(&b);
		if (r < 0)
			(void)fail_put(nft, r, diag);
	}
	close_all(&fds);
	return r;
}
