// SPDX-License-Identifier: BSD-3-Clause
#include "plan.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "base/vec.h"
#include "cbpf/prog.h"
#include "write_c.h"

/*
 * What a rule becomes, in eBPF instructions, and how many may be in a program.
 * The verifier walks a million at most, each some twice. In what a compiler makes
 * of the C, jumps from the first rule to the last must not be longer than 32,767.
 */
static const struct costs {
	size_t room;
	size_t rule; /* key, switch, counters */
	size_t insn; /* of a classic program */
	size_t range; /* that is compared */
	size_t step4, step6; /* of a search, per bit of the table's size */
	size_t generated6;
} costs[] = {
	[XDP_OBJECT] = {60000, 60, 5, 4, 12, 24, 90},
	[XDP_C] = {16000, 110, 12, 6, 14, 36, 90},
};

#define BPFFS "/sys/fs/bpf"
#define VITAL_BURST_MIN 16 /* frames a bucket holds at least, else 100 ms' worth; as lib/dp */

static void
ask(struct plan_rule *p, struct plan_test *t, uint32_t mask, uint32_t val)
{
	if (((t->val ^ val) & t->mask & mask) != 0)
		p->never = true;
	t->mask |= mask;
	t->val |= val;
}

static void
ask_both(struct plan_rule *p, uint32_t mask, uint32_t val)
{
	ask(p, &p->test, mask, val);
	ask(p, &p->late, mask, val);
}

static void
ask_version(struct plan_rule *p, int family)
{
	ask_both(p, KEY_IP | KEY_V6, KEY_IP | (family == 6 ? KEY_V6 : 0));
}

const struct cbpf_prog *
plan_prog(const struct plan_rule *p, int family)
{
	const struct match_rule *m = p->r->m;

	if (m->scope_only)
		return NULL;
	return m->prog[m->link == MATCH_LINK_RAW && family == 6];
}

static void
ask_family(struct plan_rule *p)
{
	const struct match_rule *m = p->r->m;
	const struct match_scope *s = &m->scope;

	if (s->family != 0)
		ask_version(p, s->family);
	if (s->proto.n > 0 || !s->src.any || !s->dst.any)
		ask_both(p, KEY_IP, KEY_IP);
	if (m->scope_only)
		return;
	if (m->link == MATCH_LINK_ETHER) {
		p->never |= m->prog[0] == NULL;
		return;
	}
	ask_both(p, KEY_IP, KEY_IP);
	/* A family without a program never matches, later fragments included. */
	if (m->prog[0] == NULL)
		ask_version(p, 6);
	if (m->prog[1] == NULL)
		ask_version(p, 4);
}

static bool
is_one(const struct match_ranges *r)
{
	return r->n == 1 && r->v[0].lo == r->v[0].hi;
}

static int
ask_proto(struct xdp_plan *plan, struct plan_rule *p)
{
	const struct match_ranges *proto = &p->r->m->scope.proto;

	if (!is_one(proto))
		return plan_list_make(plan, proto, &p->proto);
	p->never |= proto->v[0].lo > UINT8_MAX;
	ask_both(p, KEY_PROTO(0xff), KEY_PROTO(proto->v[0].lo & 0xff));
	return 0;
}

static int
ask_ports(struct xdp_plan *plan, struct plan_rule *p)
{
	const struct match_scope *s = &p->r->m->scope;
	int r;

	if (s->sport.n == 0 && s->dport.n == 0)
		return 0;
	/* Where no ports are, as in later fragments, none is right. */
	ask(p, &p->test, KEY_PORTS, KEY_PORTS);
	r = plan_list_make(plan, &s->sport, &p->sport);
	if (r < 0)
		return r;
	if (!is_one(&s->dport))
		return plan_list_make(plan, &s->dport, &p->dport);
	ask(p, &p->test, KEY_DPORT(0xffff), KEY_DPORT(s->dport.v[0].lo));
	return 0;
}

static void
ask_fragments(struct plan_rule *p)
{
	const struct match_rule *m = p->r->m;

	switch (m->scope.fragments) {
	case MATCH_FRAG_DEFAULT:
		/* Where ports are asked for, KEY_PORTS says it. */
		if (m->generated && !m->scope_only)
			ask(p, &p->test, KEY_LATER, 0);
		break;
	case MATCH_FRAG_ONLY:
	case MATCH_FRAG_MATCH:
		if (m->scope.fragments == MATCH_FRAG_ONLY)
			ask(p, &p->test, KEY_FRAGMENT, KEY_FRAGMENT);
		ask(p, &p->test, KEY_LATER, 0);
		ask(p, &p->late, KEY_LATER, KEY_LATER);
		p->has_late = true;
		break;
	case MATCH_FRAG_NEVER: ask(p, &p->test, KEY_FRAGMENT, 0); break;
	}
}

/* Something a rule says that has no meaning here. */
static int
refuse(const struct xdp_rule *r, struct diag *diag, const char *why)
{
	if (r->file != NULL)
		diag_set_file(diag, r->file);
	if (diag != NULL)
		diag->line = r->line;
	return diag_fail(diag, -EINVAL, "[rule %s]: %s", r->m->name, why);
}

static int
make_rule(struct xdp_plan *plan, const struct xdp_rule *r, struct plan_rule *p, struct diag *diag)
{
	const struct match_rule *m = r->m;
	int err;

	if (m->action != MATCH_PASS && m->action != MATCH_DROP && m->action != MATCH_COUNT)
		return refuse(r, diag, "an XDP program can pass, drop and count, not limit");
	if (strlen(m->name) >= XDP_NAME_BYTES)
		return refuse(r, diag, "the name is too long");
	p->r = r;
	p->deciding = m->action != MATCH_COUNT && !m->shadow;
	p->is_shadow = !p->deciding && (m->shadow || m->action != MATCH_COUNT);
	p->would_drop = p->is_shadow && m->action == MATCH_DROP;
	ask_family(p);
	ask_fragments(p);
	err = ask_proto(plan, p);
	if (err == 0)
		err = ask_ports(plan, p);
	if (err == 0)
		err = plan_set_make(plan, &m->scope.src, &p->src);
	if (err == 0)
		err = plan_set_make(plan, &m->scope.dst, &p->dst);
	p->never |= !p->src.any && !p->src.has4 && !p->src.has6;
	p->never |= !p->dst.any && !p->dst.has4 && !p->dst.has6;
	plan->any_addrs |= !p->src.any || !p->dst.any;
	plan->any_generated6 |= m->generated && plan_prog(p, 6) != NULL;
	return err == 0 ? 0 : diag_fail(diag, err, "out of memory");
}

/* ---- which rules go into which program ---- */

size_t
plan_prog_len(const struct plan_rule *p, int family)
{
	const struct cbpf_prog *prog = plan_prog(p, family);
	size_t n = 0;

	if (prog != NULL)
		(void)cbpf_prog_insns(prog, &n);
	return n;
}

static size_t
search_cost(const struct xdp_plan *plan, uint32_t table)
{
	const struct plan_table *t = &plan->tables.v[table];
	const struct costs *c = &costs[plan->opts.writer];
	size_t steps = 1;

	for (uint32_t size = t->size; size > 1; size /= 2)
		steps++;
	return steps * (t->wide ? c->step6 : c->step4);
}

static size_t
list_cost(const struct xdp_plan *plan, const struct plan_list *l)
{
	return l->n > PLAN_INLINE_MAX ? search_cost(plan, l->table)
				      : l->n * costs[plan->opts.writer].range;
}

static size_t
set_cost(const struct xdp_plan *plan, const struct plan_set *s)
{
	return (s->has4 ? search_cost(plan, s->table4) : 0) +
		(s->has6 ? search_cost(plan, s->table6) : 0);
}

static size_t
rule_cost(const struct xdp_plan *plan, const struct plan_rule *p)
{
	const struct costs *c = &costs[plan->opts.writer];
	const struct match_rule *m = p->r->m;
	size_t cost = c->rule + c->insn * plan_prog_len(p, 4);

	if (p->never)
		return 0;
	if (m->link == MATCH_LINK_RAW && m->prog[1] != m->prog[0])
		cost += c->insn * plan_prog_len(p, 6);
	if (m->generated)
		cost += c->generated6;
	return cost + list_cost(plan, &p->proto) + list_cost(plan, &p->sport) +
		list_cost(plan, &p->dport) + set_cost(plan, &p->src) + set_cost(plan, &p->dst);
}

static int
split(struct xdp_plan *plan, struct diag *diag)
{
	const size_t room =
		plan->opts.chunk != 0 ? plan->opts.chunk : costs[plan->opts.writer].room;
	size_t used = room;

	for (size_t i = 0; i <= plan->n; i++) {
		const size_t cost = i < plan->n ? rule_cost(plan, &plan->rules[i]) : 0;
		size_t *slot;

		if (i == plan->n && i > 0)
			break;
		used += cost;
		if (i > 0 && used <= room)
			continue;
		slot = vec_push(&plan->chunks);
		if (slot == NULL)
			return diag_fail(diag, -ENOMEM, "out of memory");
		*slot = i;
		used = cost;
	}
	if (plan->chunks.n > XDP_PROGRAMS_MAX)
		return diag_fail(diag, -E2BIG,
			"%zu rules would take %zu programs; the kernel follows tail calls through %d",
			plan->n, plan->chunks.n, XDP_PROGRAMS_MAX);
	return 0;
}

size_t
plan_chunk_end(const struct xdp_plan *plan, size_t chunk)
{
	return chunk + 1 < plan->chunks.n ? plan->chunks.v[chunk + 1] : plan->n;
}

/* ---- the rest ---- */

uint32_t
plan_sample_max(uint32_t one_in)
{
	return one_in == 0 ? 0 : UINT32_MAX / one_in;
}

void
plan_vital(const struct xdp_plan *plan, uint64_t *ret_cost_ns, uint64_t *ret_depth_ns)
{
	const uint64_t pps = plan->opts.vital_pps;
	const uint64_t burst = MAX(pps / 10, VITAL_BURST_MIN);

	*ret_cost_ns = pps == 0 ? 0 : MAX(UINT64_C(1000000000) / pps, 1);
	*ret_depth_ns = *ret_cost_ns * (burst - 1);
}

static bool
is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Whether @name stands in the C of @code, outside of comments. */
static bool
is_word_of(const char *code, const char *name)
{
	const size_t len = strlen(name);

	while (*code != '\0') {
		size_t n = 1;

		if (strncmp(code, "/*", 2) == 0) {
			code = strstr(code, "*/");
			if (code == NULL)
				return false;
			n = 2;
		} else if (is_word_char(*code)) {
			while (is_word_char(code[n]))
				n++;
			if (n == len && memcmp(code, name, n) == 0)
				return true;
		}
		code += n;
	}
	return false;
}

/* Whether C would take the map's name for something else: a keyword, or what stands in the source. */
static bool
is_taken(const char *name, enum xdp_writer writer)
{
	static const char *const keywords[] = {"asm", "auto", "bool", "break", "case", "char",
		"const", "continue", "default", "do", "double", "else", "enum", "extern", "false",
		"float", "for", "goto", "if", "inline", "int", "long", "register", "restrict",
		"return", "short", "signed", "sizeof", "static", "struct", "switch", "true",
		"typedef", "typeof", "union", "unsigned", "void", "volatile", "while"};
	static const char *const numbered[] = {"rule_", "prog_", "range", "t", "L"};

	for (size_t i = 0; i < DIM(keywords); i++)
		if (strcmp(name, keywords[i]) == 0)
			return true;
	if (writer != XDP_C)
		return false;
	for (size_t i = 0; i < DIM(numbered); i++)
		if (strncmp(name, numbered[i], strlen(numbered[i])) == 0 &&
			isdigit((unsigned char)name[strlen(numbered[i])]))
			return true;
	return is_word_of(xdp_skeleton, name);
}

/* The map's name: a C identifier, as short as the kernel wants it. */
static int
take_hook(struct xdp_plan *plan, struct diag *diag)
{
	const char *path = plan->opts.hook, *slash, *name;
	size_t len;

	if (path == NULL)
		return 0;
	slash = strrchr(path, '/');
	name = slash != NULL ? slash + 1 : path;
	len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	if (len == 0 || name[len] != '\0' || len > 15 || (name[0] >= '0' && name[0] <= '9'))
		return diag_fail(diag, -EINVAL,
			"hook: expected a path whose last part is a name of at most 15 letters, digits and '_', got '%.60s'",
			path);
	if (strncmp(name, "sluice_", strlen("sluice_")) == 0)
		return diag_fail(diag, -EINVAL,
			"hook: expected another name than '%s': sluice_… are the program's own maps",
			name);
	if (is_taken(name, plan->opts.writer))
		return diag_fail(diag, -EINVAL,
			"hook: expected another name than '%s', which is a word of C or of the program's source",
			name);
	/* Loaders pin by name right there and nowhere else. */
	plan->hook_by_name = slash == NULL ||
		(slash == path + strlen(BPFFS) && memcmp(path, BPFFS, strlen(BPFFS)) == 0);
	plan->hook_name = arena_strndup(&plan->arena, name, len);
	return plan->hook_name != NULL ? 0 : diag_fail(diag, -ENOMEM, "out of memory");
}

static int
make_rules(struct xdp_plan *plan, struct diag *diag)
{
	int r = 0;

	plan->locations_bytes = 1;
	plan->rules = arena_zalloc(&plan->arena, (plan->n + 1) * sizeof(*plan->rules));
	if (plan->rules == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	for (size_t i = 0; i < plan->n && r == 0; i++) {
		const struct xdp_rule *rule = &plan->opts.rules[i];

		r = make_rule(plan, rule, &plan->rules[i], diag);
		plan->locations_bytes = MAX(plan->locations_bytes, strlen(rule->locations) + 1);
	}
	return r;
}

int
xdp_plan_new(const struct xdp_opts *opts, struct xdp_plan **ret_plan, struct diag *diag)
{
	struct xdp_plan *plan;
	int r;

	if (opts->n_rules > XDP_RULES_MAX)
		return diag_fail(diag, -E2BIG, "%zu rules, at most %d are allowed", opts->n_rules,
			XDP_RULES_MAX);
	plan = mem_zalloc(sizeof(*plan));
	if (plan == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	plan->opts = *opts;
	plan->n = opts->n_rules;
	r = take_hook(plan, diag);
	if (r == 0)
		r = make_rules(plan, diag);
	if (r == 0)
		r = split(plan, diag);
	/* A chain is loaded with all its maps pinned by the loader. */
	plan->hook_by_name &= plan->chunks.n == 1;
	if (r < 0) {
		xdp_plan_free(plan);
		return r;
	}
	*ret_plan = plan;
	return 0;
}

void
xdp_plan_free(struct xdp_plan *plan)
{
	if (plan == NULL)
		return;
	mem_free(plan->tables.v);
	mem_free(plan->chunks.v);
	arena_fini(&plan->arena);
	mem_free(plan);
}

size_t
xdp_plan_programs(const struct xdp_plan *plan)
{
	return plan->chunks.n;
}
