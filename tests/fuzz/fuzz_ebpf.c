// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any program as eBPF, in its three forms, on a machine that allows only what the
 * verifier would: the verdict is the interpreter's, on frames of several lengths.
 * What Linux says of such code is shown by tests/engines/test_ebpf.c.
 */
#include <stdbool.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "ebpf/lower.h"
#include "ebpf/object.h"
#include "ebpf_machine.h"
#include "pkt/view.h"

#include "fuzz.h"
#include "fuzz_prog.h"

#define FRAME_MAX 512 /* bytes */

struct form {
	bool xdp;
	enum ebpf_sees sees;
};

/* What a program of @form must say to the frame. */
static uint32_t
wanted(const struct cbpf_prog *prog, const struct form *form, const uint8_t *frame, uint32_t n)
{
	struct pkt_view v;

	if (!form->xdp)
		return cbpf_run(prog, frame, n, n);
	if (form->sees == EBPF_SEES_FRAME)
		return cbpf_run(prog, frame, n, n) != 0 ? EBPF_XDP_DROP : EBPF_XDP_PASS;
	pkt_parse_ether(frame, n, n, &v);
	if (v.family == 0 || (form->sees == EBPF_SEES_IP6 && v.family != 6))
		return EBPF_XDP_PASS;
	return cbpf_run(prog, frame + v.l3_off, v.l3_caplen, v.l3_len) != 0 ? EBPF_XDP_DROP
									    : EBPF_XDP_PASS;
}

static void
check_form(const struct cbpf_prog *prog, const struct form *form, const uint8_t *frame, size_t len)
{
	struct ebpf_asm a;

	ebpf_asm_init(&a);
	if (form->xdp)
		ebpf_lower_xdp(&a, prog, form->sees, EBPF_XDP_DROP, EBPF_XDP_PASS);
	else
		ebpf_lower_socket(&a, prog);
	fuzz_check(ebpf_asm_finish(&a, NULL) == 0);
	for (size_t i = 0; i < 8; i++) {
		/* All of it, a little less, and down to nothing. */
		const uint32_t n = (uint32_t)(i < 4 ? len - MIN(i, len) : len * (8 - i) / 5);

		fuzz_check(ebpf_machine_run(a.insns.v, a.insns.n, form->xdp, frame, n) ==
			wanted(prog, form, frame, n));
	}
	ebpf_asm_fini(&a);
}

static void
check_object(const struct cbpf_prog *prog)
{
	struct sbuf out = SBUF_INIT;
	size_t off, n;

	fuzz_check(ebpf_write_filter(prog, EBPF_SEES_DATAGRAM, &out, NULL) == 0);
	fuzz_check(ebpf_file_find(out.s, out.len, "_license", &off, &n) == 0 && off + n <= out.len);
	sbuf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct form forms[] = {
		{false, EBPF_SEES_FRAME},
		{true, EBPF_SEES_FRAME},
		{true, EBPF_SEES_DATAGRAM},
		{true, EBPF_SEES_IP6},
	};
	struct cbpf_prog *prog;
	const uint8_t *frame;
	size_t len, off, n;

	/* Files from anywhere, too. */
	(void)ebpf_file_find(data, size, "switches", &off, &n);
	prog = fuzz_prog(data, size, &frame, &len);
	if (prog == NULL)
		return 0;
	for (size_t i = 0; i < DIM(forms); i++)
		check_form(prog, &forms[i], frame, MIN(len, (size_t)FRAME_MAX));
	if (size % 8 == 0)
		check_object(prog);
	cbpf_prog_free(prog);
	return 0;
}
