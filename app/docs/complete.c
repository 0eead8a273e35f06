// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bash completion from the tables of commands, options, generators and formats. It
 * uses nothing but bash, so that it works where the package bash-completion is not.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "cli.h"
#include "gen/gen.h"
#include "options.h"
#include "pages.h"
#include "program.h"

/* What a metavariable of usage and help stands for; any other has no completion. */
static const struct {
	const char *meta, *kind;
	bool operand; /* means that only outside of options */
} kinds[] = {
	{"ASMFILE", "file", false},
	{"FILE", "file", false},
	{"FORMAT", "format", false},
	{"GENERATOR", "generator", true},
	{"OBJECT", "file", false},
	{"OBJECT", "file", false},
	{"PATH", "file", false},
	{"RULES", "file", false},
	{"TYPE", "generator", true},
};

/*
 * The kind of "[FILE…]", "HEX|FILE[:N]", "TYPE": its first run of capitals that has
 * one. "a|b" and words in small letters are themselves: "words:a b".
 */
static void
kind_of(const char *arg, bool operand, struct sbuf *out)
{
	size_t len;

	while (*arg == '[' || *arg == '<')
		arg++;
	if (islower((unsigned char)*arg)) {
		sbuf_adds(out, "words:");
		for (; *arg != '\0' && *arg != ']'; arg++)
			sbuf_addc(out, *arg == '|' ? ' ' : *arg);
		return;
	}
	for (; arg != NULL; arg = strchr(arg, '|')) {
		arg += *arg == '|';
		len = strspn(arg, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		for (size_t i = 0; i < DIM(kinds); i++) {
			if (len != strlen(kinds[i].meta) || memcmp(arg, kinds[i].meta, len) != 0 ||
				(kinds[i].operand && !operand))
				continue;
			sbuf_adds(out, kinds[i].kind);
			return;
		}
	}
	sbuf_adds(out, "none");
}

static void
print_kind(const char *arg, bool operand)
{
	struct sbuf b = SBUF_INIT;

	kind_of(arg, operand, &b);
	printf("'%s'", sbuf_str(&b));
	sbuf_fini(&b);
}

/* The operands in order, each a kind; the last stands for all that follow. */
static void
print_operands(const char *args)
{
	printf("\t\toperands=(");
	for (const char *p = args; *p != '\0';) {
		const size_t len = strcspn(p, " ");
		char word[64];

		(void)snprintf(word, sizeof(word), "%.*s", (int)len, p);
		/* "-w NAME" is an option, "[--]" no operand; of "A | B" the last counts. */
		if (word[0] == '-')
			p += len + strcspn(p + len + (p[len] == ' '), " ");
		else if (strcmp(word, "[--]") != 0 && strcmp(word, "|") != 0 &&
			strncmp(p + len, " | ", 3) != 0) {
			print_kind(word, true);
			putchar(' ');
		}
		p += strcspn(p, " ");
		p += strspn(p, " ");
	}
	printf("'none')\n");
}

static void
print_options(const struct cli_cmd *cmd)
{
	printf("\t\toptions='");
	for (const struct cli_opt *o = cmd->opts; o->name != NULL; o++) {
		if (o->letter != '\0')
			printf("-%c ", o->letter);
		printf("--%s ", o->name);
	}
	printf("-h --help'\n\t\tvalues=(");
	for (const struct cli_opt *o = cmd->opts; o->name != NULL; o++) {
		if (o->arg == NULL)
			continue;
		if (o->letter != '\0') {
			printf("['-%c']=", o->letter);
			print_kind(o->arg, false);
			putchar(' ');
		}
		printf("['--%s']=", o->name);
		print_kind(o->arg, false);
		putchar(' ');
	}
	printf(")\n");
}

/* The long options that a generator's usage names. */
static void
print_generator_options(const char *usage)
{
	for (const char *p = usage; (p = strstr(p, "--")) != NULL;) {
		const size_t len = 2 + strspn(p + 2, "abcdefghijklmnopqrstuvwxyz-0123456789");
		char word[64];

		(void)snprintf(word, sizeof(word), "%.*s", (int)len, p);
		/* The first time only. */
		if (len > 2 && strstr(usage, word) == p)
			printf("%s ", word);
		p += len;
	}
}

static void
print_tables(void)
{
	printf("# Sets options, values and operands for command $1; false if there is none.\n"
	       "_sluice_command() {\n\tcase $1 in\n");
	for (size_t i = 0; i < cli_n_commands; i++) {
		printf("\t%s)\n", cli_commands[i]->name);
		print_options(cli_commands[i]);
		print_operands(cli_commands[i]->args);
		printf("\t\t;;\n");
	}
	printf("\t*) return 1 ;;\n\tesac\n}\n\n"
	       "# Prints the options of generator $1.\n"
	       "_sluice_generator() {\n\tcase $1 in\n");
	for (size_t i = 0; gen_name(i) != NULL; i++) {
		printf("\t%s) echo '", gen_name(i));
		print_generator_options(gen_usage(i));
		printf("--help' ;;\n");
	}
	printf("\tesac\n}\n\n");
}

static void
print_fill(void)
{
	printf("# Fills COMPREPLY with what of kind $1 begins with $2.\n"
	       "_sluice_fill() {\n\tlocal words=\n\tcase $1 in\n"
	       "\tfile)\n"
	       "\t\tcompopt -o filenames 2>/dev/null\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$2\")\n"
	       "\t\treturn\n\t\t;;\n"
	       "\tformat) words='");
	for (size_t i = 0; program_format_name(i) != NULL; i++)
		printf("%s%s", i > 0 ? " " : "", program_format_name(i));
	printf("' ;;\n\tgenerator) words='");
	for (size_t i = 0; gen_name(i) != NULL; i++)
		printf("%s%s", i > 0 ? " " : "", gen_name(i));
	printf("' ;;\n"
	       "\twords:*) words=${1#words:} ;;\n"
	       "\tesac\n"
	       "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$2\")\n"
	       "}\n\n");
}

/* Where the cursor is among the words: the same for both programs. */
static const char walk[] = "	for (( ; i < COMP_CWORD; i++)); do\n"
			   "		word=${COMP_WORDS[i]}\n"
			   "		if [[ -n $value ]]; then\n"
			   "			# \"--format=xt\" comes as three words.\n"
			   "			[[ $word == '=' ]] || value=\n"
			   "		elif [[ -n $ended || $word != -?* ]]; then\n"
			   "			[[ $n -gt 0 ]] || first=$word\n"
			   "			n=$((n + 1))\n"
			   "		elif [[ $word == -- ]]; then\n"
			   "			ended=yes\n"
			   "		elif [[ -n ${values[$word]-} ]]; then\n"
			   "			value=$word\n"
			   "		fi\n"
			   "	done\n"
			   "	[[ $cur != '=' ]] || cur=\n"
			   "	if [[ -n $value ]]; then\n"
			   "		_%s_fill \"${values[$value]}\" \"$cur\"\n"
			   "	elif [[ -z $ended && $cur == -* ]]; then\n"
			   "		_%s_fill \"words:$options\" \"$cur\"\n";

static void
print_walk(const char *program)
{
	for (const char *p = walk; *p != '\0'; p++) {
		if (p[0] != '%') {
			putchar(*p);
			continue;
		}
		printf("%s", program);
		p++;
	}
}

void
complete_sluice(void)
{
	printf("# SPDX-License-Identifier: BSD-3-Clause\n"
	       "# shellcheck shell=bash disable=SC2034\n"
	       "# Completion for sluice(1), made from its tables.\n\n");
	print_tables();
	print_fill();
	printf("_sluice() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} options='' value='' ended='' first='' word='' n=0 i=2\n"
	       "\tlocal -A values=()\n"
	       "\tlocal -a operands=()\n"
	       "\tCOMPREPLY=()\n"
	       "\tif [[ $COMP_CWORD -eq 1 ]]; then\n"
	       "\t\t_sluice_fill 'words:");
	for (size_t i = 0; i < cli_n_commands; i++)
		printf("%s ", cli_commands[i]->name);
	printf("--help --version' \"$cur\"\n"
	       "\t\treturn\n"
	       "\tfi\n"
	       "\t_sluice_command \"${COMP_WORDS[1]}\" || return 0\n");
	print_walk("sluice");
	printf("\telif [[ ${operands[0]} == generator && $n -gt 0 ]]; then\n"
	       "\t\t[[ $cur != -* ]] || _sluice_fill \"words:$(_sluice_generator \"$first\")\" \"$cur\"\n"
	       "\telse\n"
	       "\t\t[[ $n -lt ${#operands[@]}-1 ]] || n=$((${#operands[@]} > 1 ? ${#operands[@]} - 2 : 0))\n"
	       "\t\t_sluice_fill \"${operands[n]}\" \"$cur\"\n"
	       "\tfi\n}\n\n"
	       "complete -F _sluice sluice\n");
}

void
complete_sluiced(void)
{
	printf("# SPDX-License-Identifier: BSD-3-Clause\n"
	       "# shellcheck shell=bash disable=SC2034\n"
	       "# Completion for sluiced(8), made from its table of options.\n\n"
	       "_sluiced_fill() {\n"
	       "\tif [[ $1 == file ]]; then\n"
	       "\t\tcompopt -o filenames 2>/dev/null\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$2\")\n"
	       "\telse\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W \"${1#words:}\" -- \"$2\")\n"
	       "\tfi\n}\n\n"
	       "_sluiced() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} value='' ended='' first='' word='' n=0 i=1\n"
	       "\tlocal -A values=(");
	for (size_t i = 0; i < options_n_rows; i++) {
		const struct options_row *o = &options_rows[i];

		if (o->arg == NULL)
			continue;
		if (o->val < 256) {
			printf("['-%c']=", o->val);
			print_kind(o->arg, false);
			putchar(' ');
		}
		printf("['--%s']=", o->name);
		print_kind(o->arg, false);
		putchar(' ');
	}
	printf(")\n\tlocal options='");
	for (size_t i = 0; i < options_n_rows; i++) {
		if (options_rows[i].val < 256)
			printf("-%c ", options_rows[i].val);
		printf("--%s ", options_rows[i].name);
	}
	printf("'\n\tCOMPREPLY=()\n");
	print_walk("sluiced");
	printf("\tfi\n}\n\n"
	       "complete -F _sluiced sluiced\n");
}
