#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make a C string of a text file: embed.py TEXT NAME HEADER OUT."""

import sys

text, name, header, out = sys.argv[1:]
with open(text, encoding="ascii") as f:
    lines = f.read().split("\n")[:-1]
with open(out, "w", encoding="ascii") as f:
    f.write("// SPDX-License-Identifier: BSD-3-Clause\n")
    f.write(f'#include "{header}"\n\nconst char {name}[] =\n')
    for line in lines:
        quoted = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
        f.write(f'\t"{quoted}\\n"\n')
    f.write("\t;\n")
