// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bytes in the payload of UDP or TCP, counted from its start or its end. The
 * end is where the packet ends for the program (see suffix.c); the pattern must
 * lie in the payload whole, so that no header is mistaken for it.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "emit.h"
#include "gen_priv.h"
#include "hex.h"

#define OFFSET_MAX 65535 /* bytes; no datagram is longer */
#define M_START 0 /* scratch word: where the payload starts */

struct payload {
	struct gen_bytes bytes;
	bool tcp;
	bool from_end;
	uint32_t off; /* bytes before the pattern, or behind it with from_end */
};

/* A word "text:XYZ" gives its bytes, another is hexadecimal, after '/' a mask. */
static int
read_bytes(const char *word, struct payload *p, struct diag *diag)
{
	struct gen_bytes mask = {.n = 0};
	const char *slash = strchr(word, '/');
	char hex[2 * GEN_BYTES_MAX + 1];
	int r;

	if (strncmp(word, "text:", 5) == 0) {
		for (const char *c = word + 5; *c != '\0' && p->bytes.n < GEN_BYTES_MAX; c++) {
			p->bytes.val[p->bytes.n] = (uint8_t)*c;
			p->bytes.mask[p->bytes.n++] = 0xff;
		}
		return 0;
	}
	if (slash == NULL)
		return gen_hex_read(word, &p->bytes, diag);
	if ((size_t)(slash - word) >= sizeof(hex))
		return diag_fail(diag, -E2BIG, "expected at most %d bytes", GEN_BYTES_MAX);
	memcpy(hex, word, (size_t)(slash - word));
	hex[slash - word] = '\0';
	r = gen_hex_read(hex, &p->bytes, diag);
	if (r == 0)
		r = gen_hex_read(slash + 1, &mask, diag);
	if (r < 0)
		return r;
	if (mask.n != p->bytes.n)
		return diag_fail(diag, -EINVAL,
			"expected a mask as long as its bytes (%zu), got %zu in '%.60s'",
			p->bytes.n, mask.n, word);
	for (size_t i = 0; i < mask.n; i++)
		p->bytes.mask[i] &= mask.val[i];
	return 0;
}

static int
read_number(int argc, const char *const *argv, int *i, uint32_t *ret, struct diag *diag)
{
	if (*i + 1 >= argc)
		return diag_fail(diag, -EINVAL, "expected a number of bytes behind %s", argv[*i]);
	(*i)++;
	return parse_u32(argv[*i], 0, OFFSET_MAX, ret, diag);
}

static int
read_args(int argc, const char *const *argv, struct payload *p, struct diag *diag)
{
	int i = 0, r = 0;

	for (; i < argc && argv[i][0] == '-' && r == 0; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "--tcp") == 0)
			p->tcp = true;
		else if (strcmp(argv[i], "--udp") == 0)
			p->tcp = false;
		else if (strcmp(argv[i], "--at") == 0) {
			p->from_end = false;
			r = read_number(argc, argv, &i, &p->off, diag);
		} else if (strcmp(argv[i], "--end") == 0) {
			p->from_end = true;
			p->off = 0;
		} else if (strcmp(argv[i], "--before-end") == 0) {
			p->from_end = true;
			r = read_number(argc, argv, &i, &p->off, diag);
		} else
			return diag_fail(diag, -EINVAL,
				"payload has no option '%.60s'; it has --udp, --tcp, --at N, --end, "
				"--before-end N",
				argv[i]);
	}
	if (r < 0)
		return r;
	if (argc - i != 1)
		return diag_fail(diag, -EINVAL,
			"payload needs one pattern, as in: payload --end text:xyzzy; got %d words",
			argc - i);
	r = read_bytes(argv[i], p, diag);
	if (r == 0 && p->bytes.n == 0)
		return diag_fail(diag, -EINVAL, "payload needs a pattern of one byte or more");
	return r;
}

/* X = A = where the payload starts. */
static void
emit_start(struct gen_emit *e, const struct gen_opts *opts, const struct payload *p)
{
	/* X, where it is known only from the packet, and what L4 is behind X. */
	const bool indirect = opts->family == 4 || opts->extensions;
	const uint32_t l4 = opts->extensions ? 0 : opts->l3_off + (opts->family == 4 ? 0 : 40);

	if (opts->extensions)
		gen_emit_l4(e, opts, p->tcp ? "TCP" : "UDP");
	gen_emit_note(e, "x is where the payload of %s starts", p->tcp ? "TCP" : "UDP");
	if (opts->family == 4)
		gen_emit_op(e, CBPF_CODE_LDX_MSH, opts->l3_off);
	if (p->tcp) {
		gen_emit_op(e, indirect ? CBPF_CODE_LD_B_IND : CBPF_CODE_LD_B_ABS, l4 + 12);
		gen_emit_op(e, CBPF_CODE_ALU_AND_K, 0xf0);
		gen_emit_op(e, CBPF_CODE_ALU_RSH_K, 2);
		if (l4 != 0)
			gen_emit_op(e, CBPF_CODE_ALU_ADD_K, l4);
	} else {
		gen_emit_op(e, CBPF_CODE_LD_IMM, l4 + 8);
	}
	if (indirect)
		gen_emit_op(e, CBPF_CODE_ALU_ADD_X, 0);
	gen_emit_op(e, CBPF_CODE_TAX, 0);
}

static void
emit_pattern(struct gen_emit *e, const struct payload *p, int fail)
{
	if (!p->from_end) {
		gen_emit_note(e, "%zu bytes, %u behind the start", p->bytes.n, p->off);
		gen_bytes_emit(e, &p->bytes, p->off, fail);
		gen_bytes_reach_last(e, &p->bytes, p->off);
		return;
	}
	gen_emit_note(e, "%zu bytes, %u before the end, not before the start", p->bytes.n, p->off);
	gen_emit_op(e, CBPF_CODE_LD_LEN, 0);
	gen_emit_op(e, CBPF_CODE_ALU_SUB_K, (uint32_t)p->bytes.n + p->off);
	gen_emit_jump(e, CBPF_CODE_JGE_X, 0, false, fail);
	gen_emit_op(e, CBPF_CODE_TAX, 0);
	gen_bytes_reach_first(e, &p->bytes, 0);
	gen_bytes_emit(e, &p->bytes, 0, fail);
}

static int
payload_run(const struct gen_opts *opts, int argc, const char *const *argv, struct gen_out *ret_out,
	struct diag *diag)
{
	struct gen_emit e = GEN_EMIT_INIT;
	struct payload p = {.off = 0};
	int fail, r;

	r = read_args(argc, argv, &p, diag);
	if (r < 0)
		return r;
	fail = gen_emit_label(&e);
	emit_start(&e, opts, &p);
	emit_pattern(&e, &p, fail);
	gen_emit_ends(&e, opts, true, fail);
	r = gen_emit_done(&e, ret_out, diag);
	if (r == 0)
		ret_out->scope =
			(struct gen_scope){.proto = p.tcp ? 6 : 17, .no_later_fragments = true};
	gen_emit_fini(&e);
	return r;
}

const struct gen_type gen_payload = {
	.name = "payload",
	.help = "Match bytes in the payload of UDP or TCP.",
	.usage = "payload [--udp|--tcp] [--at N | --end | --before-end N] PATTERN\n"
		 "\n"
		 "  --udp, --tcp    whose payload (UDP)\n"
		 "  --at N          N bytes behind its start (0)\n"
		 "  --end           its last bytes\n"
		 "  --before-end N  N bytes before its end\n"
		 "  PATTERN         HEX, HEX/MASK or text:TEXT; in HEX x or ? is any digit\n"
		 "\n"
		 "  payload --end text:xyzzy   the magic word at the end\n"
		 "  payload --at 2 8000/f000   a DNS response with opcode 0 or 1\n"
		 "\n"
		 "Scope: UDP (--tcp: TCP), no later fragments.\n",
	.extensions = true,
	.run = payload_run,
};
