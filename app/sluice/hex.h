/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_HEX_H
#define SLUICE_HEX_H

/* Bytes as the two digits each that pcap2hex, hex2pcap, parsedns and offset speak. */

#include <stddef.h>
#include <stdint.h>

struct sbuf;

void hex_add(struct sbuf *b, const uint8_t *bytes, size_t n);

#endif
