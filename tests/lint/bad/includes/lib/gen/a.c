// SPDX-License-Identifier: BSD-3-Clause
#include <pcap/pcap.h>
