#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""scripts/run: what it promises in its last line, and that it leaves nothing."""

import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import frames
import lab

RUN = os.path.join(lab.ROOT, "scripts", "run")
SECONDS = 5 if lab.LONG else 3
KEYS = ["flood_pps", "answered_quiet", "answered_flood", "answered_rule", "rx", "dropped",
        "passed", "sampled", "lost", "unaccounted", "samples_file"]


def run(*argv, wrap=(), status=0, seconds=240, **kw):
    """scripts/run to its end; what it printed."""
    p = lab.run(*wrap, RUN, *argv, check=False, timeout=seconds,
                env={**os.environ, "SLUICE_BUILD": lab.BUILD}, **kw)
    lab.equal(p.returncode, status, f"exit status of scripts/run {argv}: {p.stdout}{p.stderr}")
    return p


def figures(stdout):
    """The object of the last line, its keys checked."""
    out = json.loads(stdout.splitlines()[-1])
    print("  " + json.dumps(out), flush=True)
    lab.equal(list(out), KEYS, "keys of the last line")
    lab.equal(out["unaccounted"], 0, "frames unaccounted for")
    return out


def namespaces():
    """Labs that are there now, with the processes that made them."""
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    return {n for n in names if n.startswith("slu-run-")}


def with_lab():
    """The flood is absorbed, the clients keep their answers."""
    p = run("--seconds", SECONDS)
    out = figures(p.stdout)
    lab.check(out["flood_pps"] >= 200000, "a flood of 200 kpps or more")
    lab.check(out["answered_quiet"] >= 0.99, "quiet: 99 % answered")
    lab.check(out["answered_flood"] <= 0.30, "flood without rule: at most 30 % answered")
    lab.check(out["answered_rule"] >= 0.99, "flood with the rule: 99 % answered")
    lab.check(out["dropped"] > 150000 * SECONDS, "the flood was dropped")
    lab.check(out["sampled"] > 0, "frames were sampled")
    rows = re.findall(r"^ *\d+  (quiet|flood, no rule|flood, rule|quiet again) +\d", p.stdout, re.M)
    lab.equal(sorted(set(rows)), ["flood, no rule", "flood, rule", "quiet", "quiet again"],
              "phases in the table")
    text = lab.run("tshark", "-r", out["samples_file"], "-T", "fields", "-e",
                   "frame.comment").stdout.splitlines()
    lab.equal(len(text), out["sampled"], "samples in the file")
    lab.check(all("verdict=" in x for x in text), "each sample says what became of its frame")
    lab.check(any("verdict=drop" in x and "rule=random-subdomains" in x for x in text),
              "a sample of the flood names the rule that dropped it")


def unplugged():
    """Without exception path nobody gets an answer."""
    out = figures(run("--seconds", 1, "--unplugged").stdout)
    lab.equal(out["answered_rule"], 0, "answered_rule")
    lab.equal(out["passed"], 0, "passed")


def without_root():
    """As an unprivileged user, from a folder of the user's own."""
    with lab.Lab("norun") as it:
        user = pwd.getpwnam("nobody")
        home = it.file("home")
        os.chmod(it.dir, 0o755)
        os.mkdir(home)
        os.chown(home, user.pw_uid, user.pw_gid)
        shutil.copytree(os.path.join(lab.ROOT, "scripts"), os.path.join(home, "scripts"))
        shutil.copytree(os.path.join(lab.ROOT, "tests", "e2e"), os.path.join(home, "tests", "e2e"))
        build = os.path.join(home, "build")
        for name in ("sluiced", "sluice", "sluice-bench"):
            os.makedirs(os.path.join(build, "app", name))
            shutil.copy2(lab.binary(name), os.path.join(build, "app", name, name))
        lab.run("chown", "-R", f"{user.pw_uid}:{user.pw_gid}", home)
        p = lab.run("setpriv", "--reuid", user.pw_uid, "--regid", user.pw_gid, "--clear-groups",
                    "--no-new-privs", os.path.join(home, "scripts", "run"), "--no-root",
                    "--seconds", 1, cwd=home, timeout=120, check=False,
                    env={"PATH": os.environ["PATH"], "HOME": home, "SLUICE_BUILD": build,
                         "LANG": "C.UTF-8"})
        lab.equal(p.returncode, 0, f"exit status: {p.stdout}{p.stderr}")
        out = figures(p.stdout)
        lab.equal([out[k] for k in KEYS[1:4]], [None] * 3, "answered, without clients")
        lab.check(out["dropped"] > 0 and out["passed"] > 0, "both verdicts were seen")
        lab.check(os.path.getsize(out["samples_file"]) > 0, "samples are in a file")
        survivors = os.path.join(os.path.dirname(out["samples_file"]), "run-survivors.pcap")
        got = frames.read_pcap(survivors)
        lab.equal(len(got), out["passed"], "survivors in the file")
        lab.check(not any(b"\3www\7example\2uk\0" in f and f[54] != 3 for f in got),
                  "no frame of the flood survived")


def own_configuration():
    """-c FILE is the daemon itself: it says when it is ready, and ends well on SIGTERM."""
    with lab.Lab("ownrun") as it:
        frames.write_pcap(it.file("in.pcap"), [frames.dns4("a.example.uk", "192.0.2.1",
                                                           "192.0.2.2")])
        conf = it.file("real.ini", f"""[port p]
device = net_pcap0,rx_pcap={it.file("in.pcap")},tx_pcap={it.file("out.pcap")}
exception = port:p
[control]
socket = {it.file("control.sock")}
[eal]
hugepages = no
""")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notes:
            notes.bind(it.file("notify"))
            notes.settimeout(30)
            p = it.spawn(RUN, "-c", conf, env={"SLUICE_BUILD": lab.BUILD,
                                               "NOTIFY_SOCKET": it.file("notify")})
            lab.check(b"READY=1" in notes.recv(4096), f"ready: {p.log()}")
        lab.equal(p.stop(), 0, f"exit status after SIGTERM: {p.log()}")
        lab.equal(len(frames.read_pcap(it.file("out.pcap"))), 1, "frames that passed")


def refuses():
    """Bad usage is one clear line and status 2; the lab without root is one, too."""
    for argv in (["--seconds", "0"], ["--device", "net"], ["--what"], ["--pps"],
                 ["-c", "/nonexistent"]):
        p = run(*argv, status=2)
        lab.equal((p.stdout, p.stderr.count("\n")), ("", 1), f"output of {argv}")
    # No root, but able to read a checkout in a folder that only root may enter.
    p = run(wrap=("setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps",
                  "+dac_read_search", "--ambient-caps", "+dac_read_search"), status=1)
    lab.check(p.stderr.count("\n") == 1 and "--no-root" in p.stderr, p.stderr)


def interrupted():
    """Ctrl-C in the quiet, SIGTERM in the flood: nothing is left, the status says it."""
    for sig, seconds, row in ((signal.SIGINT, 60, " quiet "),
                              (signal.SIGTERM, 2, " flood, no rule ")):
        before = namespaces()
        with subprocess.Popen([RUN, "--seconds", str(seconds)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, "SLUICE_BUILD": lab.BUILD}) as p:
            made = set()
            for line in p.stdout:
                if row in line:
                    made = namespaces() - before
                    p.send_signal(sig)
                    break
            rest = p.stdout.read()
            p.wait(30)
        lab.equal(p.returncode, 128 + sig, f"exit status after signal {sig}: {rest}")
        made = {n for n in made if n.split("-")[2] == str(p.pid)}
        lab.equal(len(made), 3, "namespaces of the lab")
        lab.equal(namespaces() & made, set(), f"namespaces left after signal {sig}")
        left = [d for d in os.listdir(tempfile.gettempdir())
                if d.startswith(f"slu-run-{p.pid}-")]
        lab.equal(left, [], f"folders left after signal {sig}")
        left = [c for c in os.listdir("/proc")
                if c.isdigit() and _belongs(c, f"slu-run-{p.pid}-")]
        lab.equal(left, [], f"processes left after signal {sig}")


def _belongs(pid, mark):
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as f:
            return mark in f.read()
    except OSError:
        return False


lab.main(with_lab, unplugged, without_root, own_configuration, refuses, interrupted)
