// SPDX-License-Identifier: BSD-3-Clause
/* A rule as lines: its scope in nft's words, its program's paths behind it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "base/vec.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "cbpf/shrink.h"
#include "match/sym.h"
#include "nft.h"

#define LINES_MAX 256 /* of one rule */
#define INLINE_MAX 8 /* prefixes that need no set of their own */

/* Which fragments a line is for. */
enum frag { FRAG_ANY, FRAG_NOT_LATER, FRAG_LATER, FRAG_FIRST, FRAG_NONE };

/* The ways to say it; of IPv6 a header may be there or not. */
static const struct {
	const char *v4, *v6[2];
} frag_conds[] = {
	[FRAG_ANY] = {"", {""}},
	[FRAG_NOT_LATER] = {" ip frag-off & 0x1fff == 0",
		{" exthdr frag missing", " frag frag-off == 0"}},
	[FRAG_LATER] = {" ip frag-off & 0x1fff != 0", {" frag frag-off != 0"}},
	[FRAG_FIRST] = {" ip frag-off & 0x3fff == 0x2000",
		{" frag frag-off == 0 frag more-fragments == 1"}},
	[FRAG_NONE] = {" ip frag-off & 0x3fff == 0",
		{" exthdr frag missing", " frag frag-off == 0 frag more-fragments == 0"}},
};

/* Protocols with ports, by the bytes of a whole header. */
static const struct {
	uint8_t protos[2];
	uint8_t bytes;
} port_kinds[] = {{{6, 6}, 20}, {{17, 136}, 8}, {{33, 132}, 12}};

struct maker {
	struct nft *nft;
	const struct nft_rule *rule;
	struct nft_entry *entry;
	struct diag *diag;
	uint8_t family; /* in hand; 0: both at once */
	bool frag_header; /* the lines in hand are for a fragment header of IPv6 */
	bool ports; /* the lines in hand ask for ports */
	uint8_t header; /* bytes of L4 that must be there then */
};

static int
out_of_memory(struct diag *diag)
{
	return diag_fail(diag, -ENOMEM, "out of memory");
}

static const char *keep(struct maker *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Text as long as the table. NULL: out of memory. */
static const char *
keep(struct maker *m, const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	return arena_strndup(&m->nft->arena, buf, MIN((size_t)MAX(n, 0), sizeof(buf) - 1));
}

/* A program on its way to xt_bpf. */
struct xt {
	const struct cbpf_insn *insns;
	size_t n;
	bool is_ebpf;
};

static int
add_line(struct maker *m, const struct sbuf *cond, const struct xt *xt)
{
	const char *text = sbuf_str(cond);
	struct nft_line *line;

	if (m->entry->n == LINES_MAX)
		return diag_fail(m->diag, -EINVAL, "rule %s: more than %d lines of nft",
			m->rule->name, LINES_MAX);
	line = vec_push(m->entry);
	if (line == NULL || !sbuf_ok(cond))
		return out_of_memory(m->diag);
	text += text[0] == ' ';
	line->cond = arena_strndup(&m->nft->arena, text, strlen(text));
	if (line->cond == NULL)
		return out_of_memory(m->diag);
	if (xt == NULL)
		return 0;
	line->xt = xt->insns;
	line->n_xt = xt->n;
	line->is_ebpf = xt->is_ebpf;
	(void)snprintf(
		line->xt_chain, sizeof(line->xt_chain), "x_%s_%zu", m->rule->name, m->entry->n);
	return 0;
}

/* ---- scope ---- */

static void
add_ranges(struct sbuf *out, const struct match_ranges *r)
{
	const bool many = r->n > 1;

	sbuf_adds(out, many ? " { " : " ");
	for (size_t i = 0; i < r->n; i++) {
		sbuf_adds(out, i > 0 ? ", " : "");
		if (r->v[i].lo == r->v[i].hi)
			sbuf_addf(out, "%u", r->v[i].lo);
		else
			sbuf_addf(out, "%u-%u", r->v[i].lo, r->v[i].hi);
	}
	sbuf_adds(out, many ? " }" : "");
}

static size_t
count_family(const struct match_prefixes *p, uint8_t family)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->v[i].addr.family == family;
	return n;
}

/* The name of the set of @p for the family in hand, made if there is none. NULL: out of memory. */
static const char *
set_of(struct maker *m, const struct match_prefixes *p, const char *set, const char *key)
{
	struct nft *nft = m->nft;
	const char *name;
	struct nft_set *s;

	for (size_t i = 0; i < nft->sets.n; i++)
		if (nft->sets.v[i].p->v == p->v && nft->sets.v[i].p->n == p->n &&
			nft->sets.v[i].family == m->family && (set != NULL || p->n > 0))
			return nft->sets.v[i].name;
	if (set != NULL)
		name = keep(m, "v%u_%s", m->family, set);
	else
		name = keep(m, "v%ur_%s_%s", m->family, m->rule->name, key);
	/* One set's name may stand in several rules before it has elements. */
	for (size_t i = 0; name != NULL && i < nft->sets.n; i++)
		if (strcmp(nft->sets.v[i].name, name) == 0)
			return nft->sets.v[i].name;
	s = name != NULL ? vec_push(&nft->sets) : NULL;
	if (s == NULL)
		return NULL;
	*s = (struct nft_set){name, m->family, p};
	return name;
}

static int
add_addresses(struct maker *m, const char *key, const struct match_prefixes *p, const char *set,
	struct sbuf *out)
{
	const size_t n = count_family(p, m->family);
	const char *sep = "", *name;
	char text[IP_PREFIX_TEXT];

	if (p->any)
		return 0;
	sbuf_addf(out, " %s %s", m->family == 4 ? "ip" : "ip6", key);
	if (set != NULL || n == 0 || n > INLINE_MAX) {
		name = set_of(m, p, set, key);
		if (name == NULL)
			return out_of_memory(m->diag);
		sbuf_addf(out, " @%s", name);
		return 0;
	}
	sbuf_adds(out, " { ");
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].addr.family != m->family)
			continue;
		sbuf_addf(out, "%s%s", sep, ip_prefix_text(&p->v[i], text));
		sep = ", ";
	}
	sbuf_adds(out, " }");
	return 0;
}

/* Whether the list may hold an address of the family in hand, now or later. */
static bool
may_have(const struct maker *m, const struct match_prefixes *p)
{
	return p->any || p->n == 0 || count_family(p, m->family) > 0;
}

static void
add_family(struct maker *m, struct sbuf *out)
{
	if (m->family != 0 && m->nft->conf.family == NFT_INET)
		sbuf_adds(out, m->family == 4 ? " meta nfproto ipv4" : " meta nfproto ipv6");
}

/* "meta l4proto 6 th sport 53 th dport 53": @kind is a row of port_kinds. */
static void
add_ports(struct maker *m, size_t kind, struct sbuf *out)
{
	const struct match_scope *s = &m->rule->m->scope;
	struct u16_range v[2];
	struct match_ranges protos = {v, 0};

	for (size_t i = 0; i < 2; i++) {
		const uint8_t p = port_kinds[kind].protos[i];

		if (match_ranges_have(&s->proto, p) && (i == 0 || p != port_kinds[kind].protos[0]))
			v[protos.n++] = (struct u16_range){p, p};
	}
	sbuf_adds(out, " meta l4proto");
	add_ranges(out, &protos);
	if (s->sport.n > 0) {
		sbuf_adds(out, " th sport");
		add_ranges(out, &s->sport);
	}
	if (s->dport.n > 0) {
		sbuf_adds(out, " th dport");
		add_ranges(out, &s->dport);
	}
}

/*
 * What a line that loads L4, up to byte @asked, says besides. A header that is
 * cut within has no ports: where nothing else asks for its last byte, this does.
 *
 * A later fragment has no L4. Linux knows that where it loads three bytes, but
 * not where it loads one, two or four at their alignment (nft_payload_fast_eval()
 * of 6.18), and then takes IPv4's payload for L4, and IPv6's own header: "th
 * dport" matched a flow label. Of IPv4 a condition says it; of IPv6, whose
 * fragment header is one of many, such a load does.
 */
static void
add_l4(const struct maker *m, uint32_t asked, enum frag frag, struct sbuf *out)
{
	const uint32_t end = MAX(asked, m->ports ? m->header : 0u);
	const bool late = frag == FRAG_ANY || m->frag_header;

	if (end == 0)
		return;
	if (m->family == 6 && late && end >= 3)
		sbuf_addf(out, " @th,%u,24 >= 0", (end - 3) * 8u);
	else if (asked < end)
		sbuf_addf(out, " @th,%u,8 >= 0", (end - 1) * 8u);
	if (m->family == 4 && frag == FRAG_ANY)
		sbuf_adds(out, frag_conds[FRAG_NOT_LATER].v4);
}

/* ---- programs ---- */

static int
keep_xt(struct maker *m, const struct cbpf_insn *insns, size_t n, bool is_ebpf, struct xt *ret)
{
	struct cbpf_insn *copy = arena_zalloc(&m->nft->arena, n * sizeof(*copy));

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, insns, n * sizeof(*copy));
	*ret = (struct xt){copy, n, is_ebpf};
	return 0;
}

/*
 * The program in as few instructions as can be, as Linux takes it; one that
 * xt_bpf has no room for as it is, for eBPF, which knows what it means here.
 */
static int
fit_xt(struct maker *m, const struct cbpf_prog *prog, struct xt *ret)
{
	struct cbpf_insn *shrunk = NULL, *own = NULL;
	struct cbpf_prog *shorter = NULL;
	size_t n = 0, n_own = 0;
	int r = cbpf_shrink(prog, &shrunk, &n), said = -E2BIG;

	if (r == 0)
		r = cbpf_prog_new(shrunk, n, &shorter, NULL);
	if (r == 0)
		said = cbpf_linux(shorter, &own, &n_own, NULL);
	if (said == -ENOMEM)
		r = said;
	if (r == 0 && said == 0 && n_own <= CBPF_XT_MAX_INSNS)
		r = keep_xt(m, own, n_own, false, ret);
	else if (r == 0)
		r = keep_xt(m, shrunk, n, true, ret);
	cbpf_prog_free(shorter);
	mem_free(shrunk);
	mem_free(own);
	return r < 0 ? out_of_memory(m->diag) : 0;
}

/*
 * Behind @head the program itself. Its view of IPv6 is the packet's: what a
 * generator made reads L4 right behind the header, so that packets with
 * extension headers are left alone.
 */
static int
add_program(struct maker *m, const struct cbpf_prog *prog, enum frag frag, const struct sbuf *head)
{
	struct sbuf cond = SBUF_INIT;
	struct xt xt = {.insns = NULL};
	const bool cut_exts = m->family == 6 && m->rule->m->generated;
	int r = fit_xt(m, prog, &xt);

	if (r < 0 || (cut_exts && m->frag_header))
		return r;
	sbuf_add(&cond, sbuf_str(head), head->len);
	cond.failed |= !sbuf_ok(head);
	add_l4(m, 0, frag, &cond);
	if (cut_exts) {
		sbuf_adds(&cond, " ip6 nexthdr != { 0, 43, 44, 51, 60 }");
		m->entry->note = "IPv6 packets with extension headers do not match";
	}
	r = add_line(m, &cond, &xt);
	sbuf_fini(&cond);
	return r;
}

/* Where a program loads L4 it must not be shown later fragments: nft would not load it there. */
static bool
late_is_same(const struct maker *m, enum frag frag, bool th, bool no_late)
{
	return !th || no_late || frag != FRAG_ANY || m->ports || m->rule->m->generated;
}

/* One line for @path behind @head. Returns 1 when there is none to be had, 0, -errno. */
static int
add_path(struct maker *m, const struct sym_path *path, enum frag frag, const struct sbuf *head)
{
	const struct nft_shown shown = {m->family, m->rule->m->generated};
	struct sbuf said = SBUF_INIT, cond = SBUF_INIT;
	uint32_t th = 0;
	bool no_late = false;
	enum nft_path_kind kind = nft_path(path, &shown, &said, &th, &no_late);
	int r = 0;

	if (kind == NFT_PATH_UNSAID ||
		(kind == NFT_PATH_SAID && !late_is_same(m, frag, th, no_late)))
		r = 1;
	if (r == 0 && kind == NFT_PATH_SAID) {
		sbuf_add(&cond, sbuf_str(head), head->len);
		add_l4(m, th, no_late ? FRAG_NOT_LATER : frag, &cond);
		sbuf_add(&cond, sbuf_str(&said), said.len);
		cond.failed |= !sbuf_ok(&said) || !sbuf_ok(head);
		r = add_line(m, &cond, NULL);
	}
	sbuf_fini(&cond);
	sbuf_fini(&said);
	return r;
}

/* All paths of the program, or, where one of them cannot be said, the program. */
static int
add_paths(struct maker *m, const struct cbpf_prog *prog, enum frag frag, const struct sbuf *head)
{
	const size_t before = m->entry->n;
	struct sym_pool *pool = NULL;
	struct sym_result paths;
	int r = sym_pool_new(&pool);

	if (r == 0)
		r = sym_run(pool, prog, &paths);
	if (r < 0)
		r = out_of_memory(m->diag);
	for (uint32_t i = 0; r == 0 && i < paths.n_paths; i++)
		r = add_path(m, &paths.paths[i], frag, head);
	sym_pool_free(pool);
	if (r != 1)
		return r;
	m->entry->n = before;
	return add_program(m, prog, frag, head);
}

/* ---- lines ---- */

/* Addresses and program behind @head. */
static int
add_rest(struct maker *m, bool ask_program, enum frag frag, struct sbuf *head)
{
	const struct match_rule *rule = m->rule->m;
	int r = add_addresses(m, "saddr", &rule->scope.src, m->rule->src_set, head);

	if (r == 0)
		r = add_addresses(m, "daddr", &rule->scope.dst, m->rule->dst_set, head);
	if (r < 0)
		return r;
	if (!ask_program || rule->scope_only) {
		add_l4(m, 0, frag, head);
		return add_line(m, head, NULL);
	}
	return add_paths(m, rule->prog[m->family == 6], frag, head);
}

/* The lines for one way to say which fragments. */
static int
add_kinds(struct maker *m, bool ask, enum frag frag, const char *frag_cond)
{
	const struct match_scope *s = &m->rule->m->scope;
	const bool ports = ask && (s->sport.n > 0 || s->dport.n > 0);
	int r = 0;

	for (size_t kind = 0; r == 0 && kind < (ports ? DIM(port_kinds) : 1); kind++) {
		struct sbuf head = SBUF_INIT;

		if (ports && !match_ranges_have(&s->proto, port_kinds[kind].protos[0]) &&
			!match_ranges_have(&s->proto, port_kinds[kind].protos[1]))
			continue;
		m->ports = ports;
		m->header = ports ? port_kinds[kind].bytes : 0;
		add_family(m, &head);
		sbuf_adds(&head, frag_cond);
		if (ports) {
			add_ports(m, kind, &head);
		} else if (s->proto.n > 0) {
			sbuf_adds(&head, " meta l4proto");
			add_ranges(&head, &s->proto);
		}
		r = add_rest(m, ask, frag, &head);
		sbuf_fini(&head);
	}
	return r;
}

static int
add_fragments(struct maker *m, bool ask, enum frag frag)
{
	int r = 0;

	/* Ports are no later fragment's, so that nobody has to say so. */
	if (m->family != 6)
		return add_kinds(m, ask, frag, frag_conds[frag].v4);
	for (size_t i = 0; r == 0 && i < DIM(frag_conds[frag].v6); i++)
		if (frag_conds[frag].v6[i] != NULL) {
			m->frag_header = strncmp(frag_conds[frag].v6[i], " frag ", 6) == 0;
			r = add_kinds(m, ask, frag, frag_conds[frag].v6[i]);
		}
	return r;
}

/* Ports are not there in a later fragment, which need not be said then. */
static bool
asks_ports(const struct match_rule *rule)
{
	return rule->scope.sport.n > 0 || rule->scope.dport.n > 0;
}

static int
add_by_policy(struct maker *m)
{
	const struct match_rule *rule = m->rule->m;
	int r = 0;

	switch (rule->scope.fragments) {
	case MATCH_FRAG_DEFAULT:
		if (rule->generated && !rule->scope_only && !asks_ports(rule))
			return add_fragments(m, true, FRAG_NOT_LATER);
		return add_fragments(m, true, FRAG_ANY);
	case MATCH_FRAG_MATCH:
	case MATCH_FRAG_ONLY:
		r = add_fragments(m, false, FRAG_LATER);
		if (r == 0)
			r = add_fragments(m, true,
				rule->scope.fragments == MATCH_FRAG_ONLY ? FRAG_FIRST
									 : FRAG_NOT_LATER);
		return r;
	case MATCH_FRAG_NEVER: return add_fragments(m, true, FRAG_NONE);
	}
	return 0;
}

/* Whether the rule means the same for both families, in one line. */
static bool
is_of_both(const struct match_rule *rule)
{
	return rule->scope_only && rule->scope.family == 0 && !asks_ports(rule) &&
		rule->scope.src.any && rule->scope.dst.any &&
		rule->scope.fragments == MATCH_FRAG_DEFAULT;
}

static int
add_families(struct maker *m)
{
	static const uint8_t families[] = {4, 6};
	const struct match_rule *rule = m->rule->m;
	const enum nft_family table = m->nft->conf.family;
	int r = 0;

	if (is_of_both(rule))
		return add_by_policy(m);
	for (size_t i = 0; r == 0 && i < DIM(families); i++) {
		m->family = families[i];
		if ((rule->scope.family != 0 && rule->scope.family != m->family) ||
			table == (m->family == 4 ? NFT_IP6 : NFT_IP) ||
			(!rule->scope_only && rule->prog[i] == NULL) ||
			!may_have(m, &rule->scope.src) || !may_have(m, &rule->scope.dst))
			continue;
		r = add_by_policy(m);
	}
	return r;
}

static const char *
verdict_of(const struct match_rule *rule)
{
	if (rule->shadow)
		return "";
	switch (rule->action) {
	case MATCH_PASS: return "accept";
	case MATCH_DROP: return "drop";
	case MATCH_COUNT: break;
	}
	return "";
}

int
nft_add(struct nft *nft, const struct nft_rule *rule, struct diag *diag)
{
	struct maker m = {.nft = nft, .rule = rule, .diag = diag};
	int r;

	m.entry = vec_push(&nft->entries);
	if (m.entry == NULL)
		return out_of_memory(diag);
	m.entry->rule = *rule;
	m.entry->verdict = verdict_of(rule->m);
	if (rule->m->link == MATCH_LINK_ETHER && !rule->m->scope_only)
		r = diag_fail(diag, -EINVAL,
			"rule %s: link = ether, and behind this hook there is no Ethernet header",
			rule->name);
	else
		r = add_families(&m);
	if (r == -EINVAL && nft->conf.skip) {
		m.entry->n = 0;
		m.entry->left_out = keep(&m, "%s", diag->msg);
		r = m.entry->left_out != NULL ? 0 : out_of_memory(diag);
	}
	return r;
}

int
nft_add_left_out(struct nft *nft, const struct nft_rule *rule, const char *why)
{
	struct nft_entry *e = vec_push(&nft->entries);

	if (e == NULL)
		return -ENOMEM;
	e->rule = *rule;
	e->verdict = "";
	e->left_out = why;
	return 0;
}

void
nft_fini(struct nft *nft)
{
	for (size_t i = 0; i < nft->entries.n; i++)
		mem_free(nft->entries.v[i].v);
	mem_free(nft->entries.v);
	mem_free(nft->sets.v);
	arena_fini(&nft->arena);
}
