// SPDX-License-Identifier: BSD-3-Clause
/*
 * Services on UDP that floods abuse: NTP, SSDP, CLDAP, memcached. Of each, what a
 * server gets that no client sends (malformed requests), and with --response what
 * a reflector's victim gets. The tests are a few loads at the start of the
 * payload; the UDP length is asked first, so that a short packet is judged and
 * not merely unreadable.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "emit.h"
#include "gen_priv.h"
#include "hex.h"

#define UDP_HEADER 8 /* bytes; offsets below count from the UDP header */
#define PAYLOAD UDP_HEADER

/* Where the tests of a service end: the packet matches or does not. */
struct ends {
	int hit, miss;
};

struct service {
	const char *name;
	uint16_t port;
	/* X is at the UDP header. Both jump to an end or fall through to a miss. */
	void (*request)(struct gen_emit *e, const struct ends *ends);
	void (*response)(struct gen_emit *e, const struct ends *ends);
};

static void
load(struct gen_emit *e, uint16_t code, uint32_t off)
{
	gen_emit_op(e, code, off);
}

/* Jump to @label unless the payload has @n bytes by the UDP length. */
static void
need_payload(struct gen_emit *e, uint32_t n, int label)
{
	gen_emit_note(e, "a payload of %u bytes or more", n);
	load(e, CBPF_CODE_LD_H_IND, 4);
	gen_emit_jump(e, CBPF_CODE_JGE_K, UDP_HEADER + n, false, label);
}

/* Jump to @yes when the payload starts with @text, which must be readable. */
static void
starts_with(struct gen_emit *e, const char *text, int yes)
{
	struct gen_bytes b = {.n = strlen(text)};
	const int no = gen_emit_label(e);

	memcpy(b.val, text, b.n);
	memset(b.mask, 0xff, b.n);
	gen_bytes_emit(e, &b, PAYLOAD, no);
	gen_emit_jump(e, CBPF_CODE_JA, 0, true, yes);
	gen_emit_place(e, no);
}

/* ---- NTP: RFC 5905 section 7.3; modes 6 and 7 are control and private (ntpdc) ---- */

#define NTP_HEADER 48
#define NTP_RESPONSE 0x80 /* mode 7: in the first byte, mode 6: in the second */

/* A = byte with leap, version and mode. Jump to @bad for version 0 or over 4. */
static void
ntp_version(struct gen_emit *e, int bad)
{
	load(e, CBPF_CODE_LD_B_IND, PAYLOAD);
	gen_emit_op(e, CBPF_CODE_ALU_AND_K, 0x38);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0, true, bad);
	gen_emit_jump(e, CBPF_CODE_JGT_K, 4 << 3, true, bad);
}

static void
ntp_mode(struct gen_emit *e)
{
	load(e, CBPF_CODE_LD_B_IND, PAYLOAD);
	gen_emit_op(e, CBPF_CODE_ALU_AND_K, 7);
}

static void
ntp_request(struct gen_emit *e, const struct ends *ends)
{
	need_payload(e, NTP_HEADER, ends->hit);
	ntp_version(e, ends->hit);
	gen_emit_note(e, "mode 1, 2, 3 or 5: what a server is asked or told");
	ntp_mode(e);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 5, true, ends->miss);
	gen_emit_jump(e, CBPF_CODE_JGT_K, 3, true, ends->hit);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0, true, ends->hit);
}

static void
ntp_response(struct gen_emit *e, const struct ends *ends)
{
	const int control = gen_emit_label(e), private = gen_emit_label(e);

	need_payload(e, 2, ends->miss);
	gen_emit_note(e, "a control or private response, or a server's answer that cannot be");
	ntp_mode(e);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 6, true, control);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 7, true, private);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 4, false, ends->miss);
	need_payload(e, NTP_HEADER, ends->hit);
	ntp_version(e, ends->hit);
	gen_emit_jump(e, CBPF_CODE_JA, 0, true, ends->miss);
	gen_emit_place(e, control);
	load(e, CBPF_CODE_LD_B_IND, PAYLOAD + 1);
	gen_emit_jump(e, CBPF_CODE_JSET_K, NTP_RESPONSE, true, ends->hit);
	gen_emit_jump(e, CBPF_CODE_JA, 0, true, ends->miss);
	gen_emit_place(e, private);
	load(e, CBPF_CODE_LD_B_IND, PAYLOAD);
	gen_emit_jump(e, CBPF_CODE_JSET_K, NTP_RESPONSE, true, ends->hit);
}

/* ---- SSDP: UPnP Device Architecture 1.1, section 1 ---- */

#define SSDP_SEARCH "M-SEARCH * HTTP/1.1\r\n"
#define SSDP_NOTIFY "NOTIFY * HTTP/1.1\r\n"
#define SSDP_ANSWER "HTTP/1.1 200 OK\r\n"

static void
ssdp_request(struct gen_emit *e, const struct ends *ends)
{
	gen_emit_note(e, "M-SEARCH or NOTIFY");
	need_payload(e, sizeof(SSDP_NOTIFY) - 1, ends->hit);
	starts_with(e, SSDP_NOTIFY, ends->miss);
	need_payload(e, sizeof(SSDP_SEARCH) - 1, ends->hit);
	starts_with(e, SSDP_SEARCH, ends->miss);
	gen_emit_jump(e, CBPF_CODE_JA, 0, true, ends->hit);
}

static void
ssdp_response(struct gen_emit *e, const struct ends *ends)
{
	need_payload(e, sizeof(SSDP_ANSWER) - 1, ends->miss);
	starts_with(e, SSDP_ANSWER, ends->hit);
}

/* ---- CLDAP: RFC 4511 section 4.1.1 in BER, without connection (RFC 1798, MS-ADTS) ---- */

#define CLDAP_LEAST 13 /* bytes up to the operation in the longest form */
#define BER_SEQUENCE 0x30
#define BER_INTEGER 0x02

/* A = tag of the operation; jump to @bad where there is none to find. */
static void
cldap_operation(struct gen_emit *e, int bad)
{
	static const struct {
		uint8_t first; /* byte of the length */
		uint8_t bytes; /* of tag and length */
	} forms[] = {{0x81, 3}, {0x82, 4}, {0x84, 6}};
	const int add = gen_emit_label(e), short_form = gen_emit_label(e);
	int at[DIM(forms)];

	need_payload(e, CLDAP_LEAST, bad);
	gen_emit_note(e, "a sequence, its length in one of four forms");
	load(e, CBPF_CODE_LD_B_IND, PAYLOAD);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, BER_SEQUENCE, false, bad);
	load(e, CBPF_CODE_LD_B_IND, PAYLOAD + 1);
	gen_emit_jump(e, CBPF_CODE_JGE_K, 0x80, false, short_form);
	for (size_t i = 0; i < DIM(forms); i++) {
		at[i] = gen_emit_label(e);
		gen_emit_jump(e, CBPF_CODE_JEQ_K, forms[i].first, true, at[i]);
	}
	gen_emit_jump(e, CBPF_CODE_JA, 0, true, bad);
	for (size_t i = 0; i < DIM(forms); i++) {
		gen_emit_place(e, at[i]);
		gen_emit_op(e, CBPF_CODE_LD_IMM, forms[i].bytes);
		gen_emit_jump(e, CBPF_CODE_JA, 0, true, add);
	}
	gen_emit_place(e, short_form);
	gen_emit_op(e, CBPF_CODE_LD_IMM, 2);
	gen_emit_place(e, add);
	gen_emit_op(e, CBPF_CODE_ALU_ADD_X, 0);
	gen_emit_op(e, CBPF_CODE_TAX, 0);
	gen_emit_note(e, "the message's number, of 1 to 4 bytes");
	load(e, CBPF_CODE_LD_B_IND, PAYLOAD);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, BER_INTEGER, false, bad);
	load(e, CBPF_CODE_LD_B_IND, PAYLOAD + 1);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0, true, bad);
	gen_emit_jump(e, CBPF_CODE_JGT_K, 4, true, bad);
	gen_emit_op(e, CBPF_CODE_ALU_ADD_X, 0);
	gen_emit_op(e, CBPF_CODE_TAX, 0);
	load(e, CBPF_CODE_LD_B_IND, PAYLOAD + 2);
}

static void
cldap_request(struct gen_emit *e, const struct ends *ends)
{
	cldap_operation(e, ends->hit);
	gen_emit_note(e, "search, abandon or unbind");
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0x63, true, ends->miss);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0x50, true, ends->miss);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0x42, false, ends->hit);
}

static void
cldap_response(struct gen_emit *e, const struct ends *ends)
{
	cldap_operation(e, ends->miss);
	gen_emit_note(e, "an entry, the end of a search, or a reference");
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0x64, true, ends->hit);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0x65, true, ends->hit);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0x73, true, ends->hit);
}

/* ---- memcached: doc/protocol.txt, "UDP protocol": id, number, total, reserved ---- */

#define MC_HEADER 8
#define MC_BODY (PAYLOAD + MC_HEADER)

static void
memcached_request(struct gen_emit *e, const struct ends *ends)
{
	need_payload(e, MC_HEADER + 2, ends->hit);
	gen_emit_note(e, "datagram 0 of 1, nothing reserved");
	load(e, CBPF_CODE_LD_H_IND, PAYLOAD + 2);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0, false, ends->hit);
	load(e, CBPF_CODE_LD_W_IND, PAYLOAD + 4);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0x00010000, false, ends->hit);
	gen_emit_note(e, "a word in lower case, or the binary protocol's request");
	load(e, CBPF_CODE_LD_B_IND, MC_BODY);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0x80, true, ends->miss);
	gen_emit_jump(e, CBPF_CODE_JGE_K, 'a', false, ends->hit);
	gen_emit_jump(e, CBPF_CODE_JGT_K, 'z', true, ends->hit);
}

static void
memcached_response(struct gen_emit *e, const struct ends *ends)
{
	static const char words[][5] = {"VALU", "END\r", "STAT", "ERRO", "CLIE", "SERV", "STOR",
		"NOT_", "EXIS", "DELE", "TOUC", "OK\r\n", "VERS", "RESE"};

	need_payload(e, MC_HEADER + 4, ends->miss);
	gen_emit_note(e, "one of several datagrams, nothing reserved");
	load(e, CBPF_CODE_LD_H_IND, PAYLOAD + 6);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0, false, ends->miss);
	load(e, CBPF_CODE_LD_W_IND, MC_BODY);
	gen_emit_op(e, CBPF_CODE_ST, 0);
	load(e, CBPF_CODE_LD_H_IND, PAYLOAD + 2);
	gen_emit_op(e, CBPF_CODE_ST, 1);
	load(e, CBPF_CODE_LD_H_IND, PAYLOAD + 4);
	gen_emit_op(e, CBPF_CODE_LDX_MEM, 1);
	gen_emit_jump(e, CBPF_CODE_JGT_X, 0, false, ends->miss);
	gen_emit_note(e, "behind the first, or with a word that only servers say");
	gen_emit_op(e, CBPF_CODE_TXA, 0);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0, false, ends->hit);
	gen_emit_op(e, CBPF_CODE_LD_MEM, 0);
	for (size_t i = 0; i < DIM(words); i++)
		gen_emit_jump(e, CBPF_CODE_JEQ_K, load_be32(words[i]), true, ends->hit);
	gen_emit_op(e, CBPF_CODE_ALU_RSH_K, 24);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0x81, true, ends->hit);
}

/* ---- all of them ---- */

static const struct service ntp = {"ntp", 123, ntp_request, ntp_response};
static const struct service ssdp = {"ssdp", 1900, ssdp_request, ssdp_response};
static const struct service cldap = {"cldap", 389, cldap_request, cldap_response};
static const struct service memcached = {"memcached", 11211, memcached_request, memcached_response};

static int
service_run(const struct service *s, const struct gen_opts *opts, int argc, const char *const *argv,
	struct gen_out *ret_out, struct diag *diag)
{
	struct gen_emit e = GEN_EMIT_INIT;
	bool response = false;
	struct ends ends;
	int r;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--response") == 0)
			response = true;
		else if (strcmp(argv[i], "--") != 0)
			return diag_fail(diag, -EINVAL,
				"%s takes nothing but --response, got '%.60s'", s->name, argv[i]);
	}
	ends.hit = gen_emit_label(&e);
	ends.miss = gen_emit_label(&e);
	gen_emit_l4(&e, opts, "UDP");
	(response ? s->response : s->request)(&e, &ends);
	gen_emit_place(&e, ends.miss);
	gen_emit_ends(&e, opts, false, ends.hit);
	r = gen_emit_done(&e, ret_out, diag);
	if (r == 0)
		ret_out->scope = (struct gen_scope){
			.proto = 17,
			.sport = response ? s->port : 0,
			.dport = response ? 0 : s->port,
			.no_later_fragments = true,
		};
	gen_emit_fini(&e);
	return r;
}

#define SERVICE(id, what) \
	static int id##_run(const struct gen_opts *opts, int argc, const char *const *argv, \
		struct gen_out *ret_out, struct diag *diag) \
	{ \
		return service_run(&(id), opts, argc, argv, ret_out, diag); \
	} \
\
	const struct gen_type gen_##id = { \
		.name = #id, \
		.help = "Match malformed or reflected " what " packets.", \
		.usage = #id " [--response]\n\n" id##_usage \
		"Scope: UDP of that port, no later fragments.\n", \
		.extensions = true, \
		.run = id##_run, \
	}

#define ntp_usage \
	"  --response  from port 123: control and private responses (mode 6 and 7, of which\n" \
	"              monlist is one), and servers' answers that are too short or of no version\n" \
	"\n" \
	"Without it, to port 123: requests under 48 bytes, of version 0 or over 4, or of a mode\n" \
	"that is neither a client's, a peer's nor a broadcast (so control and private ones).\n"
SERVICE(ntp, "NTP");

#define ssdp_usage \
	"  --response  from port 1900: answers (HTTP/1.1 200 OK)\n" \
	"\n" \
	"Without it, to port 1900: what is neither an M-SEARCH nor a NOTIFY.\n"
SERVICE(ssdp, "SSDP");

#define cldap_usage \
	"  --response  from port 389: search results and references\n" \
	"\n" \
	"Without it, to port 389: what is no LDAP message in BER that searches, abandons or\n" \
	"unbinds.\n"
SERVICE(cldap, "CLDAP");

#define memcached_usage \
	"  --response  from port 11211: datagrams that carry a server's answer\n" \
	"\n" \
	"Without it, to port 11211: what is not one datagram with a command in text or binary.\n"
SERVICE(memcached, "memcached");
