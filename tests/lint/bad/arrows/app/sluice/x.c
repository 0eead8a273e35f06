// SPDX-License-Identifier: BSD-3-Clause
#include "dp/port.h"
#include "ctl/client.h"
