/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_DNS_TEXT_H
#define SLUICE_DNS_TEXT_H

/* A DNS message as text for people, in bpftools' layout. */

#include <stddef.h>
#include <stdint.h>

struct diag;
struct sbuf;

/*
 * Add all of the @n bytes at @msg to @out. Returns 0, or -EINVAL for a message
 * that is broken; @out then has what stands before that.
 */
int dns_text(const uint8_t *msg, size_t n, struct sbuf *out, struct diag *diag);

#endif
