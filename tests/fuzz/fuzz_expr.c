// SPDX-License-Identifier: BSD-3-Clause
/* Any text as a tcpdump expression, for raw IP and Ethernet: a valid program or a sentence. */
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "gen/gen.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int links[] = {12, 1};
	/* Short: libpcap's optimizer takes time that grows with the square, by design. */
	char *text = size <= 200 ? mem_strndup((const char *)data, size) : NULL;

	if (text == NULL)
		return 0;
	for (size_t i = 0; i < DIM(links); i++) {
		struct cbpf_insn *insns = NULL;
		struct cbpf_prog *prog = NULL;
		struct diag d = {0};
		size_t n = 0;

		if (gen_expr(text, links[i], &insns, &n, &d) < 0) {
			fuzz_check(insns == NULL && d.msg[0] != '\0');
			continue;
		}
		fuzz_check(cbpf_prog_new(insns, n, &prog, NULL) == 0);
		(void)cbpf_run(prog, data, (uint32_t)size, (uint32_t)size);
		cbpf_prog_free(prog);
		mem_free(insns);
	}
	mem_free(text);
	return 0;
}
