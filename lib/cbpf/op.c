// SPDX-License-Identifier: BSD-3-Clause
#include "cbpf/insn.h"

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
