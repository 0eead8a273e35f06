/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_Y_H
#define CBPF_Y_H

#include "pkt/view.h"

#endif
