#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""smoke.py SLUICE-BENCH: its commands run, their JSON has what it should, our
engines are right, the pipeline drops all. Nothing is said of speed."""

import json
import os
import subprocess
import sys
import tempfile
import xml.dom.minidom

# A second build measures one family of three.
FAMILIES = ("five-tuple-fw", "dns-wildcard", "mixed-ranges")[:1 if os.environ.get("SLUICE_SHARE", "1") != "1" else 3]
ENGINES = ["interpreter", "jit", "libpcap", "rte_bpf", "rte_bpf_jit", "clang"]


def run(*args):
    done = subprocess.run([sys.argv[1], *args], capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout, done.stderr


def check(holds, what):
    if not holds:
        sys.exit(f"smoke: {what}")


def engines():
    status, out, err = run("engines", "--rounds", "1", "--json")
    check(status == 0, f"engines ends with {status}: {err}")
    report = json.loads(out)
    check(len(report["filters"]) == 5, "engines leaves a filter out")
    for one in report["filters"]:
        name, state = one["name"], one["state"]
        check(list(state) == ENGINES, f"{name}: engines are {list(state)}")
        for engine in ("interpreter", "jit", "libpcap"):
            check(state[engine] == "right", f"{name}: {engine} is {state[engine]}")
        check(state["clang"] in ("right", "absent"), f"{name}: clang is {state['clang']}")
        if name != "ret #0":
            check(0.9 < one["flood"]["match"] < 1, f"{name}: {one['flood']['match']} match")
        check(one["mixed"]["match"] < 0.5, f"{name}: {one['mixed']['match']} match")
        check(one["flood"]["jit"] > 0 and one["mixed"]["jit"] > 0, f"{name}: no time")


def pipeline():
    for rules in ("1", "3"):
        status, out, err = run("pipeline", "--no-huge", "--seconds", "1", "--json", "--rules", rules)
        check(status == 0, f"pipeline ends with {status}: {err}")
        report = json.loads(out)
        check(report["frames"] > 0 and report["mpps"] > 0, "pipeline: no frames")
        check(report["rules"] == int(rules), "pipeline: other rules")
        check(0.0005 < report["sampled"] < 0.002, f"pipeline: {report['sampled']} sampled")


def tools():
    with tempfile.TemporaryDirectory() as folder:
        status, out, err = run("tools", "--size", "1", "--rounds", "1", "--json", "--dir", folder)
        check(status == 0, f"tools ends with {status}: {err}")
        check(os.listdir(folder) == [], f"tools leaves {os.listdir(folder)}")
    report = json.loads(out)
    kinds = [(one["frames_of"], one["format"]) for one in report["captures"]]
    check(len(set(kinds)) == 6, f"tools: captures are {kinds}")
    for one in report["captures"]:
        check(one["bytes"] >= 1 << 20, f"tools: {one['bytes']} bytes")
        for cell in ("few", "null", "all", "verdicts", "rules"):
            check(one[cell]["gb_per_s"] > 0, f"tools: {cell}: no time")
    check(len(report["start_ms"]) > 12, f"tools: starts are {report['start_ms']}")
    status, _, err = run("tools", "--dir", "/nonexistent")
    check(status == 1 and "/nonexistent" in err, f"tools: no folder: exit {status}, '{err}'")


def rules():
    engines_of = {"match", "jit", "libpcap", "rte_bpf", "rte_packed", "c"}
    with tempfile.NamedTemporaryFile(suffix=".svg") as svg:
        status, out, err = run(
            "rules", "--families", ",".join(FAMILIES), "--sizes", "1,20",
            "--rounds", "1", "--json", "--plot", svg.name)
        check(status == 0, f"rules ends with {status}: {err}")
        dots = len(xml.dom.minidom.parse(svg.name).getElementsByTagName("circle"))
    report = json.loads(out)
    for one in report["results"]:
        check(one["state"] == "right" and one["ns"] > 0 or
              one["engine"] == "c" and one["state"] == "absent", f"rules: {one}")
        check(one["engine"] in engines_of | {"rte_acl"}, f"rules: {one}")
        low = {"flood": 0.9, "uniform": 0.99, "mixed": 0.3}.get(one["traffic"], 0)
        high = {"mixed": 0.5, "all-miss": 0.1}.get(one["traffic"], 1)
        check(low <= one["match"] <= high, f"rules: {one}")
    for one in report["builds"]:
        check(one["state"] != "right" or
              one["build_ms"] >= 0 and one["update_ms"] >= 0 and one["bytes"] > 0, f"rules: {one}")
    # Two sizes, five kinds of traffic, two caches, and rte_acl for five-tuples only.
    check(len(report["results"]) == 2 * 5 * 2 * (len(FAMILIES) * len(engines_of) + 1),
          f"rules: {len(report['results'])} results")
    check(dots >= 2 * len(FAMILIES) * 5, f"rules: {dots} dots in the plot")


def usage():
    for args in (["nothing"], [], ["engines", "--rounds"], ["engines", "--rounds", "0"],
                 ["pipeline", "--rules", "x"], ["frames"], ["frames", "-w", "-", "--kind", "x"], ["tools", "--frames", "x"]):
        status, _, err = run(*args)
        check(status == 2 and err != "", f"{args}: exit {status}, '{err}'")
    for args in (["--sizes", "0"], ["--sizes", "1,x"], ["--families", "dns"], ["--engines", ""],
                 ["--traffic", "flood,none"], ["--cache", "l4"]):
        status, _, err = run("rules", *args)
        check(status == 2 and err != "", f"rules {args}: exit {status}, '{err}'")
    for command in ("engines", "pipeline", "frames", "rules", "tools"):
        status, out, _ = run(command, "--help")
        check(status == 0 and out.startswith("usage: "), f"{command} --help: exit {status}")


usage()
engines()
pipeline()
rules()
tools()
