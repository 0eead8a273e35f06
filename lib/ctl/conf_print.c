// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "ctl/conf.h"

/* In the order of the file. */
static const struct ctl_section sections[] = {
	{"node", false, "This machine."},
	{"port", true, "One section for each NIC that Sluice takes."},
	{"sample", false,
		"Copies of single frames, chosen before the verdict, for the sinks below."},
	{"sink", true, "Where samples go; one section for each."},
	{"gate", false, "When an attack has begun and ended."},
	{"protect", false, "What no rule may drop."},
	{"control", false, "How the command sluice reaches the daemon."},
	{"eal", false, "DPDK's memory and threads."},
	{"set", true, "Prefixes under a name; rules refer to them in src and dst."},
	{"rule", true, "What to do with which frames; the first rule that decides wins."},
};

/* The name to write where a section has one, and whether it is commented out. */
static const struct section_name {
	const char *kind, *name;
	bool active;
} names[] = {
	{"port", "edge0", true},
	{"sink", "attack", false},
	{"set", "victims", false},
	{"rule", "random-subdomains", false},
};

/* What to write where there is no default. */
static const struct example {
	const char *kind, *key, *value;
	bool active;
} examples[] = {
	{"node", "name", "edge1", false},
	{"node", "location", "lhr", false},
	{"port", "device", "0000:3b:00.0", true},
	{"port", "exception", "tap:sluice0", true},
	{"port", "exception_netns", "inside", false},
	{"port", "lcores", "2", false},
	{"sink", "file", "/var/lib/sluice/samples.pcapng", true},
	{"protect", "peers", "192.0.2.1, 2001:db8::1", false},
	{"control", "user", "sluice", false},
	{"eal", "main_lcore", "0", false},
	{"set", "prefixes", "198.51.100.0/24, 2001:db8::/32", true},
	{"set", "file", "victims.txt", false},
	{"rule", "match", "dns -i *.www.example.uk", true},
	{"rule", "expr", "udp and dst port 53 and greater 512", false},
	{"rule", "bytecode", "4,48 0 0 9,21 0 1 17,6 0 0 65535,6 0 0 0", false},
	{"rule", "file", "rule.bpf", false},
	{"rule", "action", "drop", true},
	{"rule", "dst", "victims", false},
	{"rule", "src", "203.0.113.0/24", false},
	{"rule", "dport", "53", false},
	{"rule", "sport", "1024-65535", false},
	{"rule", "proto", "udp", false},
	{"rule", "fragments", "never", false},
	{"rule", "port", "edge0", false},
	{"rule", "locations", "lhr, ams", false},
	{"rule", "ttl", "6 h", false},
	{"rule", "sample", "1/100", false},
	{"rule", "comment", "agreed with the zone's owner", false},
};

static const char *const tier_text[] = {
	[INI_MUST] = "must look at",
	[INI_SPEED] = "for speed only",
	[INI_LEAVE] = "leave alone",
};

static const struct example *
example_of(const struct ini_key *key)
{
	for (size_t i = 0; i < DIM(examples); i++)
		if (strcmp(examples[i].kind, key->section) == 0 &&
			strcmp(examples[i].key, key->key) == 0)
			return &examples[i];
	return NULL;
}

static const struct section_name *
name_of(const char *kind)
{
	for (size_t i = 0; i < DIM(names); i++)
		if (strcmp(names[i].kind, kind) == 0)
			return &names[i];
	return NULL;
}

static void
print_key(const struct ini_key *key, bool active, struct sbuf *out)
{
	const struct example *ex = example_of(key);
	const bool set = active && ex != NULL && ex->active;
	const char *mark = set ? "" : ";";

	sbuf_addf(out, ";   %s\n;   %s", key->help, key->type);
	if (key->range != NULL)
		sbuf_addf(out, ", %s", key->range);
	sbuf_addf(out, "%s%s\n", key->def[0] != '\0' ? "; default " : "", key->def);
	if (key->def[0] == '\0' && ex != NULL)
		sbuf_addf(out, "%s%s = %s\n", mark, key->key, ex->value);
	else
		sbuf_addf(out, "%s%s =%s%s\n", mark, key->key, key->def[0] != '\0' ? " " : "",
			key->def);
}

static void
print_tier(const struct ini_key *keys, size_t n, const char *kind, bool active, enum ini_tier tier,
	struct sbuf *out)
{
	bool first = true;

	for (size_t i = 0; i < n; i++) {
		if (keys[i].tier != tier || strcmp(keys[i].section, kind) != 0)
			continue;
		if (first)
			sbuf_addf(out, "; -- %s\n", tier_text[tier]);
		first = false;
		print_key(&keys[i], active, out);
	}
}

void
ctl_conf_print(const struct ini_key *rule_keys, size_t n, struct sbuf *out)
{
	size_t n_conf;
	const struct ini_key *conf = ctl_conf_keys(&n_conf);

	sbuf_adds(out,
		"; SPDX-License-Identifier: BSD-3-Clause\n"
		"; Configuration of sluiced, with every key there is. Lines that are commented out\n"
		"; show the default, or an example where there is none. Print it with\n"
		"; sluiced --print-config, check a changed one with sluiced -t -c FILE.\n"
		"; Files conf.d/*.ini beside this one are read after it, by name.\n");
	for (size_t i = 0; i < DIM(sections); i++) {
		const struct ctl_section *s = &sections[i];
		const struct section_name *name = name_of(s->kind);
		const bool active = name == NULL || name->active;

		sbuf_addf(out, "\n; %s\n%s[%s%s%s]\n", s->help, active ? "" : ";", s->kind,
			name != NULL ? " " : "", name != NULL ? name->name : "");
		for (enum ini_tier t = INI_MUST; t <= INI_LEAVE; t++) {
			print_tier(conf, n_conf, s->kind, active, t, out);
			print_tier(rule_keys, n, s->kind, active, t, out);
		}
	}
}

const struct ctl_section *
ctl_conf_sections(size_t *ret_n)
{
	*ret_n = DIM(sections);
	return sections;
}
