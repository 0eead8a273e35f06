// SPDX-License-Identifier: BSD-3-Clause
/* The script: sets, chains, lines. All names in it are letters, digits, '.', '_' and '-'. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "nft.h"

#define NAME_MAX_BYTES 64

bool
nft_is_name(const char *s)
{
	const size_t len = strlen(s);

	if (len == 0 || len > NAME_MAX_BYTES || !isalpha((unsigned char)s[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] >= 128 ||
			(!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-' &&
				s[i] != '.'))
			return false;
	return true;
}

const char *
nft_family_name(enum nft_family f)
{
	switch (f) {
	case NFT_INET: return "inet";
	case NFT_IP: return "ip";
	case NFT_IP6: return "ip6";
	}
	return "";
}

static bool
needs_chain(const struct nft_entry *e)
{
	return e->n > 1;
}

size_t
nft_count_xt(const struct nft *nft)
{
	size_t n = 0;

	for (size_t i = 0; i < nft->entries.n; i++)
		for (size_t j = 0; j < nft->entries.v[i].n; j++)
			n += nft->entries.v[i].v[j].xt != NULL;
	return n;
}

static void
add_set(const struct nft_set *s, struct sbuf *out)
{
	const char *sep = "\n\t\telements = { ";
	char text[IP_PREFIX_TEXT];
	size_t n = 0;

	sbuf_addf(out, "\tset %s {\n\t\ttype %s\n\t\tflags interval\n\t\tauto-merge", s->name,
		s->family == 4 ? "ipv4_addr" : "ipv6_addr");
	for (size_t i = 0; i < s->p->n; i++) {
		if (s->p->v[i].addr.family != s->family)
			continue;
		sbuf_adds(out, sep);
		sbuf_adds(out, ip_prefix_text(&s->p->v[i], text));
		sep = ++n % 4 == 0 ? ",\n\t\t\t" : ", ";
	}
	sbuf_adds(out, n > 0 ? " }\n\t}\n\n" : "\n\t}\n\n");
}

/*
 * One line. In a chain of the rule's own what decides nothing returns, so that
 * no other line counts the frame again.
 */
static void
add_line(const struct nft_entry *e, const struct nft_line *line, bool own_chain, struct sbuf *out)
{
	const char *verdict = e->verdict;

	if (verdict[0] == '\0' && own_chain)
		verdict = "return";
	sbuf_addf(out, "\t\t%s%s", line->cond, line->cond[0] != '\0' ? " " : "");
	if (line->xt != NULL)
		sbuf_addf(out, "jump %s\n", line->xt_chain);
	else
		sbuf_addf(out, "counter%s%s comment \"%s\"\n", verdict[0] != '\0' ? " " : "",
			verdict, e->rule.name);
}

static void
add_chains(const struct nft_entry *e, struct sbuf *out)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->v[i].xt != NULL)
			sbuf_addf(out,
				"\tchain %s {\n\t\t# xt_bpf, %zu instructions%s, %s\n\t}\n\n",
				e->v[i].xt_chain, e->v[i].n_xt,
				e->v[i].is_ebpf ? " (it takes 64) as eBPF" : "",
				e->verdict[0] != '\0' ? e->verdict : "counted");
	if (!needs_chain(e))
		return;
	sbuf_addf(out, "\tchain r_%s {\n", e->rule.name);
	for (size_t i = 0; i < e->n; i++)
		add_line(e, &e->v[i], true, out);
	sbuf_adds(out, "\t}\n\n");
}

void
nft_notes(const struct nft_entry *e, const char *before, struct sbuf *out)
{
	if (e->note != NULL)
		sbuf_addf(out, "%s%s: %s\n", before, e->rule.name, e->note);
	if (e->rule.has_ttl && e->left_out == NULL)
		sbuf_addf(out, "%s%s: its ttl does not run here\n", before, e->rule.name);
}

/* What is in the base chain for @e. */
static void
add_entry(const struct nft_entry *e, struct sbuf *out)
{
	if (e->left_out != NULL) {
		/* The sentence is ours and has no line's end. */
		sbuf_addf(out, "\t\t# %s: left out: %s\n", e->rule.name, e->left_out);
		return;
	}
	if (e->n == 0)
		sbuf_addf(out, "\t\t# %s: matches nothing here\n", e->rule.name);
	nft_notes(e, "\t\t# ", out);
	if (needs_chain(e))
		sbuf_addf(out, "\t\tjump r_%s\n", e->rule.name);
	else if (e->n == 1)
		add_line(e, &e->v[0], false, out);
}

static void
add_base_chain(const struct nft *nft, bool with_rules, struct sbuf *out)
{
	sbuf_addf(out, "\tchain %s {\n", nft->conf.chain);
	if (nft->conf.hook != NULL)
		sbuf_addf(out, "\t\ttype filter hook %s priority %" PRId32 "; policy accept;\n",
			nft->conf.hook, nft->conf.priority);
	for (size_t i = 0; with_rules && i < nft->entries.n; i++)
		add_entry(&nft->entries.v[i], out);
	sbuf_adds(out, "\t}\n");
}

static void
create_chain(const struct nft *nft, const char *name, struct sbuf *out)
{
	sbuf_addf(out, "create chain %s %s %s\n", nft_family_name(nft->conf.family),
		nft->conf.table, name);
}

/* In a table of others nothing that is there already is touched: "create" fails then. */
static void
add_creates(const struct nft *nft, struct sbuf *out)
{
	const char *family = nft_family_name(nft->conf.family), *table = nft->conf.table;
	char name[80];

	for (size_t i = 0; i < nft->sets.n; i++)
		sbuf_addf(out, "create set %s %s %s { type %s; flags interval; auto-merge; }\n",
			family, table, nft->sets.v[i].name,
			nft->sets.v[i].family == 4 ? "ipv4_addr" : "ipv6_addr");
	for (size_t i = 0; i < nft->entries.n; i++) {
		const struct nft_entry *e = &nft->entries.v[i];

		for (size_t j = 0; j < e->n; j++)
			if (e->v[j].xt != NULL)
				create_chain(nft, e->v[j].xt_chain, out);
		(void)snprintf(name, sizeof(name), "r_%s", e->rule.name);
		if (needs_chain(e))
			create_chain(nft, name, out);
	}
	if (nft->conf.hook == NULL)
		create_chain(nft, nft->conf.chain, out);
	else
		sbuf_addf(out,
			"create chain %s %s %s { type filter hook %s priority %" PRId32
			"; policy accept; }\n",
			family, table, nft->conf.chain, nft->conf.hook, nft->conf.priority);
}

void
nft_script(const struct nft *nft, struct sbuf *out)
{
	const char *family = nft_family_name(nft->conf.family), *table = nft->conf.table;
	const size_t xt = nft_count_xt(nft);

	sbuf_adds(out,
		"#!/usr/sbin/nft -f\n# Made by sluice nft. Counters stand at the rules' names.\n");
	if (xt > 0)
		sbuf_addf(out,
			"# %zu rule%s of xt_bpf, which nft cannot read, %s put by sluice nft --apply; until\n"
			"# then the chains x_… are empty.\n",
			xt, xt == 1 ? "" : "s", xt == 1 ? "is" : "are");
	sbuf_addf(out, "\ntable %s %s\n", family, table);
	if (nft->conf.own_table)
		sbuf_addf(out, "delete table %s %s\n", family, table);
	else
		add_creates(nft, out);
	sbuf_addf(out, "table %s %s {\n", family, table);
	for (size_t i = 0; i < nft->sets.n; i++)
		add_set(&nft->sets.v[i], out);
	for (size_t i = 0; i < nft->entries.n; i++)
		add_chains(&nft->entries.v[i], out);
	add_base_chain(nft, true, out);
	sbuf_adds(out, "}\n");
}

void
nft_undo(const struct nft *nft, struct sbuf *out)
{
	const char *family = nft_family_name(nft->conf.family), *table = nft->conf.table;

	sbuf_adds(out, "#!/usr/sbin/nft -f\n# Made by sluice nft --delete.\n\n");
	/* What is not there is no error: it is made before it is taken away. */
	sbuf_addf(out, "table %s %s\n", family, table);
	if (nft->conf.own_table) {
		sbuf_addf(out, "delete table %s %s\n", family, table);
		return;
	}
	sbuf_addf(out, "table %s %s {\n", family, table);
	for (size_t i = 0; i < nft->sets.n; i++) {
		const struct match_prefixes none = {.any = false};
		const struct nft_set empty = {nft->sets.v[i].name, nft->sets.v[i].family, &none};

		add_set(&empty, out);
	}
	for (size_t i = 0; i < nft->entries.n; i++) {
		const struct nft_entry *e = &nft->entries.v[i];

		for (size_t j = 0; j < e->n; j++)
			if (e->v[j].xt != NULL)
				sbuf_addf(out, "\tchain %s { }\n", e->v[j].xt_chain);
		if (needs_chain(e))
			sbuf_addf(out, "\tchain r_%s { }\n", e->rule.name);
	}
	add_base_chain(nft, false, out);
	sbuf_adds(out, "}\n");
	sbuf_addf(out, "flush chain %s %s %s\ndelete chain %s %s %s\n", family, table,
		nft->conf.chain, family, table, nft->conf.chain);
	for (size_t i = 0; i < nft->entries.n; i++) {
		const struct nft_entry *e = &nft->entries.v[i];

		if (needs_chain(e))
			sbuf_addf(out, "flush chain %s %s r_%s\ndelete chain %s %s r_%s\n", family,
				table, e->rule.name, family, table, e->rule.name);
		for (size_t j = 0; j < e->n; j++)
			if (e->v[j].xt != NULL)
				sbuf_addf(out, "flush chain %s %s %s\ndelete chain %s %s %s\n",
					family, table, e->v[j].xt_chain, family, table,
					e->v[j].xt_chain);
	}
	for (size_t i = 0; i < nft->sets.n; i++)
		sbuf_addf(out, "delete set %s %s %s\n", family, table, nft->sets.v[i].name);
}
