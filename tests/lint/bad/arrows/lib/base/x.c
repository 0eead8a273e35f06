// SPDX-License-Identifier: BSD-3-Clause
#include "cbpf/prog.h"
