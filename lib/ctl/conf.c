// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/util.h"
#include "base/vec.h"
#include "conf_keys.h"

#define KINDS_MAX 16 /* kinds of sections */
#define PORTS_MAX 64
#define QUEUES_MAX 64 /* over all ports: one worker each */

/* What ctl_conf_load() returns a part of. */
struct conf_box {
	struct ctl_conf pub;
	struct arena arena; /* every string and array */
};

struct loading {
	struct conf_box *box;
	const struct ini_section *sections;
	size_t n_sections;
	struct {
		struct conf_port *v;
		size_t n, cap;
	} ports;
	struct {
		struct ctl_sink *v;
		size_t n, cap;
	} sinks;
	struct diag *diag;
};

static int
out_of_memory(const struct loading *l)
{
	return diag_fail(l->diag, -ENOMEM, "out of memory");
}

/* Kinds that hold one section for each thing, by name. */
static bool
is_named(const char *kind)
{
	return strcmp(kind, "port") == 0 || strcmp(kind, "sink") == 0;
}

static bool
is_rules(const char *kind)
{
	return strcmp(kind, "rule") == 0 || strcmp(kind, "set") == 0;
}

static bool
is_known(const char *kind)
{
	size_t n;
	const struct ini_key *keys = ctl_conf_keys(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i].section, kind) == 0)
			return true;
	return false;
}

static int
fail_unknown_section(const struct loading *l, const struct ini_section *s)
{
	const char *kinds[KINDS_MAX] = {"rule", "set"};
	size_t n_kinds = 2, n;
	const struct ini_key *keys = ctl_conf_keys(&n);

	for (size_t i = 0; i < n && n_kinds < KINDS_MAX; i++)
		if (strcmp(keys[i].section, kinds[n_kinds - 1]) != 0)
			kinds[n_kinds++] = keys[i].section;
	return ini_fail_section(l->diag, kinds, n_kinds, s);
}

/* That section @s has the name it needs, and is the first of its kind and name. */
static int
check_section(const struct loading *l, const struct ini_section *s)
{
	int r;

	if (!is_known(s->kind))
		return fail_unknown_section(l, s);
	if (is_named(s->kind)) {
		r = ini_check_name(l->diag, s);
		if (r < 0)
			return r;
	} else if (s->name[0] != '\0') {
		return ini_fail(l->diag, -EINVAL, s, NULL, "expected [%s], got [%s %s]", s->kind,
			s->kind, s->name);
	}
	for (const struct ini_section *t = l->sections; t < s; t++)
		if (strcmp(t->kind, s->kind) == 0 && strcmp(t->name, s->name) == 0)
			return ini_fail(l->diag, -EINVAL, s, NULL, "[%s%s%s] is already in %s:%u",
				s->kind, s->name[0] ? " " : "", s->name, t->file, t->line);
	return 0;
}

/* Parse @text, of entry @e or the default (NULL), into the field of row @i of @base. */
static int
set_field(const struct loading *l, const struct ini_section *s, const struct ini_entry *e, size_t i,
	const char *text, void *base)
{
	size_t n;
	const struct ini_key *key = &ctl_conf_keys(&n)[i];
	const struct conf_field *f = &conf_fields[i];
	struct diag why = {0};
	int r = f->type->set(key, text, (char *)base + f->offset, &l->box->arena, &why);

	if (r == -ENOMEM)
		return out_of_memory(l);
	/* A sentence that already begins with the key needs no other beginning. */
	if (r < 0 && s != NULL && strncmp(why.msg, key->key, strlen(key->key)) == 0)
		return ini_fail(l->diag, -EINVAL, s, e, "%s", why.msg);
	if (r < 0 && s != NULL)
		return ini_fail(l->diag, -EINVAL, s, e, "%s: %s", key->key, why.msg);
	if (r < 0)
		return diag_fail(l->diag, -EINVAL, "default of [%s] %s: %s", key->section, key->key,
			why.msg);
	return 0;
}

/*
 * Types whose empty text is a value; all others keep the zero they start with
 * where the default is empty.
 */
static bool
takes_empty(const struct conf_type *type)
{
	return type == &conf_str || type == &conf_netns || type == &conf_peers ||
		type == &conf_http;
}

static int
set_defaults(const struct loading *l, const char *kind, void *base)
{
	size_t n;
	const struct ini_key *keys = ctl_conf_keys(&n);

	for (size_t i = 0; i < n; i++) {
		int r;

		if (strcmp(keys[i].section, kind) != 0 || conf_fields[i].needed ||
			(keys[i].def[0] == '\0' && !takes_empty(conf_fields[i].type)))
			continue;
		r = set_field(l, NULL, NULL, i, keys[i].def, base);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
set_entries(const struct loading *l, const struct ini_section *s, void *base)
{
	size_t n;
	const struct ini_key *keys = ctl_conf_keys(&n);

	for (size_t i = 0; i < s->n_entries; i++) {
		const struct ini_entry *e = &s->entries[i];
		const struct ini_key *key = ini_key_find(keys, n, s->kind, e->key);
		int r;

		if (key == NULL)
			return ini_fail_key(l->diag, keys, n, s, e);
		r = set_field(l, s, e, (size_t)(key - keys), e->value, base);
		if (r < 0)
			return r;
	}
	return 0;
}

/* That every key without a default is there and not empty. */
static int
check_needed(const struct loading *l, const struct ini_section *s)
{
	size_t n;
	const struct ini_key *keys = ctl_conf_keys(&n);

	for (size_t i = 0; i < n; i++) {
		const struct ini_entry *e = NULL;

		if (strcmp(keys[i].section, s->kind) != 0 || !conf_fields[i].needed)
			continue;
		for (size_t j = 0; j < s->n_entries; j++)
			if (strcmp(s->entries[j].key, keys[i].key) == 0)
				e = &s->entries[j];
		if (e == NULL || e->value[0] == '\0')
			return ini_fail(l->diag, -EINVAL, s, e, "expected %s = %s in [%s %s]",
				keys[i].key, keys[i].type, s->kind, s->name);
	}
	return 0;
}

static int
load_section(const struct loading *l, const struct ini_section *s, void *base)
{
	int r = set_entries(l, s, base);

	return r < 0 ? r : check_needed(l, s);
}

static int
load_port(struct loading *l, const struct ini_section *s)
{
	struct arena *a = &l->box->arena;
	struct conf_port *p = vec_push(&l->ports);
	int r;

	if (p == NULL)
		return out_of_memory(l);
	if (l->ports.n > PORTS_MAX)
		return ini_fail(l->diag, -EINVAL, s, NULL, "expected at most %d ports", PORTS_MAX);
	p->pub.name = arena_strndup(a, s->name, strlen(s->name));
	p->pub.file = arena_strndup(a, s->file, strlen(s->file));
	p->pub.line = s->line;
	if (p->pub.name == NULL || p->pub.file == NULL)
		return out_of_memory(l);
	r = set_defaults(l, "port", p);
	if (r == 0)
		r = load_section(l, s, p);
	if (r < 0)
		return r;
	if (p->pub.n_lcores > 0 && p->pub.n_lcores != p->pub.queues)
		return ini_fail(l->diag, -EINVAL, s, NULL,
			"lcores of [port %s] names %zu CPUs for %u queues; expected one for each",
			s->name, p->pub.n_lcores, p->pub.queues);
	if (p->promiscuous_auto)
		p->pub.promiscuous = p->pub.exception == CTL_EXC_PORT;
	return 0;
}

static int
load_sink(struct loading *l, const struct ini_section *s)
{
	struct arena *a = &l->box->arena;
	struct ctl_sink *k = vec_push(&l->sinks);
	int r;

	if (k == NULL)
		return out_of_memory(l);
	k->name = arena_strndup(a, s->name, strlen(s->name));
	k->config_file = arena_strndup(a, s->file, strlen(s->file));
	k->line = s->line;
	if (k->name == NULL || k->config_file == NULL)
		return out_of_memory(l);
	r = set_defaults(l, "sink", k);
	return r < 0 ? r : load_section(l, s, k);
}

static int
load_all(struct loading *l)
{
	static const char *const single[] = {"node", "sample", "gate", "protect", "control", "eal"};
	int r;

	for (size_t i = 0; i < DIM(single); i++) {
		r = set_defaults(l, single[i], &l->box->pub);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < l->n_sections; i++) {
		const struct ini_section *s = &l->sections[i];

		if (is_rules(s->kind))
			continue;
		r = check_section(l, s);
		if (r < 0)
			return r;
		if (strcmp(s->kind, "port") == 0)
			r = load_port(l, s);
		else if (strcmp(s->kind, "sink") == 0)
			r = load_sink(l, s);
		else
			r = load_section(l, s, &l->box->pub);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The section and entry that @key of [@kind @name] comes from; NULL entry: its default. */
static const struct ini_section *
origin(const struct loading *l, const char *kind, const char *name, const char *key,
	const struct ini_entry **ret_entry)
{
	*ret_entry = NULL;
	for (size_t i = 0; i < l->n_sections; i++) {
		const struct ini_section *s = &l->sections[i];

		if (strcmp(s->kind, kind) != 0 || strcmp(s->name, name) != 0)
			continue;
		for (size_t j = 0; j < s->n_entries; j++)
			if (strcmp(s->entries[j].key, key) == 0)
				*ret_entry = &s->entries[j];
		return s;
	}
	return NULL;
}

static bool
is_tap(const struct ctl_port *p)
{
	return p->exception == CTL_EXC_TAP || p->exception == CTL_EXC_VIRTIO_USER;
}

/* Both slices up to the next comma, and not empty. */
static bool
same_piece(const char *a, const char *b)
{
	const size_t n = strcspn(a, ",");

	return n > 0 && n == strcspn(b, ",") && memcmp(a, b, n) == 0;
}

/* One device by two texts: the same name, or the same interface behind two virtual ones. */
static bool
same_device(const char *a, const char *b)
{
	static const char key[] = ",iface=";
	const char *ia = strstr(a, key), *ib = strstr(b, key);

	if (same_piece(a, b))
		return true;
	return ia != NULL && ib != NULL && same_piece(ia + sizeof(key) - 1, ib + sizeof(key) - 1);
}

/* That exception = port:NAME names a port, and no two ports share an interface or device. */
static int
check_port(
	const struct loading *l, const struct ctl_port *p, const struct ctl_port *ports, size_t n)
{
	const struct ini_entry *e;
	const struct ini_section *s = origin(l, "port", p->name, "exception", &e);
	bool found = p->exception != CTL_EXC_PORT;

	for (size_t i = 0; i < n; i++) {
		const struct ctl_port *q = &ports[i];

		if (p->exception == CTL_EXC_PORT && strcmp(p->exception_name, q->name) == 0)
			found = true;
		if (q >= p)
			continue;
		if (is_tap(p) && is_tap(q) && strcmp(p->exception_name, q->exception_name) == 0 &&
			strcmp(p->exception_netns, q->exception_netns) == 0)
			return ini_fail(l->diag, -EINVAL, s, e,
				"exception: the interface %s is already that of [port %s]",
				p->exception_name, q->name);
		if (same_device(p->device, q->device)) {
			s = origin(l, "port", p->name, "device", &e);
			return ini_fail(l->diag, -EINVAL, s, e,
				"device: %.60s is already that of [port %s]", p->device, q->name);
		}
	}
	if (!found)
		return ini_fail(l->diag, -EINVAL, s, e, "exception: there is no [port %s]",
			p->exception_name);
	return 0;
}

static int
check_sinks(const struct loading *l, const struct ctl_conf *c)
{
	for (size_t i = 0; i < c->n_sinks; i++)
		for (size_t j = 0; j < i; j++) {
			const struct ini_entry *e;
			const struct ini_section *s;

			if (strcmp(c->sinks[i].file, c->sinks[j].file) != 0)
				continue;
			s = origin(l, "sink", c->sinks[i].name, "file", &e);
			return ini_fail(l->diag, -EINVAL, s, e,
				"file: %.60s is already that of [sink %s]", c->sinks[i].file,
				c->sinks[j].name);
		}
	return 0;
}

static int
check_gate(const struct loading *l, const struct ctl_conf *c)
{
	const struct ini_entry *e;
	const struct ini_section *s;

	if (c->gate.off_pps < c->gate.on_pps)
		return 0;
	s = origin(l, "gate", "", "off", &e);
	return ini_fail(l->diag, -EINVAL, s, e,
		"off: expected less than on (%llu pps), got %llu pps",
		(unsigned long long)c->gate.on_pps, (unsigned long long)c->gate.off_pps);
}

static int
check_peers(const struct loading *l, const struct ctl_conf *c)
{
	for (size_t i = 0; i < c->n_peers; i++)
		for (size_t j = 0; j < i; j++) {
			const struct ini_entry *e;
			const struct ini_section *s;

			if (memcmp(&c->peers[i], &c->peers[j], sizeof(c->peers[i])) != 0)
				continue;
			s = origin(l, "protect", "", "peers", &e);
			return ini_fail(l->diag, -EINVAL, s, e,
				"peers: address number %zu is there twice", i + 1);
		}
	return 0;
}

static int
check_queues(const struct loading *l, const struct ctl_conf *c)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < c->n_ports; i++) {
		const struct ini_entry *e;
		const struct ini_section *s = origin(l, "port", c->ports[i].name, "queues", &e);

		sum += c->ports[i].queues;
		if (sum > QUEUES_MAX)
			return ini_fail(l->diag, -EINVAL, s, e,
				"queues: expected at most %d over all ports, got %u up to here",
				QUEUES_MAX, sum);
	}
	return 0;
}

/* A socket's path has a fixed place in its address. */
static int
check_socket(const struct loading *l, const struct ctl_conf *c)
{
	const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	const size_t len = strlen(c->control_socket);
	const struct ini_entry *e;
	const struct ini_section *s;

	if (len >= 1 && len <= max)
		return 0;
	s = origin(l, "control", "", "socket", &e);
	return ini_fail(l->diag, -EINVAL, s, e,
		"socket: expected a path of 1 to %zu bytes, got %zu", max, len);
}

/* What no single key can know. */
static int
check_whole(const struct loading *l)
{
	static int (*const checks[])(const struct loading *l, const struct ctl_conf *c) = {
		check_queues,
		check_socket,
		check_sinks,
		check_gate,
		check_peers,
	};
	const struct ctl_conf *c = &l->box->pub;
	int r;

	for (size_t i = 0; i < c->n_ports; i++) {
		r = check_port(l, &c->ports[i], c->ports, c->n_ports);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < DIM(checks); i++) {
		r = checks[i](l, c);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Move what was read into the arena, and fill in what the machine knows. */
static int
finish(struct loading *l)
{
	struct ctl_conf *c = &l->box->pub;
	struct arena *a = &l->box->arena;
	struct ctl_port *ports = arena_zalloc(a, (l->ports.n + 1) * sizeof(*ports));
	struct ctl_sink *sinks = arena_zalloc(a, (l->sinks.n + 1) * sizeof(*sinks));
	char host[65] = "";

	if (ports == NULL || sinks == NULL)
		return out_of_memory(l);
	for (size_t i = 0; i < l->ports.n; i++)
		ports[i] = l->ports.v[i].pub;
	for (size_t i = 0; i < l->sinks.n; i++)
		sinks[i] = l->sinks.v[i];
	c->ports = ports;
	c->n_ports = l->ports.n;
	c->sinks = sinks;
	c->n_sinks = l->sinks.n;
	if (c->node_name[0] == '\0') {
		(void)gethostname(host, sizeof(host) - 1);
		c->node_name = arena_strndup(a, host, sizeof(host));
		if (c->node_name == NULL)
			return out_of_memory(l);
	}
	return 0;
}

int
ctl_conf_load(const struct ini_doc *doc, struct ctl_conf **ret_conf, struct diag *diag)
{
	struct loading l = {.diag = diag};
	int r;

	l.sections = ini_doc_sections(doc, &l.n_sections);
	l.box = mem_zalloc(sizeof(*l.box));
	if (l.box == NULL)
		return out_of_memory(&l);
	r = load_all(&l);
	if (r == 0)
		r = finish(&l);
	if (r == 0)
		r = check_whole(&l);
	if (r == 0) {
		*ret_conf = &l.box->pub;
		l.box = NULL;
	}
	if (l.box != NULL)
		ctl_conf_free(&l.box->pub);
	mem_free(l.ports.v);
	mem_free(l.sinks.v);
	return r;
}

void
ctl_conf_free(struct ctl_conf *conf)
{
	struct conf_box *box = (struct conf_box *)conf; /* pub is its first member */

	if (box == NULL)
		return;
	arena_fini(&box->arena);
	mem_free(box);
}

_Static_assert(offsetof(struct conf_box, pub) == 0, "ctl_conf_free() casts");
