#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""check_spans.py FILE [CHECK]...: is every line of `wirespan ... --json` a span as it should be?

  keys     OTLP/JSON's names are all there, attributes and resource are plain objects, kind a number
  ids      hex of the right length, not all zero, no span twice
  times    decimal nanoseconds as text, start <= end
  parents  every parentSpanId names a span of the file, of the same trace
  nesting  a span whose parent is in the file lies within it
  whole    the same, but for spans that carry wirespan.incomplete, or whose parent does
  network  network.local.* and network.peer.* on every span; both ends of a connection mirror each other
  names    attributes and names by the semantic conventions for HTTP and databases
  why      every span says its evidence, and a span without parent says root, unknown or header

Without CHECK: all. Prints the first few faults of each. A check that found nothing to judge fails.
Exit status: 0 fine, 1 faults.
"""
import ipaddress
import json
import re
import sys

SERVER, CLIENT = 2, 3
KEYS = {"traceId": str, "spanId": str, "parentSpanId": str, "name": str, "kind": int, "startTimeUnixNano": str,
        "endTimeUnixNano": str, "status": dict, "events": list, "links": list, "attributes": dict, "resource": dict}
EVIDENCE = {"root", "header", "connection", "thread", "event-loop", "turn", "goroutine", "coroutine", "callback", "wake", "answer", "unknown"}


def label(s):
    return f"{s['resource'].get('service.name')} {s.get('name')} {s.get('spanId')}"


def check_keys(spans, by_id):
    for s in spans:
        for key, kind in KEYS.items():
            yield type(s.get(key)) is kind, f"{label(s)}: {key} is {s.get(key)!r}"
        yield s["kind"] in (SERVER, CLIENT), f"{label(s)}: kind {s['kind']}"
        yield s["status"].get("code", 0) in (0, 1, 2), f"{label(s)}: status {s['status']}"
        for where in ("attributes", "resource"):
            for key, value in s[where].items():
                yield isinstance(value, (str, int, float, bool)), f"{label(s)}: {where} {key} is {value!r}"


def check_ids(spans, by_id):
    seen = set()
    for s in spans:
        yield re.fullmatch(r"(?!0*$)[0-9a-f]{32}", s["traceId"]), f"{label(s)}: traceId {s['traceId']!r}"
        yield re.fullmatch(r"(?!0*$)[0-9a-f]{16}", s["spanId"]), f"{label(s)}: spanId {s['spanId']!r}"
        yield re.fullmatch(r"|(?!0*$)[0-9a-f]{16}", s["parentSpanId"]), f"{label(s)}: parentSpanId {s['parentSpanId']!r}"
        yield s["spanId"] not in seen, f"{label(s)}: is there twice"
        seen.add(s["spanId"])


def check_times(spans, by_id):
    for s in spans:
        start, end = s["startTimeUnixNano"], s["endTimeUnixNano"]
        yield start.isdecimal() and end.isdecimal() and len(start) == 19, f"{label(s)}: {start} to {end}"
        yield int(start) <= int(end), f"{label(s)}: ends {int(start) - int(end)} ns before it starts"


def check_parents(spans, by_id):
    for s in spans:
        if s["parentSpanId"]:
            parent = by_id.get(s["parentSpanId"])
            yield parent, f"{label(s)}: parent {s['parentSpanId']} is not in the file"
            yield not parent or parent["traceId"] == s["traceId"], f"{label(s)}: parent is of another trace"


def check_nesting(spans, by_id):
    for s in spans:
        parent = by_id.get(s["parentSpanId"])
        if not parent:
            continue
        early = int(parent["startTimeUnixNano"]) - int(s["startTimeUnixNano"])
        late = int(s["endTimeUnixNano"]) - int(parent["endTimeUnixNano"])
        who = f"{label(s)} ({s['attributes']['wirespan.link.evidence']}) in {label(parent)}"
        yield early <= 0, f"{who}: starts {early} ns before it"
        yield late <= 0, f"{who}: ends {late} ns after it"


def check_whole(spans, by_id):
    whole = [s for s in spans if "wirespan.incomplete" not in s["attributes"]]
    yield from check_nesting(whole, {s["spanId"]: s for s in whole})


def check_network(spans, by_id):
    for s in spans:
        a = s["attributes"]
        for side in ("local", "peer"):
            address, port = a.get(f"network.{side}.address"), a.get(f"network.{side}.port")
            try:
                ipaddress.ip_address(address)
            except ValueError:
                yield False, f"{label(s)}: network.{side}.address is {address!r}"
            yield type(port) is int and 0 < port < 65536, f"{label(s)}: network.{side}.port is {port!r}"
        parent = by_id.get(s["parentSpanId"])
        if parent and a.get("wirespan.link.evidence") == "connection":
            ends = [(x["attributes"][f"network.{one}.address"], x["attributes"][f"network.{one}.port"],
                     x["attributes"][f"network.{other}.address"], x["attributes"][f"network.{other}.port"])
                    for x, one, other in ((s, "local", "peer"), (parent, "peer", "local"))]
            yield ends[0] == ends[1], f"{label(s)}: its ends are {ends[0]}, those of its parent {ends[1]}"


def check_names(spans, by_id):
    for s in spans:
        a, server = s["attributes"], s["kind"] == SERVER
        if "http.request.method" in a:
            wanted = {"http.response.status_code": int, "server.address": str, "server.port": int,
                      "network.protocol.version": str}
            wanted.update({"url.path": str, "url.scheme": str} if server else {"url.full": str})
            yield s["name"].split(" ")[0] == a["http.request.method"], f"{label(s)}: method {a['http.request.method']}"
            code = a.get("http.response.status_code", 0)
            failed = s["status"].get("code") == 2
            yield failed == (code >= (500 if server else 400)), f"{label(s)}: answer {code}, status {s['status']}"
        else:
            wanted = {"db.system.name": str, "server.address": str, "server.port": int}
            yield a.get("db.system.name") in ("postgresql", "redis"), f"{label(s)}: neither HTTP nor a known database"
            failed = s["status"].get("code") == 2
            yield failed == ("db.response.status_code" in a), f"{label(s)}: status {s['status']} {a}"
        if failed:
            wanted["error.type"] = str
        for key, kind in wanted.items():
            yield type(a.get(key)) is kind, f"{label(s)}: {key} is {a.get(key)!r}"
        for key, kind in {"service.name": str, "service.instance.id": str, "process.pid": int, "host.name": str,
                          "process.executable.path": str, "process.executable.name": str,
                          "telemetry.sdk.name": str}.items():
            yield type(s["resource"].get(key)) is kind, f"{label(s)}: resource {key} is {s['resource'].get(key)!r}"


def check_why(spans, by_id):
    for s in spans:
        evidence = s["attributes"].get("wirespan.link.evidence")
        yield evidence in EVIDENCE, f"{label(s)}: evidence {evidence!r}"
        if evidence != "header":
            yield bool(s["parentSpanId"]) == (evidence not in ("root", "unknown")), \
                f"{label(s)}: parent {s['parentSpanId']!r} by {evidence}"


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1]) as f:
        spans = [json.loads(line) for line in f]
    by_id = {s["spanId"]: s for s in spans}
    checks = {k[6:]: v for k, v in globals().items() if k.startswith("check_")}
    bad = False
    for name in sys.argv[2:] or checks:
        verdicts = list(checks[name](spans, by_id))
        faults = [text for fine, text in verdicts if not fine]
        if not verdicts:
            faults = ["nothing to judge"]
        for text in faults[:8]:
            print(f"{name}: {text}", file=sys.stderr)
        if faults:
            print(f"{name}: {len(faults)} of {len(verdicts)} are wrong", file=sys.stderr)
        bad = bad or bool(faults)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
