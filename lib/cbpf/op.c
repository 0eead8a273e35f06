// SPDX-License-Identifier: BSD-3-Clause
#include "cbpf/insn.h"
#include "prog_impl.h"

const struct op_row op_rows[CBPF_OP_COUNT] = {
#define X(id, value, mnemonic, operand) \
	[CBPF_OP_##id] = {.name = (mnemonic), .form = FORM_##operand, .code = (value)},
	CBPF_OPCODES(X)
#undef X
};

enum cbpf_op
cbpf_op_of(uint16_t code)
{
	switch (code) {
#define X(id, value, name, form) \
	case value: return CBPF_OP_##id;
		CBPF_OPCODES(X)
#undef X
	}
	return CBPF_OP_COUNT;
}
