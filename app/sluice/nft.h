/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_NFT_H
#define SLUICE_NFT_H

/*
 * Rules as a table of nftables. What a program asks becomes payload
 * expressions where its paths are comparisons at known places; else the program
 * itself has to go along, as an xt_bpf match, which nft can list but not read:
 * its chain is filled over netlink.
 *
 * A frame passes a chain's rules in order. A rule of ours that becomes one line
 * stands in the base chain, one of several lines in a chain of its own that the
 * first line that matches leaves, so that each frame is counted once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "match/rule.h"

struct cbpf_insn;
struct diag;
struct sbuf;
struct sym_path;

enum nft_family { NFT_INET, NFT_IP, NFT_IP6 };

struct nft_conf {
	enum nft_family family;
	const char *table, *chain; /* nft_is_name() */
	const char *hook; /* NULL: a chain that somebody jumps to */
	int32_t priority;
	bool own_table; /* nothing else is in it: replaced whole */
	bool skip; /* leave out rules that cannot be said, instead of failing */
};

/* A rule to be said. */
struct nft_rule {
	const struct match_rule *m;
	const char *name; /* letters, digits, ., _, -; at most 64 bytes */
	const char *src_set, *dst_set; /* names of sets, NULL: none or several */
	bool has_ttl; /* which nothing ends here */
};

/* One nft rule: conditions, and what follows them. */
struct nft_line {
	const char *cond;
	/* The program that xt_bpf runs behind them, in a chain of its own; NULL: none. */
	const struct cbpf_insn *xt;
	size_t n_xt;
	bool is_ebpf; /* it is too long for xt_bpf, which gets it as eBPF */
	char xt_chain[80];
};

struct nft_entry {
	struct nft_rule rule;
	const char *verdict; /* "drop", "accept", or "" */
	struct nft_line *v;
	size_t n, cap;
	const char *note; /* what is not as it would be in sluiced, or NULL */
	const char *left_out; /* why there are no lines, or NULL */
};

struct nft_set {
	const char *name;
	uint8_t family;
	const struct match_prefixes *p;
};

struct nft {
	struct nft_conf conf;
	struct arena arena;
	struct {
		struct nft_entry *v;
		size_t n, cap;
	} entries;
	struct {
		struct nft_set *v;
		size_t n, cap;
	} sets;
};

/* Whether @s may name a table or a chain. */
bool nft_is_name(const char *s);

/* Whether nft take @s for a word of their own: no table or chain can have that name. */
bool nft_is_reserved(const char *s);

/* "inet", "ip", "ip6". */
const char *nft_family_name(enum nft_family f);

/*
 * Add @rule. Its lists are borrowed as long as @nft. Returns 0, -ENOMEM, -EINVAL:
 * it cannot be said, with a sentence that names the rule.
 */
int nft_add(struct nft *nft, const struct nft_rule *rule, struct diag *diag);

/* Add a rule that is not in force, for a comment. */
int nft_add_left_out(struct nft *nft, const struct nft_rule *rule, const char *why);
void nft_fini(struct nft *nft);

/* Append a line "NAME: …" behind @before for all that is not as it would be in sluiced. */
void nft_notes(const struct nft_entry *e, const char *before, struct sbuf *out);

/* Append the script that makes the table, or that takes all of it away. */
void nft_script(const struct nft *nft, struct sbuf *out);
void nft_undo(const struct nft *nft, struct sbuf *out);

/* How many rules of xt_bpf have to be put over netlink. */
size_t nft_count_xt(const struct nft *nft);

/*
 * Put them into their chains, all or none; programs in eBPF are loaded before, and
 * live as long as their rules. Returns 0, -errno with a sentence
 * (-EPERM, -ENOENT: the script was not run).
 */
int nft_put_xt(const struct nft *nft, struct diag *diag);

/* What a program is shown decides where its bytes are. */
struct nft_shown {
	uint8_t family; /* 4, 6 */
	bool generated;
};

enum nft_path_kind {
	NFT_PATH_NEVER, /* no packet takes it */
	NFT_PATH_SAID,
	NFT_PATH_UNSAID, /* no payload expression says it */
};

/*
 * Append @path to @out as conditions, each behind a blank.
 *
 * @ret_th:	bytes of L4 that it asks for; where any, later fragments do not match
 * @ret_no_late: it does not match later fragments
 */
enum nft_path_kind nft_path(const struct sym_path *path, const struct nft_shown *shown,
	struct sbuf *out, uint32_t *ret_th, bool *ret_no_late);

#endif
