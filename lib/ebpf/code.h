/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EBPF_CODE_H
#define EBPF_CODE_H

/* The bits of an eBPF opcode (Linux Documentation/bpf/standardization/instruction-set.rst). */

#include <stdint.h>

#define CLASS_LD 0x00
#define CLASS_LDX 0x01
#define CLASS_ST 0x02
#define CLASS_STX 0x03
#define CLASS_ALU 0x04
#define CLASS_JMP 0x05
#define CLASS_JMP32 0x06
#define CLASS_ALU64 0x07
#define CLASS_MASK 0x07

#define SRC_REG 0x08 /* of CLASS_ALU…, CLASS_JMP… */
#define ALU_END 0xd0

#define MODE_ABS 0x20 /* of CLASS_LD… and CLASS_ST… */
#define MODE_IND 0x40
#define MODE_MEM 0x60
#define MODE_ATOMIC 0xc0

#define CODE_LD_IMM64 0x18
#define CODE_JA 0x05
#define CODE_CALL 0x85
#define CODE_EXIT 0x95

/* The source register of CODE_LD_IMM64 says what the number is. */
#define PSEUDO_MAP_FD 1
#define PSEUDO_MAP_VALUE 2

#define LABEL_UNPLACED UINT32_MAX

#endif
