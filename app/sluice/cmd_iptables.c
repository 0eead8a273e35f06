// SPDX-License-Identifier: BSD-3-Clause
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/sbuf.h"
#include "cli.h"
#include "gen/gen.h"
#include "script.h"
#include "shell.h"

#define OBJECT_NAME_MAX 200 /* bytes; a file's name has 255, a path for xt_bpf 511 */

static struct {
	bool inet6, negate, pinned;
	const char *comment, *set, *write;
	const char *ips[CLI_MANY_MAX + 1];
} args;

/* One part of the name: what a domain's label, or any other word, may be in a file's name. */
static void
add_safe(struct sbuf *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)s[i];

		sbuf_addc(b, c < 128 && isalnum(c) ? s[i] : 'x');
	}
}

static size_t
trim(const char **s, const char *what)
{
	size_t len;

	*s += strspn(*s, what);
	len = strlen(*s);
	while (len > 0 && strchr(what, (*s)[len - 1]) != NULL)
		len--;
	return len;
}

/* "*.example.uk" is any_example_uk. */
static void
add_domain(struct sbuf *b, const char *domain)
{
	const char *end;
	size_t len = trim(&domain, ". \t");

	for (end = domain + len;; domain += len + 1) {
		len = strcspn(domain, ".");
		if (domain + len > end)
			len = (size_t)(end - domain);
		if (len == 1 && domain[0] == '*')
			sbuf_adds(b, "any");
		else
			add_safe(b, domain, len);
		if (domain + len >= end)
			break;
		sbuf_addc(b, '_');
	}
}

/* bpf_TYPE_ip4[_ARGUMENTS]: how script and set are called. */
static void
add_stem(struct sbuf *b, int argc, char **argv)
{
	const bool dns = strcmp(argv[0], "dns") == 0;

	sbuf_addf(b, "bpf_%s_ip%d", argv[0], args.inet6 ? 6 : 4);
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (strcmp(word, "--") == 0 || (dns && word[0] == '-'))
			continue;
		sbuf_addc(b, '_');
		if (dns)
			add_domain(b, word);
		else
			add_safe(b, word + strspn(word, "-"), strlen(word + strspn(word, "-")));
	}
}

static void
add_option(struct sbuf *b, const char *name, const char *value)
{
	sbuf_addf(b, " %s ", name);
	shell_add_word(b, value);
}

/* The command as it can be given again. */
static void
add_command(struct sbuf *b, int argc, char **argv)
{
	sbuf_addf(b, "sluice iptables%s%s", args.inet6 ? " -6" : "", args.negate ? " -n" : "");
	if (args.pinned)
		sbuf_adds(b, " --object-pinned");
	if (args.comment != NULL)
		add_option(b, "-c", args.comment);
	for (const char *const *ip = args.ips; *ip != NULL; ip++)
		add_option(b, "-i", *ip);
	if (args.set != NULL)
		add_option(b, "-s", args.set);
	if (args.write != NULL)
		add_option(b, "-w", args.write);
	sbuf_addf(b, " %s --", argv[0]);
	for (int i = 1; i < argc; i++) {
		sbuf_addc(b, ' ');
		shell_add_word(b, argv[i]);
	}
}

/* What iptables -nvL shows unless -c says otherwise: the words as they were given. */
static void
add_default_comment(struct sbuf *b, int argc, char **argv)
{
	sbuf_addf(b, "%s%s%s --", args.inet6 ? "-6 " : "", args.negate ? "-n " : "", argv[0]);
	for (int i = 1; i < argc; i++) {
		sbuf_addc(b, ' ');
		shell_add_printable(b, argv[i]);
	}
}

static int
check_comment(void)
{
	if (args.comment == NULL)
		return CLI_DONE;
	if (strlen(args.comment) > SCRIPT_COMMENT_MAX)
		return cli_fail(CLI_USAGE, "-c: expected a comment of at most %d bytes, got %zu",
			SCRIPT_COMMENT_MAX, strlen(args.comment));
	for (const char *c = args.comment; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == '\x7f')
			return cli_fail(CLI_USAGE, "-c: a comment has no control characters");
	return CLI_DONE;
}

static int
check_set(void)
{
	if (args.set != NULL && (!shell_is_name(args.set) || strlen(args.set) > SCRIPT_SET_MAX))
		return cli_fail(CLI_USAGE,
			"--set: expected a name of at most %d of A-Z, a-z, 0-9, '_', '.' and '-', with "
			"neither of the last in front, got '%.60s'",
			SCRIPT_SET_MAX, args.set);
	return CLI_DONE;
}

struct texts {
	struct sbuf stem, file, set, object, command, comment, matches, mark, out;
	struct script_objects objects;
};

static void
texts_fini(struct texts *t)
{
	sbuf_fini(&t->stem);
	sbuf_fini(&t->file);
	sbuf_fini(&t->set);
	sbuf_fini(&t->object);
	sbuf_fini(&t->command);
	sbuf_fini(&t->comment);
	sbuf_fini(&t->matches);
	sbuf_fini(&t->mark);
	sbuf_fini(&t->out);
	script_objects_fini(&t->objects);
}

/* Two programs must not be one object because their names begin alike (FNV-1a). */
static void
add_object_name(struct sbuf *b, const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (strlen(name) <= OBJECT_NAME_MAX) {
		sbuf_adds(b, name);
		return;
	}
	for (const char *c = name; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
	sbuf_addf(b, "%.*s_%016" PRIx64, OBJECT_NAME_MAX - 17, name, hash);
}

/* Returns an exit status. */
static int
make_texts(struct texts *t, const struct gen_out *program, int argc, char **argv)
{
	int status = CLI_DONE;

	add_stem(&t->stem, argc, argv);
	sbuf_addf(&t->file, "%s.sh", sbuf_str(&t->stem));
	sbuf_addf(
		&t->set, "%.*s", SCRIPT_SET_MAX, args.set != NULL ? args.set : sbuf_str(&t->stem));
	add_command(&t->command, argc, argv);
	if (args.comment != NULL && args.comment[0] != '\0')
		sbuf_adds(&t->comment, args.comment);
	else
		add_default_comment(&t->comment, argc, argv);
	if (args.pinned) {
		add_object_name(&t->object, args.set != NULL ? args.set : sbuf_str(&t->stem));
		status = script_add_object(&t->objects, sbuf_str(&t->object), program, args.inet6);
		script_add_pinned(&t->matches, sbuf_str(&t->object));
		sbuf_addf(&t->mark, "/%s", sbuf_str(&t->object));
	} else {
		script_add_bpf(&t->matches, program);
		script_add_bytecode(&t->mark, program);
	}
	script_add_comment(&t->matches, sbuf_str(&t->comment));
	return status;
}

static int
make_script(const struct gen_out *program, int argc, char **argv)
{
	struct texts t = {0};
	const char *file = args.write;
	int status;

	status = make_texts(&t, program, argc, argv);
	if (status != CLI_DONE) {
		texts_fini(&t);
		return status;
	}
	if (file == NULL)
		file = sbuf_str(&t.file);
	const struct script s = {
		.inet6 = args.inet6,
		.file = strcmp(file, "-") == 0 ? sbuf_str(&t.file) : file,
		.set = sbuf_str(&t.set),
		.mark = sbuf_str(&t.mark),
		.command = sbuf_str(&t.command),
		.ips = args.ips,
		.scope = program->scope,
		.objects = args.pinned ? &t.objects : NULL,
	};

	script_add_head(&t.out, &s, program->text);
	script_add_rule(&t.out, &s, sbuf_str(&t.matches), "DROP");
	script_add_tail(&t.out, &s);
	if (sbuf_ok(&t.stem) && sbuf_ok(&t.file) && sbuf_ok(&t.set) && sbuf_ok(&t.object) &&
		sbuf_ok(&t.command) && sbuf_ok(&t.comment) && sbuf_ok(&t.matches) &&
		sbuf_ok(&t.mark))
		status = script_write(&t.out, file);
	else
		status = cli_fail(CLI_FAILED, "out of memory");
	texts_fini(&t);
	return status;
}

static int
iptables_run(int argc, char **argv)
{
	const struct gen_opts opts = {.family = args.inet6 ? 6 : 4, .negate = args.negate};
	struct gen_out program = {0};
	int status;

	status = check_comment();
	if (status == CLI_DONE)
		status = check_set();
	if (status == CLI_DONE)
		status = script_check_ips(args.ips, args.inet6);
	if (status != CLI_DONE)
		return status;
	status = script_gen(
		argv[0], &opts, argc - 1, (const char *const *)argv + 1, args.pinned, &program);
	if (status == CLI_DONE)
		status = make_script(&program, argc, argv);
	gen_out_fini(&program);
	return status;
}

static const struct cli_opt iptables_opts[] = {
	{'6', "inet6", NULL, "Make a script for ip6tables.", &args.inet6, NULL},
	{'c', "comment", "COMMENT", "What iptables -nvL shows at the rule.", NULL, &args.comment},
	{'i', "ip", "IP", "An address or prefix that the script adds by itself; may be repeated.",
		NULL, args.ips},
	{'n', "negate", NULL, "Drop what the pattern does not match.", &args.negate, NULL},
	{'p', "object-pinned", NULL,
		"Load the program as eBPF, by bpftool: it may be longer than 64 instructions.",
		&args.pinned, NULL},
	{'s', "set", "NAME",
		"Name the ipset, and the pinned object; default as made from TYPE, a set's cut to 31 bytes.",
		NULL, &args.set},
	{'w', "write", "FILE", "Name the script; - is standard output.", NULL, &args.write},
	{0},
};

static const struct cli_example iptables_examples[] = {
	{"sluice iptables dns -- '*.example.uk'", "Write bpf_dns_ip4_any_example_uk.sh."},
	{"./bpf_dns_ip4_any_example_uk.sh 192.0.2.53", "Apply it, for queries to one address."},
	{"./bpf_dns_ip4_any_example_uk.sh --delete", "Remove rule and set."},
	{"sluice iptables -6 -w - suffix 010203 | less",
		"Look at the script before anything is written."},
	{0},
};

const struct cli_cmd cmd_iptables = {
	.name = "iptables",
	.args = "TYPE [--] [ARGUMENT…]",
	.help = "Make a script that puts a program into iptables.",
	.more = "TYPE and what stands behind -- are those of sluice gen.\n\n"
		"The script takes addresses under attack as arguments; nothing is dropped before\n"
		"there is one. With --delete it removes all that it made; a first run that fails or is\n"
		"interrupted does so by itself. It reads IPTABLES, IPSET, INPUTPLACE (the rule's number)\n"
		"and DEFAULTINT (the interface) from the environment.\n"
		"Where another rule has its ipset already, since names were cut, it does nothing\n"
		"and says so: --set gives one of them another name.",
	.examples = iptables_examples,
	.opts = iptables_opts,
	.many = "i",
	.min_args = 1,
	.max_args = -1,
	.run = iptables_run,
};
