# SPDX-License-Identifier: BSD-3-Clause
"""sluice rules cost and dump of a running daemon, through reloads, and what
the daemon's log says of rules that can never decide."""

import json
import threading

import lab

PORT = "[port edge0]\ndevice = net_af_packet0,iface=e0\nexception = tap:sluice0\n"
# Rules that only differ in their names go to one table; the last one is behind another one.
NAMES = "".join(f"[rule r{i}]\nmatch = dns *.host{i:03}.example.uk\naction = drop\n"
                for i in range(200))
SHADOWED = "[rule late]\nmatch = dns *.host007.example.uk\naction = drop\n"


def sluice(daemon, *args, status=0):
    """What the command prints."""
    done = lab.run(lab.binary("sluice"), "rules", "-S", daemon.socket_path, *args, check=False)
    lab.equal(done.returncode, status, f"sluice rules {args}: {done.stderr}")
    return done.stdout if status == 0 else done.stderr


def told():
    """Every rule, its kernel and its nanoseconds; one rule; one stage; what there is not."""
    with lab.Lab("report") as it:
        world, edge = it.ns("world"), it.ns("edge")
        it.veth(world, "w0", edge, "e0")
        daemon = it.sluiced(PORT + NAMES + SHADOWED, ns=edge)
        text = sluice(daemon, "cost")
        lab.check(text.startswith("201 rules: ") and "\nbuild: " in text, text[:200])
        lab.equal(sum(line.startswith("r") for line in text.splitlines()), 200, "rules")
        got = json.loads(sluice(daemon, "cost", "--json"))
        lab.equal((got["version"], got["image"]["rules"], len(got["rules"])), (1, 201, 201), "JSON")
        lab.check(all(r["ns"] > 0 for r in got["rules"].values()), "all cost something")
        lab.check(got["image"]["bytes"] > 201 * 64 and got["image"]["worst_ns"] > 0, got["image"])
        # The last one is found by nobody: an earlier one takes its frames.
        lab.equal(got["rules"]["late"]["hit"], False, "late")
        one = sluice(daemon, "dump", "--rule", "r7")
        for stage in ("paths", "items", "clusters", "tables", "kernels"):
            part = sluice(daemon, "dump", "--rule", "r7", "--stage", stage)
            lab.check(part in one and f"== {stage}: " in one, stage)
        lab.check("r8" not in one and "rule r7: " in one, one)
        lab.equal(len(sluice(daemon, "dump", "--stage", "kernels").splitlines()), 201, "kernels")
        lab.check("there is no rule 'none'" in sluice(daemon, "dump", "--rule", "none", status=1),
                  "an unknown rule")
        lab.check("expected paths, items" in sluice(daemon, "dump", "--stage", "x", status=1),
                  "an unknown stage")
        for args in ({"what": "x"}, {"what": "dump", "form": "json"}, {"what": "cost", "form": "x"}):
            try:
                daemon.ask("rules", **args)
                raise AssertionError(f"{args} must be refused")
            except lab.LabError:
                pass
        log = daemon.log()
        lab.check("rule late can never decide: rule r7 covers it" in log, log)
        lab.equal(daemon.stop(), 0, "exit status")


def reloads():
    """Reports while reloads take rules and images away: each is of one of them, whole."""
    with lab.Lab("report") as it:
        world, edge = it.ns("world"), it.ns("edge")
        it.veth(world, "w0", edge, "e0")
        daemon = it.sluiced(PORT + NAMES, ns=edge)
        seen, busy, stop = set(), [0], threading.Event()

        def look():
            while not stop.is_set():
                try:
                    seen.add(len(daemon.ask("rules", what="cost", form="json")["rules"]))
                except lab.LabError as e:
                    lab.check("being made" in str(e), str(e))
                    busy[0] += 1

        lookers = [threading.Thread(target=look) for _ in range(3)]
        for t in lookers:
            t.start()
        for i in range(12):
            daemon.reload(PORT + NAMES + (SHADOWED if i % 2 == 0 else ""))
        stop.set()
        for t in lookers:
            t.join()
        lab.check(seen and seen <= {200, 201}, f"rules of reports: {seen}")
        print(f"  sizes {seen}, {busy[0]} found another one being made", flush=True)
        lab.equal(daemon.stop(), 0, "exit status")


lab.main(told, reloads)
