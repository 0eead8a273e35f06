// SPDX-License-Identifier: BSD-3-Clause
/* sluiced(8) from its table of options; sluiced.ini(5) and sluice-rules(5) from those of the keys. */
#include <stdio.h>
#include <string.h>

#include "base/ini.h"
#include "ctl/conf.h"
#include "options.h"
#include "pages.h"
#include "rules/ruleset.h"
#include "scd.h"
#include "sluice_build.h"

static const char *const tiers[] = {
	[INI_MUST] = "To be looked at",
	[INI_SPEED] = "For speed only",
	[INI_LEAVE] = "To be left alone",
};

void
page_sluiced(void)
{
	static const char *const exits[3] = {
		"Stopped by SIGTERM or SIGINT, or did what an option asked for.",
		"Could not start or go on; the log says why.",
		"Bad usage or a bad configuration; nothing was touched.",
	};

	scd_head("sluiced", 8, "Absorb packet floods.");
	scd_section("SYNOPSIS");
	printf("*sluiced* [_OPTION_…]\n");
	scd_section("DESCRIPTION");
	scd_text(options_about, 0);
	scd_section("OPTIONS");
	for (size_t i = 0; i < options_n_rows; i++) {
		const struct options_row *o = &options_rows[i];

		if (o->val < 256)
			printf("*-%c*, ", o->val);
		printf("*--%s*", o->name);
		if (o->arg != NULL) {
			putchar(' ');
			scd_meta(o->arg);
		}
		putchar('\n');
		scd_text(o->help, 1);
		putchar('\n');
	}
	scd_section("SIGNALS");
	printf("*SIGHUP*\n");
	scd_text(
		"Read the configuration again. Rules, sets, sampling and sinks change from the next "
		"burst on; on any error all stays as it was.",
		1);
	printf("\n*SIGTERM*, *SIGINT*\n");
	scd_text("Stop cleanly: give network cards and interfaces back and exit.", 1);
	scd_exit_status(exits);
	scd_section("FILES");
	printf("_" SLUICE_SYSCONFDIR "/sluiced.ini_, _" SLUICE_SYSCONFDIR "/conf.d/\\*.ini_\n");
	scd_text("The configuration; see sluiced.ini(5).", 1);
	printf("\n_/run/sluice/control.sock_\n");
	scd_text("The socket that sluice(1) talks to.", 1);
	printf("\n_/var/lib/sluice_\n");
	scd_text("What outlives a restart, and captures.", 1);
	scd_section("SEE ALSO");
	printf("*sluice*(1), *sluiced.ini*(5), *sluice-rules*(5)\n");
}

static void
print_key(const struct ini_key *key, const char *more)
{
	char facts[256];

	scd_bold(key->key);
	printf(" = ");
	scd_plain(key->type);
	putchar('\n');
	scd_text(key->help, 1);
	putchar('\n');
	(void)snprintf(facts, sizeof(facts), "%s%s%s%s%s%s%s", key->range != NULL ? "Range: " : "",
		key->range != NULL ? key->range : "", key->range != NULL ? ". " : "",
		key->def[0] != '\0' ? "Default: " : "", key->def, key->def[0] != '\0' ? ". " : "",
		more);
	if (facts[0] == '\0')
		return;
	scd_text(facts, 1);
	putchar('\n');
}

void
page_config(void)
{
	size_t n_keys, n_sections;
	const struct ini_key *keys = ctl_conf_keys(&n_keys);
	const struct ctl_section *sections = ctl_conf_sections(&n_sections);

	scd_head("sluiced.ini", 5, "Configuration of sluiced.");
	scd_section("DESCRIPTION");
	scd_text(
		"sluiced reads this file and conf.d/*.ini beside it, by name. Lines are [section] and "
		"key = value; a comment begins with ; or #. An unknown section or key, and a value "
		"out of its range, is an error with file and line, and nothing of a configuration "
		"with an error is used. sluiced -t checks it without privileges. "
		"sluiced --print-config prints a file with every key, which is where to begin.\n\n"
		"Rates are like 500k pps, sizes like 64 MiB, durations like 30 s or 6 h. "
		"Names of ports, sinks, sets and rules begin with a letter and have at most 40 of "
		"A-Z, a-z, 0-9, dot, underscore and dash.\n\n"
		"Sections [set NAME] and [rule NAME] are described in sluice-rules(5).",
		0);
	for (size_t i = 0; i < n_sections; i++) {
		char title[64];

		if (strcmp(sections[i].kind, "set") == 0 || strcmp(sections[i].kind, "rule") == 0)
			continue;
		(void)snprintf(title, sizeof(title), "[%s%s]", sections[i].kind,
			sections[i].named ? " NAME" : "");
		scd_section(title);
		scd_text(sections[i].help, 0);
		for (int t = INI_MUST; t <= INI_LEAVE; t++) {
			bool first = true;

			for (size_t k = 0; k < n_keys; k++) {
				if ((int)keys[k].tier != t ||
					strcmp(keys[k].section, sections[i].kind) != 0)
					continue;
				if (first)
					scd_subsection(tiers[t]);
				first = false;
				print_key(&keys[k], ctl_conf_key_note(k));
			}
		}
	}
	scd_section("SEE ALSO");
	printf("*sluiced*(8), *sluice-rules*(5), *sluice-check*(1)\n");
}

static void
print_rule_keys(const char *section)
{
	size_t n;
	const struct ini_key *keys = ruleset_keys(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i].section, section) == 0)
			print_key(&keys[i], "");
}

void
page_rules(void)
{
	scd_head("sluice-rules", 5, "Rules and sets of Sluice.");
	scd_section("DESCRIPTION");
	scd_text(
		"A file of rules is an INI file with [set NAME] and [rule NAME] sections; sluiced.ini(5) "
		"is one, too. Its other sections are checked and ignored where only rules are wanted "
		"(sluice filter -r, sluice check).\n\n"
		"A rule has a scope (family, protocol, ports, addresses, fragments, port), at most one "
		"program (match, expr, bytecode or file) and an action. It matches a frame when the "
		"scope holds and the program returns something else than 0. Without a program the "
		"scope alone matches; a rule with neither must say match = all.",
		0);
	scd_section("[set NAME]");
	print_rule_keys("set");
	scd_section("[rule NAME]");
	print_rule_keys("rule");
	scd_section("ORDER AND VERDICT");
	scd_text(
		"Rules are sorted by order, small first, then as they were read. pass and drop decide, and "
		"the search ends. count, and every rule in mode shadow, only count, and the search "
		"goes on. A rule that is not in force (not enabled, expired, of another location) is as "
		"if it were not there. No rule decided: the frame passes.",
		0);
	scd_section("WHAT A PROGRAM SEES");
	scd_text(
		"With link = raw byte 0 is the IP header and the length is that of the IP datagram: "
		"padding, trailer and tags are not visible, as with xt_bpf, and frames that are not IP "
		"never match. With link = ether byte 0 is the frame's first and tags stand as on the "
		"wire.\n\n"
		"A load past the captured bytes, or a division by zero, makes the rule not match, under "
		"a negation too.\n\n"
		"A generator makes one program for each family, for one rule and one counter, and "
		"brings its own scope: dns is for UDP to port 53. A key of the rule replaces it "
		"(dport = 5353); a key that contradicts the program is an error.",
		0);
	scd_section("EXAMPLES");
	scd_text("Drop queries for random subdomains of www.example.uk, of any case:", 0);
	putchar('\n');
	scd_literal("[set victims]\n"
		    "prefixes = 198.51.100.0/24, 2001:db8::/32\n"
		    "\n"
		    "[rule random-subdomains]\n"
		    "match = dns -i *.www.example.uk\n"
		    "dst = victims\n"
		    "action = drop\n"
		    "ttl = 6 h",
		1);
	putchar('\n');
	scd_text(
		"Count, before anything is dropped, what a rule against reflected answers would hit:",
		0);
	putchar('\n');
	scd_literal("[rule reflected]\n"
		    "expr = udp src port 53 and greater 512\n"
		    "action = drop\n"
		    "mode = shadow",
		1);
	scd_section("SEE ALSO");
	printf("*sluiced.ini*(5), *sluice-gen*(1), *sluice-filter*(1), *sluice-check*(1), "
	       "*pcap-filter*(7)\n");
}
