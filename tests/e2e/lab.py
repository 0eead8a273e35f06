# SPDX-License-Identifier: BSD-3-Clause
"""A lab of network namespaces for the end-to-end tests and for scripts/run.

    with Lab("books") as lab:
        world, edge = lab.ns("world"), lab.ns("edge")
        lab.veth(world, "w0", edge, "e0")
        daemon = lab.sluiced(CONF, ns=edge)
        ...

Whatever happens inside the block (an exception, Ctrl-C, SIGTERM, SIGHUP), every
process that the lab started is ended and every namespace and file that it made
is removed. Should Python itself be killed, its processes end with it, and the
next lab removes the namespaces. Standard library only; needs root.
"""

import ctypes
import glob
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import frames

SKIPPED = 77
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
LONG = os.environ.get("SLUICE_LONG", "") not in ("", "0")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SLUICE_BUILD") or os.path.join(ROOT, "build")

_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something the lab needs did not happen; the text says what."""


def binary(name):
    """The path of one of the project's programs, in the build folder."""
    for path in sorted(glob.glob(os.path.join(BUILD, "app", "*", name))):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise LabError(f"{name} is not built in {BUILD} (meson compile -C {BUILD})")


def cpus():
    """The CPUs this process may use, smallest first."""
    return sorted(os.sched_getaffinity(0))


def until(predicate, seconds, what):
    """Ask @predicate again and again until it is true; its value. LabError after @seconds."""
    deadline = time.monotonic() + seconds
    nap = select.poll()
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"not within {seconds} s: {what}")
        nap.poll(5)


def settled(read, quiet_s=0.3, seconds=20, what="counters stand still"):
    """Wait until @read() has given the same value for @quiet_s; that value."""
    last, since = read(), time.monotonic()

    def still():
        nonlocal last, since
        now = read()
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since >= quiet_s

    until(still, seconds, what)
    return last


def run(*argv, check=True, timeout=60, **kw):
    """Run a program to its end; its CompletedProcess with text output."""
    kw.setdefault("stdin", subprocess.DEVNULL)
    if "input" in kw:
        del kw["stdin"]
    p = subprocess.run([str(a) for a in argv], text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=timeout, check=False, **kw)
    if check and p.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: exit {p.returncode}: "
                       f"{(p.stderr or p.stdout).strip()}")
    return p


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def set_nice(nice):
    """Run this process at @nice. Where the kernel groups processes by session, that counts
    only inside the group, so to go before others (a negative one) the group has to, too."""
    os.nice(nice)
    try:
        if nice < 0:
            with open("/proc/self/autogroup", "w", encoding="ascii") as f:
                f.write(str(nice))
    except OSError:
        pass


class Namespace:
    """A network namespace of the lab; `ip netns exec NAME` works from outside, too."""

    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"
        run("ip", "netns", "add", name)
        self.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        self.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        self.ip("link", "set", "lo", "up")

    def remove(self):
        run("ip", "netns", "del", self.name, check=False)

    def exists(self):
        return os.path.exists(self.path)

    def argv(self, *argv):
        """@argv, to be run in here."""
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, *argv, **kw):
        return run(*self.argv(*argv), **kw)

    def ip(self, *argv):
        """`ip` in here; cheaper than run("ip", …)."""
        return run("ip", "-n", self.name, *argv)

    def sysctl(self, key, value):
        self.run("sysctl", "-qw", f"{key}={value}")

    def ipv6(self, dev):
        """Switch IPv6 on for @dev; off is the default, against stray frames."""
        self.sysctl(f"net.ipv6.conf.{dev}.disable_ipv6", 0)

    def open_socket(self, *args):
        """A socket that lives in here."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(self.path, "rb") as there:
            _setns(there.fileno())
            try:
                return socket.socket(*args)
            finally:
                _setns(home.fileno())

    def wire(self, dev):
        """A raw socket on @dev."""
        return frames.Wire(
            self.open_socket(socket.AF_PACKET, socket.SOCK_RAW,
                             socket.htons(frames.ETH_P_ALL)), dev)

    def counters(self, dev):
        """The kernel's counters of @dev, as ip -s -j prints them: rx_packets, tx_dropped …"""
        link, = json.loads(self.ip("-s", "-j", "link", "show", "dev", dev).stdout)
        return {f"{way}_{key}": n for way in ("rx", "tx")
                for key, n in link["stats64"][way].items()}

    def devices(self):
        """The names of the interfaces in here."""
        return [x["ifname"] for x in json.loads(self.ip("-j", "link").stdout or "[]")]

    def mac(self, dev):
        link, = json.loads(self.ip("-j", "link", "show", "dev", dev).stdout)
        return link["address"]

    def nft(self, script):
        self.run("nft", "-f", "-", input=script)

    def nft_counter(self, family, table, name):
        """Packets of a named nft counter."""
        out = self.run("nft", "-j", "list", "counter", family, table, name).stdout
        return next(x["counter"]["packets"] for x in json.loads(out)["nftables"]
                    if "counter" in x)

    def ruleset(self):
        return self.run("nft", "list", "ruleset").stdout


class Proc:
    """A program the lab started; its output is in the file @log (with @pipe, what it
    writes to stdout is in the pipe popen.stdout instead)."""

    def __init__(self, argv, log, cpu=None, nice=0, env=None, death=signal.SIGKILL, pipe=False):
        parent = os.getpid()

        def prepare():
            _libc.prctl(PR_SET_PDEATHSIG, death)
            if os.getppid() != parent:
                os._exit(1)
            if cpu is not None:
                os.sched_setaffinity(0, cpu)
            if nice:
                set_nice(nice)

        self.argv = [str(a) for a in argv]
        self.log_path = log
        self.name = next((os.path.basename(a) for a in self.argv[4:5]
                          if self.argv[:3] == ["ip", "netns", "exec"]), self.argv[0])
        with open(log, "wb") as out:
            self.popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if pipe else out,
                stderr=out, env={**os.environ, **(env or {})}, preexec_fn=prepare,
                start_new_session=True)
        self.pid = self.popen.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def alive(self):
        return self.popen.poll() is None

    def send_signal(self, sig):
        if self.alive():
            self.popen.send_signal(sig)

    def wait(self, seconds):
        """The exit status; LabError if it still runs after @seconds."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name}: still runs after {seconds} s") from None

    def stop(self, sig=signal.SIGTERM, seconds=10):
        """End it, gently, then hard; the exit status."""
        self.send_signal(sig)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()


class Sluiced(Proc):
    """The daemon, with a configuration of its own. Ready when the constructor returns."""

    def __init__(self, lab, conf, ns=None, cpu=None, nice=0, seconds=30, wrap=()):
        self.serial = lab.serial()
        self.conf_path = os.path.join(lab.dir, f"sluiced{self.serial}.ini")
        self.socket_path = os.path.join(lab.dir, f"control{self.serial}.sock")
        self.write(conf)
        self.notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify = os.path.join(lab.dir, f"notify{self.serial}")
        self.notes.bind(notify)
        os.chmod(notify, 0o666) # the daemon may have become another user
        argv = [*wrap, binary("sluiced"), "-c", self.conf_path]
        super().__init__(ns.argv(*argv) if ns else argv,
                         os.path.join(lab.dir, f"sluiced{self.serial}.log"), cpu=cpu, nice=nice,
                         env={"NOTIFY_SOCKET": notify}, death=signal.SIGTERM)
        self.name = "sluiced"
        lab.own(self)
        self.told("READY=1", seconds)

    def write(self, conf):
        """Put @conf (text; sections [control] and [eal] are added if missing) in its file."""
        if "[control]" not in conf:
            conf += f"\n[control]\nsocket = {self.socket_path}\n"
        if "[eal]" not in conf:
            conf += "\n[eal]\nhugepages = no\n"
        temp = self.conf_path + ".new"
        with open(temp, "w", encoding="utf-8") as f:
            f.write(conf)
        os.rename(temp, self.conf_path)

    def _hear(self, seconds):
        # One notification's lines, or [] when the time is up or the daemon has ended.
        poller, deadline = select.poll(), time.monotonic() + seconds
        poller.register(self.notes, select.POLLIN)
        while True:
            if poller.poll(50):
                return self.notes.recv(65536).decode().splitlines()
            if not self.alive() or time.monotonic() > deadline:
                return []

    def told(self, line, seconds):
        """Wait until the daemon notifies @line; all lines heard until then."""
        deadline, heard = time.monotonic() + seconds, []
        while line not in heard:
            got = self._hear(max(0, deadline - time.monotonic()))
            if not got:
                how = "did not say " + line if self.alive() else f"ended ({self.popen.poll()})"
                raise LabError(f"sluiced {how}: {self.log().strip()}")
            heard += got
        return heard

    def reload(self, conf=None, seconds=30):
        """SIGHUP, optionally with a new text, and wait until it is in force or refused.

        Returns the lines notified: RELOADING=1 … READY=1 and what STATUS= said."""
        if conf is not None:
            self.write(conf)
        while self.notes in select.select([self.notes], [], [], 0)[0]:
            self.notes.recv(65536)
        self.send_signal(signal.SIGHUP)
        return self.told("READY=1", seconds)

    def ask(self, cmd, **kw):
        """One request over the control socket; its answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(10)
            s.connect(self.socket_path)
            s.sendall(json.dumps({"cmd": cmd, **kw}).encode() + b"\n")
            answer = s.makefile("rb").readline()
        got = json.loads(answer)
        if not got.get("ok", True):
            raise LabError(f"{cmd}: {got.get('error')}")
        return got

    def stats(self):
        """All counters, as `sluice stats --json` prints them."""
        return self.ask("stats")

    def port(self, name=None):
        """The counters of one port (the only one, by default)."""
        ports = self.stats()["ports"]
        return ports[name] if name else next(iter(ports.values()))

    def rule(self, name):
        return self.stats()["rules"][name]


# Losses on the way back to the wire; all others are of frames that came in.
BACKWARD = ("tx_full",)


def lost_inward(port):
    """The losses of a port's frames on their way in, by reason."""
    return {k: n for k, n in port["lost"].items() if k not in BACKWARD}


def accounted(port):
    """Frames of which a port's books say what became of them."""
    return port["dropped"] + port["limited"] + port["passed"] + sum(lost_inward(port).values())


class Lab:
    """What a test makes, and its end. A context manager; one at a time."""

    def __init__(self, tag):
        if not re.fullmatch(r"[a-z0-9]{1,12}", tag):
            raise ValueError(tag)
        self.tag = tag
        self.namespaces, self.procs = [], []
        self._serial = 0
        self._handlers = {}
        self.dir = None

    def __enter__(self):
        for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            self._handlers[sig] = signal.signal(sig, self._interrupted)
        _sweep()
        self.dir = tempfile.mkdtemp(prefix=f"slu-{self.tag}-{os.getpid()}-")
        return self

    def __exit__(self, *exc):
        # A second Ctrl-C must not leave half of it behind.
        for sig in self._handlers:
            signal.signal(sig, signal.SIG_IGN)
        try:
            self._tear_down()
        finally:
            for sig, handler in self._handlers.items():
                signal.signal(sig, handler)
        return False

    @staticmethod
    def _interrupted(sig, _frame):
        raise SystemExit(128 + sig)

    def _tear_down(self):
        for p in reversed(self.procs):
            p.stop()
        for ns in reversed(self.namespaces):
            ns.remove()
        shutil.rmtree(self.dir, ignore_errors=True)

    def serial(self):
        self._serial += 1
        return self._serial

    def own(self, proc):
        """End @proc with the lab."""
        self.procs.append(proc)
        return proc

    def ns(self, name):
        """A new namespace, slu-PID-NAME."""
        ns = Namespace.__new__(Namespace)
        ns.name = f"slu-{self.tag}-{os.getpid()}-{name}"
        self.namespaces.append(ns)
        ns.__init__(ns.name)
        return ns

    @staticmethod
    def veth(ns_a, dev_a, ns_b, dev_b, queues=1, mtu=1500):
        """A veth pair between two namespaces, up, without offloads or IPv6."""
        many = ["numrxqueues", str(queues), "numtxqueues", str(queues)]
        run("ip", "-n", ns_a.name, "link", "add", dev_a, *many, "mtu", mtu, "type", "veth",
            "peer", "name", dev_b, *many, "mtu", mtu, "netns", ns_b.name)
        for ns, dev in ((ns_a, dev_a), (ns_b, dev_b)):
            plain_offloads(ns, dev)
            ns.ip("link", "set", dev, "up")

    def spawn(self, *argv, ns=None, **kw):
        """Start a program; ended with the lab."""
        log = os.path.join(self.dir, f"proc{self.serial()}.log")
        return self.own(Proc(ns.argv(*argv) if ns else argv, log, **kw))

    def sluiced(self, conf, **kw):
        """Start the daemon and wait until it is ready."""
        return Sluiced(self, conf, **kw)

    def file(self, name, text=None):
        """A path in the lab's own folder, filled with @text if given."""
        path = os.path.join(self.dir, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        return path


def plain_offloads(ns, dev):
    """Checksums and segments as on a real wire; unknown features are no error."""
    for feature in ("rx", "tx", "sg", "tso", "gso", "gro", "txvlan", "rxvlan"):
        ns.run("ethtool", "-K", dev, feature, "off", check=False)


def _sweep():
    # What labs left whose process was killed hard: slu-TAG-PID-NAME.
    for folder, remove in (
            ("/run/netns", lambda path: run("ip", "netns", "del", os.path.basename(path),
                                            check=False)),
            (tempfile.gettempdir(), lambda path: shutil.rmtree(path, ignore_errors=True))):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            m = re.fullmatch(r"slu-[a-z0-9]+-(\d+)-\w+", name)
            if m and not os.path.exists(f"/proc/{m.group(1)}"):
                remove(os.path.join(folder, name))


def need_root():
    """Skip the test where namespaces cannot be made."""
    if os.geteuid() != 0:
        print("skipped: needs root (network namespaces)")
        sys.exit(SKIPPED)


def check(condition, what):
    """A finding of a test: @what should hold."""
    if not condition:
        raise AssertionError(what)


def equal(got, want, what):
    """A finding of a test: two values are the same."""
    if got != want:
        raise AssertionError(f"{what}: {got!r}, expected {want!r}")


def background(fn, *args):
    """Run @fn in a thread; call the result to wait for it and to get what it gave or raised."""
    box = {}

    def body():
        try:
            box["value"] = fn(*args)
        except BaseException as e:
            box["error"] = e

    thread = threading.Thread(target=body, daemon=True)
    thread.start()

    def join(seconds=120):
        thread.join(seconds)
        if thread.is_alive():
            raise LabError(f"{fn.__name__}: still runs after {seconds} s")
        if "error" in box:
            raise box["error"]
        return box.get("value")

    join.alive = thread.is_alive
    return join


def main(*tests):
    """Run test functions one after another, as TAP; the exit status says if all held."""
    need_root()
    tests = [t for t in tests if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        start, why = time.monotonic(), ""
        try:
            test()
        except (AssertionError, LabError, OSError, KeyError, ValueError,
                subprocess.SubprocessError) as e:
            failed += 1
            why = f"{type(e).__name__}: {e}"
        print(f"{'not ok' if why else 'ok'} {number} - {test.__name__} "
              f"# {time.monotonic() - start:.1f} s", flush=True)
        if why:
            print("# " + why.replace("\n", "\n# "), flush=True)
    sys.exit(1 if failed else 0)
