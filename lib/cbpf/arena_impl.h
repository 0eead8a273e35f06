/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_ARENA_IMPL_H
#define CBPF_ARENA_IMPL_H

#include <stddef.h>
#include <stdint.h>

struct cbpf_arena;

/*
 * Room for @bytes of code: the address to write them at, and in *@ret_exec the
 * one to run them at. NULL when the arena is full.
 */
uint8_t *arena_code_take(struct cbpf_arena *a, size_t bytes, const void **ret_exec);

#endif
