#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""oracle.py [--calls N] [--at C,...] [--wirespan OPTION]... [ROW...]: the tree that is inferred, against that of an SDK in the process.

Each row is a server with OpenTelemetry's own SDK (tests/progs/runtimes/otel-*), which exports to
tests/e2e/sink.py. It runs twice under `wirespan trace --json`:

inferred  with --no-header-links: a call's parent by inference is to be the request that it is by the SDK
header    as is: a call's parent is the SDK's own span of the same call, whose request is the very same,
          and no inference contradicts what the headers say (wirespan.link.conflict)

The id in the query string of request and call joins the spans of the two; the tracer never uses it.

right     both have the same parent
contrary  they differ
unknown   a call without a parent
missing   a call that one of the two has not told of
exports   the SDK's own calls that were taken for a request's: one that fills the batch sends it at once, in
          the midst of what it does; any other is contrary

A second of warming up is judged for contrary ones only.

Exit status: 0 none contrary, no conflict, and as many right as the row demands; 1 otherwise; 2 usage.
"""
import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

import rows

SERVER, CLIENT = 2, 3
# row: folder, mode, least share of right parents, in percent, as inferred
ROWS = {
    "flask": ("otel-flask", "two", 99),
    "flask-pool": ("otel-flask", "pool", 95),
    "express": ("otel-express", "two", 99),
    "express-parallel": ("otel-express", "parallel", 99),
    "express-await": ("otel-express", "await", 0),
    "go-http": ("otel-go", "two", 99),
    "go-http-parallel": ("otel-go", "parallel", 95),
    "spring": ("otel-spring", "two", 99),
    "spring-pool": ("otel-spring", "pool", 95),
}
CALLS = 2  # of a request
FULL = 512  # spans: OTEL_BSP_MAX_EXPORT_BATCH_SIZE as it is unless set
VERDICTS = ("right", "contrary", "unknown", "missing", "exports")
SDK = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_TRACES_SAMPLER": "always_on",
       "OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_BSP_MAX_QUEUE_SIZE": "65536", "OTEL_SERVICE_NAME": "front"}


class Sink:
    """tests/e2e/sink.py, as long as the block runs."""

    def __enter__(self):
        self.place = tempfile.TemporaryDirectory()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.process = subprocess.Popen([os.path.join(rows.ROOT, "tests/e2e/sink.py"), self.place.name, str(self.port)])
        end = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", self.port)):
            if time.monotonic() > end:
                raise SystemExit("oracle: the sink does not listen")
            time.sleep(0.02)
        return self

    def __exit__(self, *why):
        self.process.terminate()
        self.process.wait()
        self.place.cleanup()

    def lines(self, name):
        path = os.path.join(self.place.name, name)
        return [json.loads(line) for line in open(path)] if os.path.exists(path) else []


def key_of(span):
    """What joins the spans of one call, or of one request: its id, and its number among the calls of the request."""
    text = " ".join(str(span["attributes"].get(k, "")) for k in ("url.query", "url.full", "http.url", "http.target"))
    found = re.search(r"\bid=([rw]-\d+)(?:&n=(\d))?", text)
    return found and (found[1], found[2])


def is_call(span):
    return span["kind"] == CLIENT and (key_of(span) or ("", None))[1] is not None


def request_above(span, by_id):
    """The request that the span is for, over what is neither; None: not known."""
    while span and span["kind"] != SERVER:
        span = by_id.get(span.get("parentSpanId"))
    return span and key_of(span) and key_of(span)[0]


def parents(spans):
    by_id = {s["spanId"]: s for s in spans}
    found = {}
    for s in filter(is_call, spans):
        found.setdefault(key_of(s), []).append(request_above(by_id.get(s.get("parentSpanId")), by_id))
    return found


def judge_inferred(ours, theirs, full):
    count, faults = dict.fromkeys(VERDICTS, 0), []
    of_sdk, of_us = parents(theirs), parents(ours)
    for key in of_sdk.keys() | of_us.keys():
        a, b = of_us.get(key, []), of_sdk.get(key, [])
        verdicts = ["missing"] * abs(len(a) - len(b))
        for mine, its in zip(sorted(a, key=str), sorted(b, key=str)):
            verdicts.append("unknown" if mine is None else "right" if mine == its else "contrary")
            if verdicts[-1] == "contrary":
                faults.append(f"call {key}: {mine} by inference, {its} by the SDK")
        for v in verdicts:
            count[v] += key[0].startswith("r") or v == "contrary"
    exports = [s for s in ours if s["attributes"].get("url.path") == "/v1/traces" and s["kind"] == CLIENT]
    owned = [s for s in exports if s.get("parentSpanId")]
    count["exports"] = len(owned)
    if len(owned) > full:
        count["contrary"] += len(owned) - full
        faults.append(f"{len(owned)} exports of {len(exports)} are taken for calls of requests; {full} batches were full; "
                      f"by {owned[0]['attributes']['wirespan.link.evidence']}")
    return count, faults


def judge_header(ours, theirs):
    count, faults = dict.fromkeys(VERDICTS, 0), []
    by_id = {s["spanId"]: s for s in theirs}
    for s in filter(is_call, ours):
        parent = by_id.get(s.get("parentSpanId"))
        verdict = "unknown"
        if s["attributes"].get("wirespan.link.evidence") == "header" and parent:
            good = key_of(parent) == key_of(s) and request_above(parent, by_id) == key_of(s)[0]
            verdict = "right" if good else "contrary"
            if not good:
                faults.append(f"call {key_of(s)}: by header a child of {key_of(parent)}")
        count[verdict] += key_of(s)[0].startswith("r") or verdict == "contrary"
    for s in ours:
        if "wirespan.link.conflict" in s["attributes"]:
            count["contrary"] += 1
            faults.append(f"call {key_of(s)}: inference contradicts the header: {s['attributes']['wirespan.link.conflict']}")
    return count, faults


def run(name, load, how, o):
    folder, mode, least = ROWS[name]
    row = {"folder": folder, "mode": mode, "calls": CALLS, "options": []}
    options = o.wirespan + (["--no-header-links"] if how == "inferred" else [])
    with Sink() as sink:
        os.environ.update(SDK, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{sink.port}",
                          OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://127.0.0.1:{sink.port}/v1/traces")
        requests, ours, _ = rows.trace(row, load, o.calls, options)
        theirs, full = sink.lines("spans"), sum(len(p["spans"]) >= FULL for p in sink.lines("posts"))
    if isinstance(ours, str):
        print(f"{name:20}{load:>5}  {ours}")
        return False
    count, faults = judge_inferred(ours, theirs, full) if how == "inferred" else judge_header(ours, theirs)
    wanted = requests * CALLS
    known = sum(1 for s in theirs if is_call(s) and key_of(s)[0].startswith("r"))
    share = 100 * count["right"] / max(1, sum(count.values()) - count["exports"])
    good = not count["contrary"] and known >= wanted * 0.99 and share >= (least if how == "inferred" else 99)
    print(f"{name:20}{load:>5} {how:>9}" + "".join(f"{n:10}" for n in count.values()) + f"{share:8.1f} %  {'ok' if good else 'NOT OK'}", flush=True)
    if known < wanted * 0.99:
        print(f"    the SDK has told of {known} calls instead of {wanted}")
    for fault in faults[:3]:
        print("    " + fault)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--at", default="1,16,64")
    parser.add_argument("--wirespan", action="append", default=[])
    parser.add_argument("row", nargs="*")
    o = parser.parse_args()
    unknown = set(o.row) - set(ROWS) or set(o.at.split(",")) - set(rows.LOADS)
    if unknown:
        parser.error(f"no such row or load: {', '.join(unknown)}")
    chosen = [name for name in ROWS if not o.row or name in o.row]
    for folder in ["common"] + sorted({ROWS[name][0] for name in chosen}):
        rows.build(folder)
    print(f"{'row':20}{'at':>5}{'tree':>10}" + "".join(f"{v:>10}" for v in VERDICTS) + f"{'right':>8}")
    results = [run(name, load, how, o) for name in chosen for load in o.at.split(",") for how in ("inferred", "header")]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
