// SPDX-License-Identifier: BSD-3-Clause
/*
 * The configuration: good files and what they mean, bad ones with the exact
 * place and sentence, the key table itself, what needs a restart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/ini.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "ctl/conf.h"

static int
load(const char *text, struct ctl_conf **ret, struct diag *d)
{
	struct ini_doc *doc = NULL;
	int r = ini_load_text("t.ini", text, strlen(text), &doc, d);

	if (r == 0)
		r = ctl_conf_load(doc, ret, d);
	ini_doc_free(doc);
	return r;
}

static struct ctl_conf *
load_ok(const char *text)
{
	struct ctl_conf *c = NULL;
	struct diag d = {0};
	char buf[800];

	if (load(text, &c, &d) < 0)
		fail_msg("refused: %s", diag_format(&d, buf, sizeof(buf)));
	return c;
}

static void
an_empty_file_has_defaults(void **state)
{
	struct ctl_conf *c = load_ok("");

	(void)state;
	assert_int_equal(c->n_ports, 0);
	assert_int_equal(c->n_sinks, 0);
	assert_true(c->node_name[0] != '\0');
	assert_string_equal(c->location, "");
	assert_int_equal(c->sample_one_in, 1000);
	assert_int_equal(c->sample_snaplen, 128);
	assert_true(c->vital);
	assert_false(c->gtsm);
	assert_int_equal(c->vital_pps, 10000);
	assert_string_equal(c->control_socket, "/run/sluice/control.sock");
	assert_string_equal(c->http, "");
	assert_string_equal(c->user, "");
	assert_int_equal(c->hugepages, CTL_HUGE_AUTO);
	assert_int_equal(c->memory_mib, 0);
	assert_false(c->main_lcore_set);
	assert_int_equal(c->gate.on_pps, 500000);
	assert_int_equal(c->gate.hold_ms, 30000);
	ctl_conf_free(c);
}

#define PORT "[port a]\ndevice = net_null0\nexception = none\n"

static const char full[] = "[node]\nname = edge1\nlocation = lhr\n"
			   "[port edge0]\n"
			   "device = 0000:3b:00.0\n"
			   "mode = always\n"
			   "queues = 3\n"
			   "lcores = 2, 4-5\n"
			   "exception = tap:sluice0\n"
			   "exception_netns = inside\n"
			   "mtu = 9000\n"
			   "rx_ring = 2048\n"
			   "takeover = no\n"
			   "policer = 50k pps\n"
			   "[port edge1]\n"
			   "device = net_af_packet0,iface=eth1\n"
			   "exception = port:edge0\n"
			   "policer = off\n"
			   "[rule anything]\nfoo = not looked at\n"
			   "[sample]\nrate = off\nsnaplen = 256\n"
			   "[sink attack]\nfile = /tmp/x.pcapng\nrotate = 1 MiB\nkeep = 3\n"
			   "comments = no\n"
			   "[protect]\nvital = no\npeers = 192.0.2.1, 2001:db8::1\ngtsm = yes\n"
			   "[control]\nsocket = /tmp/s\nuser = sluice\nhttp =\n"
			   "[gate]\non = 1M pps\noff = 0 pps\ntotal_on = 5M pps\nhold = 1 min\n"
			   "[eal]\nhugepages = no\nmemory = 512 MiB\nmain_lcore = 1\n";

static void
every_key_arrives(void **state)
{
	struct ctl_conf *c = load_ok(full);
	const struct ctl_port *p = c->ports;

	(void)state;
	assert_string_equal(c->node_name, "edge1");
	assert_string_equal(c->location, "lhr");
	assert_int_equal(c->n_ports, 2);
	assert_string_equal(p[0].name, "edge0");
	assert_string_equal(p[0].device, "0000:3b:00.0");
	assert_int_equal(p[0].queues, 3);
	assert_int_equal(p[0].n_lcores, 3);
	assert_int_equal(p[0].lcores[0], 2);
	assert_int_equal(p[0].lcores[2], 5);
	assert_int_equal(p[0].exception, CTL_EXC_TAP);
	assert_string_equal(p[0].exception_name, "sluice0");
	assert_string_equal(p[0].exception_netns, "inside");
	assert_int_equal(p[0].mtu, 9000);
	assert_int_equal(p[0].rx_ring, 2048);
	assert_int_equal(p[0].tx_ring, 0);
	assert_false(p[0].takeover);
	assert_false(p[0].promiscuous);
	assert_true(p[0].multicast);
	assert_int_equal(p[0].policer_pps, 50000);
	assert_string_equal(p[0].file, "t.ini");
	assert_int_equal(p[0].line, 4);
	assert_int_equal(p[1].exception, CTL_EXC_PORT);
	assert_string_equal(p[1].exception_name, "edge0");
	assert_string_equal(p[1].exception_netns, "");
	assert_int_equal(p[1].n_lcores, 0);
	assert_true(p[1].promiscuous);
	assert_true(p[1].takeover);
	assert_int_equal(p[1].policer_pps, 0);
	assert_int_equal(c->sample_one_in, 0);
	assert_int_equal(c->sample_snaplen, 256);
	assert_int_equal(c->n_sinks, 1);
	assert_string_equal(c->sinks[0].name, "attack");
	assert_string_equal(c->sinks[0].file, "/tmp/x.pcapng");
	assert_int_equal(c->sinks[0].rotate_bytes, 1 << 20);
	assert_int_equal(c->sinks[0].keep, 3);
	assert_false(c->sinks[0].comments);
	assert_false(c->vital);
	assert_true(c->gtsm);
	assert_int_equal(c->n_peers, 2);
	assert_int_equal(c->peers[0].family, 4);
	assert_int_equal(c->peers[1].bytes[1], 1);
	assert_string_equal(c->user, "sluice");
	assert_int_equal(c->gate.total_on_pps, 5000000);
	assert_int_equal(c->gate.hold_ms, 60000);
	assert_int_equal(c->hugepages, CTL_HUGE_NO);
	assert_int_equal(c->memory_mib, 512);
	assert_true(c->main_lcore_set);
	assert_int_equal(c->main_lcore, 1);
	ctl_conf_free(c);
}

static const struct bad_case {
	const char *text;
	unsigned int line;
	const char *msg;
} bad_cases[] = {
	{"\n[nod]\n", 2, "unknown section [nod]; did you mean [node]?"},
	{"[ruel a]\n", 1, "unknown section [ruel]; did you mean [rule]?"},
	{"[something]\n", 1, "unknown section [something]"},
	{"[node x]\n", 1, "expected [node], got [node x]"},
	{"[node]\n[eal]\n[node]\n", 3, "[node] is already in t.ini:1"},
	{PORT "[port a]\n", 4, "[port a] is already in t.ini:1"},
	{"[port]\n", 1, "expected [port NAME], got [port]"},
	{"[port 1a]\n", 1,
		"expected a name of a letter, then letters, digits, '.', '_' or '-', at most 40 bytes, got '1a'"},
	{"[node]\n\nlocatoin = x\n", 3,
		"unknown key 'locatoin' in [node]; did you mean 'location'?"},
	{"[gate]\npeers = x\n", 2, "unknown key 'peers' in [gate]; it belongs into [protect]"},
	{"[gate]\nunheard_of = x\n", 2, "unknown key 'unheard_of' in [gate]"},
	{"[port a]\ndevice = net_null0\n", 1,
		"expected exception = tap:NAME|virtio-user:NAME|port:NAME|none in [port a]"},
	{"[port a]\nexception = none\n", 1,
		"expected device = PCI address or virtual device with arguments in [port a]"},
	{"[port a]\ndevice = eth0\n", 2,
		"device: expected a PCI address such as 0000:3b:00.0 or a virtual device such as net_af_packet0,iface=eth1, got 'eth0'"},
	{"[port a]\ndevice = 0000:3b:00.8\n", 2,
		"device: expected a PCI address such as 0000:3b:00.0 or a virtual device such as net_af_packet0,iface=eth1, got '0000:3b:00.8'"},
	{PORT "mode = burst\n", 4, "mode = burst is not in this version; expected always"},
	{PORT "mode = off\n", 4, "mode: expected always, got 'off'"},
	{PORT "queues = 0\n", 4, "queues: expected 1 to 64, got '0'"},
	{PORT "queues = 65\n", 4, "queues: expected 1 to 64, got '65'"},
	{PORT "queues = two\n", 4, "queues: expected a number, got 'two'"},
	{PORT "queues = 2\nlcores = 1\n", 1,
		"lcores of [port a] names 1 CPUs for 2 queues; expected one for each"},
	{PORT "lcores = 1,,2\n", 4,
		"lcores: expected a number or a range such as 1024-65535, got ''"},
	{PORT "lcores = 5-2\n", 4,
		"lcores: expected a number or a rising range within 0-1023, got '5-2'"},
	{PORT "lcores = 0-1023\n", 4, "lcores: expected at most 64 CPUs"},
	{PORT "mtu = 9601\n", 4, "mtu: expected 68 to 9600, got '9601'"},
	{PORT "promiscuous = maybe\n", 4, "promiscuous: expected auto, yes or no, got 'maybe'"},
	{PORT "takeover = 1\n", 4, "takeover: expected yes or no, got '1'"},
	{PORT "policer = 1 Gbps\n", 4, "policer: expected a rate in pps, got '1 Gbps'"},
	{PORT "policer = 50k\n", 4,
		"policer: expected a rate such as '500k pps' or '2 Gbps', got '50k'"},
	{PORT "exception_netns = a/b\n", 4,
		"exception_netns: expected the name of a network namespace, as 'ip netns' lists it, got 'a/b'"},
	{"[port a]\ndevice = net_null0\nexception = tap\n", 3,
		"exception: expected tap:NAME, virtio-user:NAME, port:NAME or none, got 'tap'"},
	{"[port a]\ndevice = net_null0\nexception = nonesuch\n", 3,
		"exception: expected tap:NAME, virtio-user:NAME, port:NAME or none, got 'nonesuch'"},
	{"[port a]\ndevice = net_null0\nexception = tap:sixteen-bytes-00\n", 3,
		"exception: expected an interface name of 1 to 15 bytes without blanks, '/', ':' and '%', got 'sixteen-bytes-00'"},
	{"[port a]\ndevice = net_null0\nexception = tap:t%d\n", 3,
		"exception: expected an interface name of 1 to 15 bytes without blanks, '/', ':' and '%', got 't%d'"},
	{"[port a]\ndevice = net_null0\nexception = port:b\n", 3,
		"exception: there is no [port b]"},
	{"[port a]\ndevice = net_null0\nexception = tap:t\n"
	 "[port b]\ndevice = net_null1\nexception = tap:t\n",
		6, "exception: the interface t is already that of [port a]"},
	{PORT "[port b]\nexception = none\ndevice = net_null0\n", 6,
		"device: net_null0 is already that of [port a]"},
	{PORT "[port b]\nexception = none\ndevice = net_null0,size=64\n", 6,
		"device: net_null0,size=64 is already that of [port a]"},
	{"[port a]\ndevice = net_af_packet0,iface=v,qpairs=2\nexception = none\n"
	 "[port b]\ndevice = net_af_packet1,iface=v\nexception = none\n",
		5, "device: net_af_packet1,iface=v is already that of [port a]"},
	{"[sample]\nrate = 0.1\n", 2,
		"rate: expected '1/N' with N from 1 to 2147483648, or 'off', got '0.1'"},
	{"[sample]\nsnaplen = 63\n", 2, "snaplen: expected 64 to 65535, got '63'"},
	{"[sink s]\ntype = sflow\n", 2, "type = sflow is not in this version; expected pcapng"},
	{"[sink s]\ntype = pcap\n", 2, "type: expected pcapng, got 'pcap'"},
	{"[sink s]\n", 1, "expected file = PATH in [sink s]"},
	{"[sink s]\nfile =\n", 2, "expected file = PATH in [sink s]"},
	{"[sink s]\nfile = f\nrotate = 1 KiB\n", 3,
		"rotate: expected 64 KiB to 1024 GiB, got '1 KiB'"},
	{"[sink s]\nfile = f\n[sink t]\nfile = f\n", 4, "file: f is already that of [sink s]"},
	{"[gate]\non = 100 pps\noff = 100 pps\n", 3,
		"off: expected less than on (100 pps), got 100 pps"},
	{"[gate]\non = off\n", 2, "on: expected a rate such as '500k pps' or '2 Gbps', got 'off'"},
	{"[gate]\nhold = 30\n", 2,
		"hold: expected a duration such as '30 s' (ms, s, min, h, d), got '30'"},
	{"[protect]\npeers = 192.0.2.1,\n", 2, "peers: expected an IPv4 or IPv6 address, got ''"},
	{"[protect]\npeers = 192.0.2.0/24\n", 2,
		"peers: expected an IPv4 or IPv6 address, got '192.0.2.0/24'"},
	{"[protect]\npeers = 192.0.2.1, 192.0.2.1\n", 2, "peers: address number 2 is there twice"},
	{"[control]\nhttp = 127.0.0.1\n", 2,
		"http: expected an address and a port such as 127.0.0.1:9466 or [::1]:9466, got '127.0.0.1'"},
	{"[control]\nhttp = ::1:9466\n", 2,
		"http: expected an address and a port such as 127.0.0.1:9466 or [::1]:9466, got '::1:9466'"},
	{"[control]\nhttp = 127.0.0.1:0\n", 2,
		"http: expected an address and a port such as 127.0.0.1:9466 or [::1]:9466, got '127.0.0.1:0'"},
	{"[control]\nsocket =\n", 2, "socket: expected a path of 1 to 107 bytes, got 0"},
	{"[control]\nsocket = /xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
		2, "socket: expected a path of 1 to 107 bytes, got 131"},
	{PORT "queues = 60\n[port b]\ndevice = net_null1\nqueues = 5\nexception = none\n", 7,
		"queues: expected at most 64 over all ports, got 65 up to here"},
	{"[eal]\nhugepages = 2\n", 2, "hugepages: expected auto, yes or no, got '2'"},
	{"[eal]\nmemory = 100000 KiB\n", 2, "memory: expected whole MiB, got '100000 KiB'"},
	{"[eal]\nmain_lcore = 1024\n", 2, "main_lcore: expected 0 to 1023, got '1024'"},
};

static void
bad_configurations_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(bad_cases); i++) {
		struct ctl_conf *c = NULL;
		struct diag d = {0};

		assert_int_equal(load(bad_cases[i].text, &c, &d), -EINVAL);
		assert_null(c);
		assert_string_equal(d.msg, bad_cases[i].msg);
		assert_int_equal(d.line, bad_cases[i].line);
		assert_string_equal(d.file, "t.ini");
	}
}

static void
the_table_is_sound(void **state)
{
	size_t n;
	const struct ini_key *k = ctl_conf_keys(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_true(k[i].help[strlen(k[i].help) - 1] == '.');
		for (size_t j = 0; j < i; j++)
			assert_false(strcmp(k[i].section, k[j].section) == 0 &&
				strcmp(k[i].key, k[j].key) == 0);
		/* A wrong range or default makes every load fail with no sentence. */
		if (k[i].range != NULL)
			assert_non_null(strstr(k[i].range, " - "));
	}
}

/* Change one thing in @full and see which key asks for a restart ("" is none). */
static const struct {
	const char *from, *to, *keys;
} changes[] = {
	{"name = edge1", "name = edge2", ""},
	{"location = lhr", "location = ams", ""},
	{"lcores = 2, 4-5", "lcores = 2,4,5", ""},
	{"rate = off", "rate = 1/10", ""},
	{"keep = 3", "keep = 4", ""},
	{"gtsm = yes", "gtsm = no", ""},
	{"peers = 192.0.2.1", "peers = 192.0.2.2", ""},
	{"hold = 1 min", "hold = 2 min", ""},
	{"queues = 3", "queues = 3 ; same", ""},
	{"lcores = 2, 4-5", "lcores = 2, 4, 6", "[port edge0] lcores"},
	{"device = 0000:3b:00.0", "device = 0000:3b:00.1", "[port edge0] device"},
	{"tap:sluice0", "tap:sluice1", "[port edge0] exception"},
	{"netns = inside", "netns = outside", "[port edge0] exception_netns"},
	{"mtu = 9000", "mtu = 1500", "[port edge0] mtu"},
	{"takeover = no", "takeover = yes", "[port edge0] takeover"},
	{"policer = 50k pps\n", "", "[port edge0] policer"},
	{"policer = off", "promiscuous = no", "[port edge1] promiscuous, [port edge1] policer"},
	{"[port edge1]", "[port edge2]", "[port edge1] is now [port edge2]"},
	{"snaplen = 256", "snaplen = 128", "[sample] snaplen"},
	{"user = sluice", "user = root", "[control] user"},
	{"memory = 512", "memory = 513", "[eal] memory"},
	{"main_lcore = 1", "", "[eal] main_lcore"},
	{"hugepages = no", "hugepages = yes", "[eal] hugepages"},
};

static void
changes_that_need_a_restart(void **state)
{
	struct ctl_conf *a = load_ok(full);

	(void)state;
	for (size_t i = 0; i < DIM(changes); i++) {
		const char *at = strstr(full, changes[i].from);
		struct diag d = {0};
		struct ctl_conf *b;
		char text[4096];
		int r;

		assert_non_null(at);
		(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - full), full,
			changes[i].to, at + strlen(changes[i].from));
		b = load_ok(text);
		r = ctl_conf_needs_restart(a, b, &d);
		assert_int_equal(r, changes[i].keys[0] != '\0' ? -EBUSY : 0);
		assert_string_equal(d.msg, changes[i].keys);
		ctl_conf_free(b);
	}
	ctl_conf_free(a);
}

static void
ports_that_come_and_go_need_a_restart(void **state)
{
	struct ctl_conf *a = load_ok(PORT);
	struct ctl_conf *b = load_ok("");
	struct diag d = {0};

	(void)state;
	assert_int_equal(ctl_conf_needs_restart(a, b, &d), -EBUSY);
	assert_string_equal(d.msg, "[port a] is gone");
	assert_int_equal(ctl_conf_needs_restart(b, a, &d), -EBUSY);
	assert_string_equal(d.msg, "[port a] is new");
	ctl_conf_free(a);
	ctl_conf_free(b);
}

static void
memory_may_fail_anywhere(void **state)
{
	long n = 0;
	int r;

	(void)state;
	do {
		struct ini_doc *doc = NULL;
		struct ctl_conf *c = NULL;
		struct diag d = {0};

		assert_int_equal(ini_load_text("t.ini", full, strlen(full), &doc, &d), 0);
		mem_fault_set(n);
		r = ctl_conf_load(doc, &c, &d);
		mem_fault_set(-1);
		if (r < 0) {
			assert_int_equal(r, -ENOMEM);
			assert_null(c);
			assert_string_equal(d.msg, "out of memory");
		}
		ctl_conf_free(c);
		ini_doc_free(doc);
		n++;
	} while (r < 0);
	assert_true(n > 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_has_defaults),
		cmocka_unit_test(every_key_arrives),
		cmocka_unit_test(bad_configurations_are_refused),
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(changes_that_need_a_restart),
		cmocka_unit_test(ports_that_come_and_go_need_a_restart),
		cmocka_unit_test(memory_may_fail_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
