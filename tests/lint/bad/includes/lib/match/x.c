// SPDX-License-Identifier: BSD-3-Clause
#include <linux/if_ether.h>
#include <pcap/pcap.h>
#include <rte_mbuf.h>
#include <stdio.h>

/* #include <rte_ether.h> in a comment */
