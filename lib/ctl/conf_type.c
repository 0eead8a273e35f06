// SPDX-License-Identifier: BSD-3-Clause
#include "conf_type.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/util.h"

#define CPU_MAX 1023 /* the largest CPU number that cpu_set_t holds */
#define LCORES_MAX 64 /* one per queue */
#define PEERS_MAX 4096
#define IFNAME_MAX 15 /* bytes, as the kernel has it */

typedef int (*number_fn)(const char *text, uint64_t *ret, struct diag *why);

static int
out_of_memory(struct diag *why)
{
	return diag_fail(why, -ENOMEM, "out of memory");
}

/* Refuse @v outside the key's range, which is written "LOW - HIGH" in the key's own units. */
static int
check_range(
	const struct ini_key *key, const char *text, uint64_t v, number_fn parse, struct diag *why)
{
	const char *dash = key->range != NULL ? strstr(key->range, " - ") : NULL;
	char low[32];
	uint64_t min = 0, max = 0;

	if (dash == NULL)
		return 0;
	(void)snprintf(low, sizeof(low), "%.*s", (int)(dash - key->range), key->range);
	if (parse(low, &min, why) < 0 || parse(dash + 3, &max, why) < 0)
		return -EINVAL; /* the table is wrong; a test walks it */
	if (v < min || v > max)
		return diag_fail(
			why, -ERANGE, "expected %s to %s, got '%.60s'", low, dash + 3, text);
	return 0;
}

static int
number(const struct ini_key *key, const char *text, number_fn parse, uint64_t *ret,
	struct diag *why)
{
	uint64_t v = 0;
	int r;

	if (strcmp(text, "off") == 0 && strstr(key->type, "|off") != NULL) {
		*ret = 0;
		return 0;
	}
	r = parse(text, &v, why);
	if (r == 0)
		r = check_range(key, text, v, parse, why);
	if (r == 0)
		*ret = v;
	return r;
}

static int
parse_plain(const char *text, uint64_t *ret, struct diag *why)
{
	return parse_u64(text, 0, UINT64_MAX, ret, why);
}

static int
parse_pps(const char *text, uint64_t *ret, struct diag *why)
{
	struct parse_rate rate;
	int r = parse_rate(text, &rate, why);

	if (r < 0)
		return r;
	if (rate.unit != PARSE_PPS)
		return diag_fail(why, -EINVAL, "expected a rate in pps, got '%.60s'", text);
	*ret = rate.per_s;
	return 0;
}

static int
set_str(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	const char **field = at;
	char *s = arena_strndup(arena, text, strlen(text));

	(void)key;
	if (s == NULL)
		return out_of_memory(why);
	*field = s;
	return 0;
}

static bool
equal_str(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
}

const struct conf_type conf_str = {set_str, equal_str};

static int
set_bool(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	(void)key;
	(void)arena;
	return parse_bool(text, at, why);
}

static bool
equal_bool(const void *a, const void *b)
{
	return *(const bool *)a == *(const bool *)b;
}

const struct conf_type conf_bool = {set_bool, equal_bool};

static int
set_u16(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	uint64_t v = 0;
	int r = number(key, text, parse_plain, &v, why);

	(void)arena;
	if (r == 0 && v > UINT16_MAX)
		r = diag_fail(why, -ERANGE, "expected at most 65535, got '%.60s'", text);
	if (r == 0)
		*(uint16_t *)at = (uint16_t)v;
	return r;
}

static bool
equal_u16(const void *a, const void *b)
{
	return *(const uint16_t *)a == *(const uint16_t *)b;
}

const struct conf_type conf_u16 = {set_u16, equal_u16};

static int
set_u32_by(const struct ini_key *key, const char *text, number_fn parse, void *at, struct diag *why)
{
	uint64_t v = 0;
	int r = number(key, text, parse, &v, why);

	if (r == 0 && v > UINT32_MAX)
		r = diag_fail(why, -ERANGE, "expected less than 2^32, got '%.60s'", text);
	if (r == 0)
		*(uint32_t *)at = (uint32_t)v;
	return r;
}

static int
set_u32(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	(void)arena;
	return set_u32_by(key, text, parse_plain, at, why);
}

static int
set_rate32(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	(void)arena;
	return set_u32_by(key, text, parse_pps, at, why);
}

static int
set_one_in(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	(void)key;
	(void)arena;
	return parse_one_in(text, at, why);
}

static bool
equal_u32(const void *a, const void *b)
{
	return *(const uint32_t *)a == *(const uint32_t *)b;
}

const struct conf_type conf_u32 = {set_u32, equal_u32};
const struct conf_type conf_rate32 = {set_rate32, equal_u32};
const struct conf_type conf_one_in = {set_one_in, equal_u32};

static int
set_size(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	(void)arena;
	return number(key, text, parse_bytes, at, why);
}

static int
set_rate(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	(void)arena;
	return number(key, text, parse_pps, at, why);
}

static int
set_duration(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	(void)arena;
	return number(key, text, parse_duration_ms, at, why);
}

static bool
equal_u64(const void *a, const void *b)
{
	return *(const uint64_t *)a == *(const uint64_t *)b;
}

const struct conf_type conf_size = {set_size, equal_u64};
const struct conf_type conf_rate = {set_rate, equal_u64};
const struct conf_type conf_duration = {set_duration, equal_u64};

/* Whole mebibytes, as the data plane takes them. */
static int
set_mib(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	uint64_t bytes = 0;
	int r = number(key, text, parse_bytes, &bytes, why);

	(void)arena;
	if (r < 0)
		return r;
	if (bytes % (UINT64_C(1) << 20) != 0 || bytes >> 20 > UINT32_MAX)
		return diag_fail(why, -EINVAL, "expected whole MiB, got '%.60s'", text);
	*(uint32_t *)at = (uint32_t)(bytes >> 20);
	return 0;
}

const struct conf_type conf_mib = {set_mib, equal_u32};

/* One of @n words; its number to *@ret. */
static int
set_word(const char *const *words, size_t n, const char *text, const char *what, unsigned int *ret,
	struct diag *why)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], text) == 0) {
			*ret = (unsigned int)i;
			return 0;
		}
	return diag_fail(why, -EINVAL, "expected %s, got '%.60s'", what, text);
}

static int
set_huge(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	static const char *const words[] = {
		[CTL_HUGE_AUTO] = "auto", [CTL_HUGE_YES] = "yes", [CTL_HUGE_NO] = "no"};
	struct ctl_conf *conf = at;
	unsigned int i = 0;
	int r = set_word(words, DIM(words), text, "auto, yes or no", &i, why);

	(void)key;
	(void)arena;
	if (r < 0)
		return r;
	conf->hugepages = i;
	return 0;
}

static bool
equal_huge(const void *a, const void *b)
{
	return ((const struct ctl_conf *)a)->hugepages == ((const struct ctl_conf *)b)->hugepages;
}

const struct conf_type conf_huge = {set_huge, equal_huge};

/* "127.0.0.1:9466" or "[::1]:9466"; empty is off. */
static bool
is_addr_port(const char *text)
{
	const bool bracket = text[0] == '[';
	const char *colon = strrchr(text, ':');
	char addr[64];
	struct ip_addr parsed;
	uint32_t port;
	size_t n;

	if (colon == NULL || (bracket && colon[-1] != ']'))
		return false;
	n = (size_t)(colon - text) - (bracket ? 2 : 0);
	if (n >= sizeof(addr))
		return false;
	memcpy(addr, text + bracket, n);
	addr[n] = '\0';
	return parse_ip_addr(addr, &parsed, NULL) == 0 && bracket == (parsed.family == 6) &&
		parse_u32(colon + 1, 1, 65535, &port, NULL) == 0;
}

static int
set_http(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	if (text[0] != '\0' && !is_addr_port(text))
		return diag_fail(why, -EINVAL,
			"expected an address and a port such as 127.0.0.1:9466 or [::1]:9466, got '%.60s'",
			text);
	return set_str(key, text, at, arena, why);
}

const struct conf_type conf_http = {set_http, equal_str};

static int
set_mode(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	(void)key;
	(void)at;
	(void)arena;
	if (strcmp(text, "burst") == 0)
		return diag_fail(
			why, -EINVAL, "mode = burst is not in this version; expected always");
	if (strcmp(text, "always") != 0)
		return diag_fail(why, -EINVAL, "expected always, got '%.60s'", text);
	return 0;
}

static bool
equal_mode(const void *a, const void *b)
{
	(void)a;
	(void)b;
	return true;
}

const struct conf_type conf_mode = {set_mode, equal_mode};

static bool
is_hex(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdefABCDEF") >= n;
}

/* "0000:3b:00.0", or "3b:00.0" with the domain left out. */
static bool
is_pci(const char *s)
{
	if (is_hex(s, 4) && s[4] == ':')
		s += 5;
	return is_hex(s, 2) && s[2] == ':' && is_hex(s + 3, 2) && s[5] == '.' && s[6] >= '0' &&
		s[6] <= '7' && (s[7] == '\0' || s[7] == ',');
}

/* "net_af_packet0,iface=eth1": a driver's name and a number. */
static bool
is_vdev(const char *s)
{
	const size_t name = strcspn(s, ",");

	return strncmp(s, "net_", 4) == 0 && name > 5 && s[name - 1] >= '0' && s[name - 1] <= '9' &&
		strcspn(s, " \t") == strlen(s);
}

static int
set_device(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	struct conf_port *port = at;

	if (!is_pci(text) && !is_vdev(text))
		return diag_fail(why, -EINVAL,
			"expected a PCI address such as 0000:3b:00.0 or a virtual device such as net_af_packet0,iface=eth1, got '%.60s'",
			text);
	return set_str(key, text, &port->pub.device, arena, why);
}

static bool
equal_device(const void *a, const void *b)
{
	return equal_str(&((const struct conf_port *)a)->pub.device,
		&((const struct conf_port *)b)->pub.device);
}

const struct conf_type conf_device = {set_device, equal_device};

static int
check_ifname(const char *name, struct diag *why)
{
	const size_t n = strlen(name);

	if (n < 1 || n > IFNAME_MAX || strcspn(name, " \t/:%") != n || strcmp(name, ".") == 0 ||
		strcmp(name, "..") == 0)
		return diag_fail(why, -EINVAL,
			"expected an interface name of 1 to %d bytes without blanks, '/', ':' and '%%', got '%.60s'",
			IFNAME_MAX, name);
	return 0;
}

static int
set_exception(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	static const struct {
		const char *prefix;
		enum ctl_exception kind;
	} kinds[] = {
		{"tap:", CTL_EXC_TAP},
		{"virtio-user:", CTL_EXC_VIRTIO_USER},
		{"port:", CTL_EXC_PORT},
		{"none", CTL_EXC_NONE},
	};
	struct conf_port *port = at;

	for (size_t i = 0; i < DIM(kinds); i++) {
		const char *name = text + strlen(kinds[i].prefix);
		int r = 0;

		if (strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
			continue;
		if (kinds[i].kind == CTL_EXC_NONE && *name != '\0')
			break;
		if (kinds[i].kind == CTL_EXC_TAP || kinds[i].kind == CTL_EXC_VIRTIO_USER)
			r = check_ifname(name, why);
		else if (kinds[i].kind == CTL_EXC_PORT && !ini_name_ok(name))
			r = diag_fail(why, -EINVAL, "expected port:NAME, got '%.60s'", text);
		if (r < 0)
			return r;
		port->pub.exception = kinds[i].kind;
		return set_str(key, name, &port->pub.exception_name, arena, why);
	}
	return diag_fail(why, -EINVAL,
		"expected tap:NAME, virtio-user:NAME, port:NAME or none, got '%.60s'", text);
}

static bool
equal_exception(const void *a, const void *b)
{
	const struct conf_port *pa = a, *pb = b;

	return pa->pub.exception == pb->pub.exception &&
		strcmp(pa->pub.exception_name, pb->pub.exception_name) == 0;
}

const struct conf_type conf_exception = {set_exception, equal_exception};

static int
set_netns(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	struct conf_port *port = at;

	if (strcspn(text, "/ \t") != strlen(text) || strcmp(text, ".") == 0 ||
		strcmp(text, "..") == 0)
		return diag_fail(why, -EINVAL,
			"expected the name of a network namespace, as 'ip netns' lists it, got '%.60s'",
			text);
	return set_str(key, text, &port->pub.exception_netns, arena, why);
}

static bool
equal_netns(const void *a, const void *b)
{
	return equal_str(&((const struct conf_port *)a)->pub.exception_netns,
		&((const struct conf_port *)b)->pub.exception_netns);
}

const struct conf_type conf_netns = {set_netns, equal_netns};

/* The next piece of a list as a string; false at the end. */
static bool
next_piece(const char **cursor, char *buf, size_t size)
{
	const char *piece;
	size_t len;

	if (!parse_next(cursor, ',', &piece, &len))
		return false;
	(void)snprintf(buf, size, "%.*s", (int)MIN(len, size - 1), piece);
	return true;
}

static int
set_lcores(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	struct conf_port *port = at;
	const char *cursor = text;
	char piece[64];
	uint16_t *v = arena_zalloc(arena, LCORES_MAX * sizeof(*v));
	size_t n = 0;

	(void)key;
	if (v == NULL)
		return out_of_memory(why);
	while (next_piece(&cursor, piece, sizeof(piece))) {
		struct u16_range range;
		int r = parse_range(piece, 0, CPU_MAX, &range, why);

		if (r < 0)
			return r;
		if (n + (size_t)(range.hi - range.lo) + 1 > LCORES_MAX)
			return diag_fail(why, -ERANGE, "expected at most %d CPUs", LCORES_MAX);
		for (unsigned int cpu = range.lo; cpu <= range.hi; cpu++)
			v[n++] = (uint16_t)cpu;
	}
	port->pub.lcores = v;
	port->pub.n_lcores = n;
	return 0;
}

static bool
equal_lcores(const void *a, const void *b)
{
	const struct conf_port *pa = a, *pb = b;

	return pa->pub.n_lcores == pb->pub.n_lcores &&
		(pa->pub.n_lcores == 0 ||
			memcmp(pa->pub.lcores, pb->pub.lcores,
				pa->pub.n_lcores * sizeof(*pa->pub.lcores)) == 0);
}

const struct conf_type conf_lcores = {set_lcores, equal_lcores};

static int
set_promiscuous(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	static const char *const words[] = {"no", "yes", "auto"};
	struct conf_port *port = at;
	unsigned int i = 0;
	int r = set_word(words, DIM(words), text, "auto, yes or no", &i, why);

	(void)key;
	(void)arena;
	if (r < 0)
		return r;
	port->pub.promiscuous = i == 1;
	port->promiscuous_auto = i == 2;
	return 0;
}

static bool
equal_promiscuous(const void *a, const void *b)
{
	return ((const struct conf_port *)a)->pub.promiscuous ==
		((const struct conf_port *)b)->pub.promiscuous;
}

const struct conf_type conf_promiscuous = {set_promiscuous, equal_promiscuous};

static int
set_sink_type(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	(void)key;
	(void)at;
	(void)arena;
	if (strcmp(text, "sflow") == 0)
		return diag_fail(
			why, -EINVAL, "type = sflow is not in this version; expected pcapng");
	if (strcmp(text, "pcapng") != 0)
		return diag_fail(why, -EINVAL, "expected pcapng, got '%.60s'", text);
	return 0;
}

const struct conf_type conf_sink_type = {set_sink_type, equal_mode};

static int
set_peers(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	struct ctl_conf *conf = at;
	const char *cursor = text;
	struct ip_addr *v;
	char piece[64];
	size_t n = 1;

	(void)key;
	for (const char *c = text; *c != '\0'; c++)
		n += *c == ',';
	if (n > PEERS_MAX)
		return diag_fail(why, -ERANGE, "expected at most %d addresses", PEERS_MAX);
	v = arena_zalloc(arena, n * sizeof(*v));
	if (v == NULL)
		return out_of_memory(why);
	n = 0;
	while (text[0] != '\0' && next_piece(&cursor, piece, sizeof(piece))) {
		int r = parse_ip_addr(piece, &v[n], why);

		if (r < 0)
			return r;
		n++;
	}
	conf->peers = v;
	conf->n_peers = n;
	return 0;
}

static bool
equal_peers(const void *a, const void *b)
{
	const struct ctl_conf *ca = a, *cb = b;

	return ca->n_peers == cb->n_peers &&
		(ca->n_peers == 0 ||
			memcmp(ca->peers, cb->peers, ca->n_peers * sizeof(*ca->peers)) == 0);
}

const struct conf_type conf_peers = {set_peers, equal_peers};

static int
set_main_lcore(const struct ini_key *key, const char *text, void *at, struct arena *arena,
	struct diag *why)
{
	struct ctl_conf *conf = at;
	int r = set_u16(key, text, &conf->main_lcore, arena, why);

	if (r == 0)
		conf->main_lcore_set = true;
	return r;
}

static bool
equal_main_lcore(const void *a, const void *b)
{
	const struct ctl_conf *ca = a, *cb = b;

	return ca->main_lcore_set == cb->main_lcore_set && ca->main_lcore == cb->main_lcore;
}

const struct conf_type conf_main_lcore = {set_main_lcore, equal_main_lcore};
