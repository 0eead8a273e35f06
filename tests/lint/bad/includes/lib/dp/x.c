// SPDX-License-Identifier: BSD-3-Clause
#include <linux/if_tun.h>
#include <rte_mbuf.h>
