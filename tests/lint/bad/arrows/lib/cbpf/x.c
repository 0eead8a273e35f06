// SPDX-License-Identifier: BSD-3-Clause
#include "base/diag.h"
#include "cbpf/prog.h"
#include "match/image.h"
#include "../pkt/view.h"
#include <base/mem.h>
