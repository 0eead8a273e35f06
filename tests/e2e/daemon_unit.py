#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The systemd unit and the user it wants, judged by systemd's own tools. Needs no root."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import lab


def main():
    if shutil.which("systemd-analyze") is None or shutil.which("systemd-sysusers") is None:
        print("skipped: no systemd here")
        sys.exit(lab.SKIPPED)
    with open(os.path.join(lab.BUILD, "conf", "sluiced.service"), encoding="utf-8") as f:
        unit = f.read()
    # The unit names where the daemon will be installed; for the check it is built only.
    unit, n = re.subn(r"(?m)^ExecStart=\S+/sluiced ", f"ExecStart={lab.binary('sluiced')} ", unit)
    lab.equal(n, 1, "one ExecStart= with the daemon")
    with tempfile.TemporaryDirectory(prefix="slu-") as folder:
        path = os.path.join(folder, "sluiced.service")
        with open(path, "w", encoding="utf-8") as f:
            f.write(unit)
        p = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True,
                           check=False)
        lab.equal((p.returncode, p.stderr), (0, ""), "systemd-analyze verify")
        with open(path, "a", encoding="utf-8") as f:
            f.write("[Service]\nRestrartSec=1\n")
        p = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True,
                           check=False)
        lab.check("RestrartSec" in p.stderr, "a misspelt key is noticed")
    p = subprocess.run(["systemd-sysusers", "--dry-run",
                        os.path.join(lab.ROOT, "conf", "sluice.sysusers")],
                       capture_output=True, text=True, check=False)
    lab.equal(p.returncode, 0, f"systemd-sysusers: {p.stderr}")
    print("ok")


main()
