// SPDX-License-Identifier: BSD-3-Clause
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cli.h"
#include "gen/gen.h"
#include "nft.h"
#include "rules.h"
#include "rules/ruleset.h"

static struct {
	const char *rules, *location, *family, *table, *chain, *hook, *priority, *action, *name;
	const char *dst[CLI_MANY_MAX + 1];
	bool inet6, negate, apply, delete, skip;
} args;

/* ---- options ---- */

static int
read_family(struct nft_conf *conf)
{
	static const enum nft_family families[] = {NFT_INET, NFT_IP, NFT_IP6};

	for (size_t i = 0; i < DIM(families); i++)
		if (args.family == NULL || strcmp(args.family, nft_family_name(families[i])) == 0) {
			conf->family = families[i];
			return CLI_DONE;
		}
	return cli_fail(CLI_USAGE, "--family: expected inet, ip or ip6, got '%.60s'", args.family);
}

static int
read_hook(struct nft_conf *conf)
{
	static const char *const hooks[] = {
		"prerouting", "input", "forward", "output", "postrouting"};

	conf->hook = NULL;
	if (args.hook == NULL)
		conf->hook = hooks[0];
	for (size_t i = 0; args.hook != NULL && i < DIM(hooks); i++)
		if (strcmp(args.hook, hooks[i]) == 0)
			conf->hook = hooks[i];
	if (conf->hook == NULL && strcmp(args.hook, "none") != 0)
		return cli_fail(CLI_USAGE,
			"--hook: expected prerouting, input, forward, output, postrouting or none, got '%.60s'",
			args.hook);
	return CLI_DONE;
}

/* Priorities go from the smallest to the largest 32-bit number. */
static int
read_priority(struct nft_conf *conf)
{
	const char *text = args.priority;
	const bool minus = text != NULL && text[0] == '-';
	struct diag diag = {0};
	uint32_t v;

	conf->priority = -300;
	if (text == NULL)
		return CLI_DONE;
	if (parse_u32(text + minus, 0, INT32_MAX, &v, &diag) < 0)
		return cli_fail(CLI_USAGE, "--priority: %s", diag.msg);
	conf->priority = minus ? -(int32_t)v : (int32_t)v;
	return CLI_DONE;
}

static int
bad_name(const char *option, const char *name)
{
	return cli_fail(CLI_USAGE,
		"%s: expected a letter, then up to 63 letters, digits, '.', '_' and '-', got '%.70s'",
		option, name);
}

static int
check_name(const char *option, const char *name)
{
	if (!nft_is_name(name))
		return bad_name(option, name);
	if (nft_is_reserved(name))
		return cli_fail(CLI_USAGE,
			"%s: '%s' is a word of nft's own, which they take for no name; "
			"expected another one",
			option, name);
	return CLI_DONE;
}

static int
read_conf(struct nft_conf *conf)
{
	int r;

	*conf = (struct nft_conf){
		.table = args.table != NULL ? args.table : "sluice",
		.chain = args.chain != NULL ? args.chain : "rules",
		.own_table = args.table == NULL,
		.skip = args.skip,
	};
	r = check_name("--table", conf->table);
	if (r == CLI_DONE)
		r = check_name("--chain", conf->chain);
	if (r != CLI_DONE)
		return r;
	if (strncmp(conf->chain, "r_", 2) == 0 || strncmp(conf->chain, "x_", 2) == 0)
		return cli_fail(
			CLI_USAGE, "--chain: r_ and x_ begin the names of the rules' own chains");
	r = read_family(conf);
	if (r == CLI_DONE)
		r = read_hook(conf);
	return r == CLI_DONE ? read_priority(conf) : r;
}

/* ---- rules of a file ---- */

static int
fail_diag(int r, const struct diag *diag)
{
	return cli_fail_diag(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, diag);
}

static int
add_file_rule(struct nft *nft, const struct ruleset *rs, size_t i, struct diag *diag)
{
	const struct ruleset_info *info = ruleset_info(rs, i);
	const struct nft_rule rule = {
		.m = ruleset_rule(rs, i),
		.name = info->name,
		.src_set = info->src_set,
		.dst_set = info->dst_set,
		.has_ttl = info->ttl_ms > 0,
	};

	/* A rule whose set is empty is made: addresses may come. */
	if (!info->enabled || !info->here)
		return nft_add_left_out(nft, &rule, info->enabled ? "elsewhere" : "disabled");
	diag_set_file(diag, info->file);
	diag->line = info->line;
	return nft_add(nft, &rule, diag);
}

static int
from_file(struct nft *nft, struct rules_file *file)
{
	const struct rules_opts opts = {
		.offline = true,
		.location = args.location,
		.engine = MATCH_ENGINE_INTERP,
	};
	struct diag diag = {0};
	int r = rules_file_load(args.rules, &opts, file, &diag);

	for (size_t i = 0; r == 0 && i < ruleset_count(file->rules); i++) {
		diag = (struct diag){0};
		r = add_file_rule(nft, file->rules, i, &diag);
	}
	return r < 0 ? fail_diag(r, &diag) : CLI_DONE;
}

/* ---- one rule of a generator ---- */

struct one {
	struct cbpf_prog *prog;
	struct match_rule m;
	struct u16_range proto, sport, dport;
	struct ip_prefix *dst;
	char name[65];
};

/* What the generator's words leave of themselves in a name. */
static void
make_name(int argc, char **argv, char name[65])
{
	size_t n = 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			continue;
		if (n > 0 && n < 40)
			name[n++] = '_';
		for (const char *c = argv[i]; *c != '\0' && n < 40; c++)
			name[n++] = (unsigned char)*c < 128 &&
					(isalnum((unsigned char)*c) || *c == '.' || *c == '-')
				? *c
				: 'x';
	}
	name[n] = '\0';
}

static struct match_ranges
range_of(uint16_t v, struct u16_range *place)
{
	*place = (struct u16_range){v, v};
	return (struct match_ranges){place, v != 0};
}

static int
read_dst(struct one *one)
{
	struct diag diag = {0};
	size_t n = 0;

	while (args.dst[n] != NULL)
		n++;
	one->m.scope.src.any = true;
	one->m.scope.dst.any = n == 0;
	one->dst = mem_calloc(n + 1, sizeof(*one->dst));
	if (one->dst == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	for (size_t i = 0; i < n; i++) {
		if (parse_ip_prefix(args.dst[i], &one->dst[i], &diag) < 0)
			return cli_fail(CLI_USAGE, "--dst: %s", diag.msg);
		if (one->dst[i].addr.family != (args.inet6 ? 6 : 4))
			return cli_fail(CLI_USAGE, "--dst: expected IPv%d, got '%.60s'",
				args.inet6 ? 6 : 4, args.dst[i]);
	}
	one->m.scope.dst.v = one->dst;
	one->m.scope.dst.n = n;
	return CLI_DONE;
}

static int
read_action(struct one *one)
{
	static const char *const names[] = {
		[MATCH_PASS] = "pass", [MATCH_DROP] = "drop", [MATCH_COUNT] = "count"};

	one->m.action = MATCH_DROP;
	if (args.action == NULL)
		return CLI_DONE;
	for (size_t i = 0; i < DIM(names); i++)
		if (strcmp(args.action, names[i]) == 0) {
			one->m.action = (enum match_action)i;
			return CLI_DONE;
		}
	return cli_fail(
		CLI_USAGE, "--action: expected drop, pass or count, got '%.60s'", args.action);
}

static int
generate(struct one *one, int argc, char **argv)
{
	const struct gen_opts opts = {.family = args.inet6 ? 6 : 4, .negate = args.negate};
	struct gen_out out;
	struct diag diag = {0};
	int r = gen_run(argv[0], &opts, argc - 1, (const char *const *)argv + 1, &out, &diag);

	if (r == 0 && out.has_link) {
		r = diag_fail(&diag, -EINVAL,
			"nftables show a program the IP header; expected no --link");
		gen_out_fini(&out);
	}
	if (r == 0) {
		one->m.scope.proto = range_of(out.scope.proto, &one->proto);
		one->m.scope.sport = range_of(out.scope.sport, &one->sport);
		one->m.scope.dport = range_of(out.scope.dport, &one->dport);
		r = cbpf_prog_new(out.insns, out.n, &one->prog, &diag);
		gen_out_fini(&out);
	}
	if (r == -ENOMEM)
		return cli_fail(CLI_FAILED, "out of memory");
	if (r < 0 && diag.col > 0)
		return cli_fail(CLI_USAGE, "column %u: %s", diag.col, diag.msg);
	if (r < 0)
		return cli_fail(CLI_USAGE, "%s", diag.msg);
	one->m.prog[args.inet6] = one->prog;
	return CLI_DONE;
}

static int
from_generator(struct nft *nft, struct one *one, int argc, char **argv)
{
	const struct nft_rule rule = {.m = &one->m, .name = one->name};
	struct diag diag = {0};
	int r;

	one->m = (struct match_rule){
		.enabled = true,
		.generated = true,
		.scope = {.family = args.inet6 ? 6 : 4, .ports = UINT64_MAX},
	};
	r = read_action(one);
	if (r == CLI_DONE)
		r = read_dst(one);
	if (r == CLI_DONE && args.name != NULL && !nft_is_name(args.name))
		r = bad_name("--name", args.name);
	if (r == CLI_DONE)
		r = generate(one, argc, argv);
	if (r != CLI_DONE)
		return r;
	if (args.name != NULL)
		(void)snprintf(one->name, sizeof(one->name), "%s", args.name);
	else
		make_name(argc, argv, one->name);
	one->m.name = one->name;
	r = nft_add(nft, &rule, &diag);
	return r < 0 ? fail_diag(r, &diag) : CLI_DONE;
}

/* ---- the script ---- */

static int
write_whole(int fd, const struct sbuf *text)
{
	size_t done = 0;

	while (done < text->len) {
		const ssize_t n = write(fd, text->s + done, text->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* nft -f -, which tells its own errors. */
static int
run_script(const struct sbuf *text)
{
	char *words[] = {(char[]){"nft"}, (char[]){"-f"}, (char[]){"-"}, NULL};
	const char *tool = getenv("NFT");
	extern char **environ;
	posix_spawn_file_actions_t actions;
	int fds[2], status = 0, r;
	pid_t pid;

	if (tool == NULL || tool[0] == '\0')
		tool = "nft";
	if (pipe2(fds, O_CLOEXEC) < 0)
		return cli_fail(CLI_FAILED, "cannot make a pipe: %s", strerror(errno));
	(void)posix_spawn_file_actions_init(&actions);
	/* Who was started without a standard input has the pipe there already: that is no copy. */
	(void)posix_spawn_file_actions_adddup2(&actions, fds[0], STDIN_FILENO);
	r = posix_spawnp(&pid, tool, &actions, NULL, words, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(fds[0]);
	if (r == 0) {
		/* A tool that does not read to the end tells why. */
		(void)write_whole(fds[1], text);
	}
	(void)close(fds[1]);
	if (r != 0)
		return cli_fail(CLI_FAILED, "cannot run '%.200s': %s", tool, strerror(r));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return CLI_DONE;
	return cli_fail(CLI_FAILED, "%s did not take the script", tool);
}

#define NOTES_MAX 5 /* rules that are told of */

/* Who does not see the script is told here. */
static void
tell_notes(const struct nft *nft)
{
	struct sbuf notes = SBUF_INIT;
	size_t told = 0, more = 0;

	for (size_t i = 0; i < nft->entries.n; i++) {
		const size_t before = notes.len;

		nft_notes(&nft->entries.v[i], "sluice nft: note: ", &notes);
		if (notes.len == before || ++told <= NOTES_MAX)
			continue;
		notes.len = before;
		more++;
	}
	(void)fprintf(stderr, "%.*s", (int)notes.len, sbuf_str(&notes));
	if (more > 0)
		(void)fprintf(
			stderr, "sluice nft: note: %zu more rules; the script names them\n", more);
	sbuf_fini(&notes);
}

static int
apply(const struct nft *nft, const struct sbuf *script)
{
	struct sbuf undo = SBUF_INIT;
	struct diag diag = {0};
	int r = run_script(script);

	if (r != CLI_DONE || args.delete)
		return r;
	if (nft_put_xt(nft, &diag) == 0) {
		tell_notes(nft);
		return CLI_DONE;
	}
	r = cli_fail_diag(CLI_FAILED, &diag);
	/* Half of the rules would be other rules. */
	nft_undo(nft, &undo);
	if (sbuf_ok(&undo))
		(void)run_script(&undo);
	sbuf_fini(&undo);
	return r;
}

static int
write_script(const struct nft *nft)
{
	struct sbuf out = SBUF_INIT;
	int r = CLI_DONE;

	if (args.delete)
		nft_undo(nft, &out);
	else
		nft_script(nft, &out);
	if (!sbuf_ok(&out))
		r = cli_fail(CLI_FAILED, "out of memory");
	else if (args.apply)
		r = apply(nft, &out);
	else
		(void)fputs(sbuf_str(&out), stdout);
	sbuf_fini(&out);
	return r;
}

static int
nft_run(int argc, char **argv)
{
	struct rules_file file = {0};
	struct one one = {.prog = NULL};
	struct nft nft = {.arena = ARENA_INIT};
	int r = read_conf(&nft.conf);

	if (r != CLI_DONE)
		return r;
	if ((args.rules != NULL) == (argc > 0))
		return cli_fail(
			CLI_USAGE, "expected -r RULES or a generator; see sluice nft --help");
	if (args.rules != NULL &&
		(args.inet6 || args.negate || args.dst[0] != NULL || args.action != NULL ||
			args.name != NULL))
		return cli_fail(CLI_USAGE,
			"-6, -n, --dst, --action and --name are a generator's, not of -r");
	if (args.rules != NULL)
		r = from_file(&nft, &file);
	else
		r = from_generator(&nft, &one, argc, argv);
	if (r == CLI_DONE)
		r = write_script(&nft);
	nft_fini(&nft);
	rules_file_fini(&file);
	cbpf_prog_free(one.prog);
	mem_free(one.dst);
	return r;
}

static const struct cli_opt nft_opts[] = {
	{'r', "rules", "RULES", "The rules, or a whole configuration.", NULL, &args.rules},
	{'\0', "location", "L", "Rules of this location are in force; default the file's [node].",
		NULL, &args.location},
	{'a', "apply", NULL, "Run the script and put what nft cannot read over netlink.",
		&args.apply, NULL},
	{'d', "delete", NULL, "Make, or with --apply run, the script that takes all of it away.",
		&args.delete, NULL},
	{'f', "family", "inet|ip|ip6", "The table's family; default inet.", NULL, &args.family},
	{'t', "table", "TABLE", "A table that others use, too; default one of our own, sluice.",
		NULL, &args.table},
	{'c', "chain", "CHAIN", "The chain to make; default rules.", NULL, &args.chain},
	{'k', "hook", "HOOK",
		"prerouting (default), input, forward, output, postrouting; none: you jump to it.",
		NULL, &args.hook},
	{'p', "priority", "N", "The hook's priority; default -300, before connection tracking.",
		NULL, &args.priority},
	{'s', "skip", NULL, "Leave out rules that cannot be said, instead of failing.", &args.skip,
		NULL},
	{'6', "inet6", NULL, "The generator's rule is for IPv6.", &args.inet6, NULL},
	{'n', "negate", NULL, "The generator's rule matches what the pattern does not.",
		&args.negate, NULL},
	{'D', "dst", "PREFIX", "Destination of the generator's rule; may be repeated; default any.",
		NULL, args.dst},
	{'A', "action", "drop|pass|count", "What the generator's rule does; default drop.", NULL,
		&args.action},
	{'N', "name", "NAME", "What the generator's rule is called.", NULL, &args.name},
	{0},
};

static const struct cli_example nft_examples[] = {
	{"sluice nft -r rules.ini | nft -c -f -", "Ask nft what it thinks of the rules."},
	{"sluice nft -r rules.ini --apply", "Put them in force, those of xt_bpf included."},
	{"sluice nft --apply --dst 192.0.2.53 dns -- '*.example.uk'", "One rule, by its pattern."},
	{"sluice nft -r rules.ini --delete --apply", "Take all of it away again."},
	{0},
};

const struct cli_cmd cmd_nft = {
	.name = "nft",
	.args = "[GENERATOR [--] [ARGUMENT…]]",
	.help = "Write rules as a script for nft.",
	.more = "Each rule's scope becomes expressions of nft, and so does its program where what it asks\n"
		"is compared at fixed places. Any other program goes along as a match of xt_bpf, in eBPF\n"
		"where it has over 64 instructions. nft lists such rules and cannot read them: their\n"
		"chains x_RULE_N stay empty until --apply puts them over netlink.\n"
		"\n"
		"IPv6 extension headers are stepped over, but not just as sluiced and replay do: nft\n"
		"takes an authentication header for the protocol, and where they give up behind eight\n"
		"headers (no port and no pattern matches), nft goes on. A fragment is a later one to nft\n"
		"by its first fragment header.\n"
		"\n"
		"Each line counts; its comment is the rule's name, and a rule's lines never count a frame\n"
		"twice. Rules in shadow and count rules only count. A table of our own is replaced whole;\n"
		"in a table of others only what is not there is made, and --delete, given the same rules,\n"
		"takes it away. when = attack counts as in force, TTLs do not run, port = is not looked\n"
		"at, and no vital frame is protected. The environment's NFT is run instead of nft.",
	.examples = nft_examples,
	.opts = nft_opts,
	.many = "D",
	.min_args = 0,
	.max_args = -1,
	.run = nft_run,
};
