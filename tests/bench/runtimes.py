#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""runtimes.py [--pairs 3] [--slice 2] [ROW...]: what following a runtime costs, in CPU of the traced server a request.

For each row of tests/progs/runtimes/rows: slices without an agent, with one that leaves the runtime alone
(--no-runtime-probes; not where it has nothing to leave), and with one that follows it; the same load in each
(wrk, 16 connections). Eight minutes. Medians, and the quartiles of the differences, as lines for OVERHEAD in man/wirespan.8:

untraced  CPU of the server, us a request
tracing   what copying bytes and clocks adds
following what the mechanism adds to that; "-": it is a part of tracing
"""
import argparse
import glob
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(ROOT, "tests/truth"))
import rows as truth

# row: how it is followed; does --no-runtime-probes leave that away?
ROWS = {
    "thread": ("a thread a request", False),
    "submit": ("wakes, of a pool in C", False),
    "java-submit": ("tasks and wakes, of a pool in Java", True),
    "nginx-keep": ("event loop of C", False),
    "haproxy-shared": ("HAProxy's tasks", True),
    "tokio": ("tasks of tokio", True),
    "axum": ("axum and reqwest", True),
    "node": ("Node.js", True),
    "node-pg-json": ("Node.js, pg, 5 KiB of JSON", True),
    "node-redis-cache": ("Node.js, ioredis and a call", True),
    "asyncio": ("CPython's contexts", True),
    "asyncio-gather": ("CPython's, and which made which", True),
    "go-own": ("goroutine ids", False),
    "go": ("hand-offs of net/http", True),
    "go-json": ("the same, 5 KiB of JSON", True),
    "go-json-sql": ("database/sql, 5 KiB of JSON", True),
    "go-queue": ("hand-offs, and channels' buffers", True),
}
TICK = os.sysconf("SC_CLK_TCK")
WARM_S = 2


def stat(pid):
    return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()


def tree(pid):
    """A server's processes."""
    found = [pid]
    for path in glob.glob("/proc/[0-9]*"):
        try:
            if int(stat(path[6:])[1]) == pid:
                found.append(int(path[6:]))
        except OSError:
            pass
    return found


def cpu_s(pids):
    return sum(int(n) for pid in pids for n in stat(pid)[11:13]) / TICK


def wait_for(port):
    end = time.monotonic() + 20
    while subprocess.run(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"], stderr=subprocess.DEVNULL).returncode:
        if time.monotonic() > end:
            raise SystemExit(f"runtimes: nobody listens on port {port}")
        time.sleep(0.05)


def load(port, seconds):
    text = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}", f"http://127.0.0.1:{port}/a?id=r-000001"], text=True,
                          capture_output=True, check=True).stdout
    return int(re.search(r"(\d+) requests in", text)[1])


def slice_of(pids, port, seconds, options):
    """CPU of the server a request, us; options None: no agent."""
    agent = None
    if options is not None:
        chosen = [word for pid in pids for word in ("--pid", str(pid))]
        agent = subprocess.Popen([os.path.join(ROOT, "build/wirespan"), "trace", "--json", *chosen, *options],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while "ready" not in (line := agent.stderr.readline()):
            if not line:
                raise SystemExit("runtimes: the agent has ended")
    try:
        load(port, WARM_S if options == [] else 1)  # until the probes are there
        before = cpu_s(pids)
        requests = load(port, seconds)
        return (cpu_s(pids) - before) / requests * 1e6
    finally:
        if agent:
            agent.send_signal(signal.SIGTERM)
            agent.communicate()


def slices(row, ways, pairs, seconds, scratch):
    up, front = random.sample(range(10000, 32000), 2)
    env = dict(os.environ, HERE=truth.HERE, ROOT=ROOT, BUILD=os.path.join(truth.BUILD, row["folder"]), SCRATCH=scratch)
    servers = [subprocess.Popen([os.path.join(truth.BUILD, "common/up"), str(up)]),
               subprocess.Popen([os.path.join(truth.HERE, row["folder"], "start"), str(front), str(up), "16", row["mode"]], env=env)]
    try:
        wait_for(up)
        wait_for(front)
        load(front, 8 if row["folder"] == "java" else WARM_S)  # what is compiled or started by the first requests
        pids = tree(servers[1].pid)
        return [[slice_of(pids, front, seconds, o) for o in ways] for _ in range(pairs)]
    finally:
        for s in servers:
            s.terminate()
            s.wait()


def difference(found, a, b):
    """Of columns: the median, and the quartiles of the pairs."""
    d = sorted(p[b] - p[a] for p in found)
    return f"{statistics.median(d):+.1f} ({d[len(d) // 4]:+.0f}..{d[-1 - len(d) // 4]:+.0f})"


def measure(row, how, apart, o):
    ways = [None, ["--no-runtime-probes"], []] if apart else [None, []]
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        found = slices(row, ways, o.pairs, o.slice, scratch)
    base = statistics.median(p[0] for p in found)
    added = statistics.median(p[-1] - p[0] for p in found)
    print(f"{how:31}{base:8.0f}  {difference(found, 0, 1):16}{difference(found, 1, 2) if apart else '-':16}{100 * added / base:+4.0f} %",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--slice", type=int, default=2)
    parser.add_argument("row", nargs="*")
    o = parser.parse_args()
    known = {r["row"]: r for r in truth.rows()}
    unknown = set(o.row) - set(known)
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}")
    chosen = [known[name] for name in o.row or ROWS if name in known]
    for folder in ["common"] + sorted({r["folder"] for r in chosen}):
        truth.build(folder)
    print(f"{'us of CPU a request':31}{'untraced':>8}  {'tracing':16}{'following':16}   sum")
    for row in chosen:
        how, apart = ROWS.get(row["row"], (row["row"], True))
        measure(row, how, apart and "--no-runtime-probes" not in row["options"], o)


main()
