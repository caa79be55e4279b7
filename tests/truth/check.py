#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""check.py SPANS TRUTH: are the parents that a tracer found the true ones?

SPANS  spans as JSON lines ("-": stdin): one span a line with attributes and resource as plain
       objects (`wirespan ... --json`), or OTLP/JSON batches (the Collector's file exporter).
TRUTH  what `tests/progs/shop/run --truth` wrote: every order, its fate, and how often each edge of
       the shop was used for it.

A call of an edge A->B is a CLIENT span of service A and a SERVER span of service B. It is right if
the SERVER span's parent is that CLIENT span and the CLIENT span's parent is A's SERVER span of the
same order, all in one trace. Orders are told apart by the order id that the shop puts into query
strings, Redis keys and SQL, and which no tracer looks at. Redis and PostgreSQL may have no SERVER
spans of their own; if any has, all must.

wrong     a parent of another order, another service or another trace
unknown   a root, or a parent that is not among the spans
missing   a span that should be there is not
extra     more calls than there were

Prints a line per edge and the first few faults. Exit status: 0 no wrong and no extra one, at least
99 % right, and every lost and every slow order one whole tree from nginx to PostgreSQL; 1 otherwise;
2 usage.
"""
import collections
import json
import re
import sys

SERVER, CLIENT = 2, 3
NAMES = {"redis-server": "redis", "postgresql": "postgres"}
# The path of a call tells its edge; a service calls only one kind of database.
PATHS = {
    "/orders": "nginx->frontend", "/order": "frontend->order", "/reserve": "order->inventory",
    "/charge": "order->payment", "/send": "order->mail",
}
DATABASES = {"redis": "inventory->redis", "postgres": "payment->postgres"}
EDGES = ["nginx->frontend", "frontend->order", "order->inventory", "inventory->redis",
         "order->payment", "payment->postgres", "order->mail"]
PREPARE = " prepare"
NO_TEXT = ["postgresql"]   # a span's name where the statement was prepared before anybody looked
VERDICTS = ["right", "wrong", "unknown", "missing"]

Span = collections.namedtuple("Span", "trace id parent service kind name order edge")
Call = collections.namedtuple("Call", "edge order verdict why traces")


def plain(attributes):
    """OTLP's list of key and value as a plain object; a plain object as it is."""
    if isinstance(attributes, dict):
        return attributes
    return {a["key"]: next(iter(a["value"].values()), None) for a in attributes or []}


def raw_spans(lines):
    for line in filter(str.strip, lines):
        record = json.loads(line)
        if "resourceSpans" not in record:
            yield record, record.get("resource", {})
            continue
        for of_resource in record["resourceSpans"]:
            resource = of_resource.get("resource", {}).get("attributes", [])
            for of_scope in of_resource.get("scopeSpans", []):
                for span in of_scope["spans"]:
                    yield span, resource


def service_name(resource):
    name = plain(resource).get("service.name", "").lower()
    name = re.sub(r"\.(js|py|jar)$", "", name)
    return NAMES.get(name, name)


def span_kind(kind):
    return {"SPAN_KIND_SERVER": SERVER, "SPAN_KIND_CLIENT": CLIENT}.get(kind, kind)


def order_id(attributes):
    for key in "url.query", "url.full", "url.path", "db.query.text":
        found = re.search(r"\bo[-_](\d{6})\b", str(attributes.get(key, "")))
        if found:
            return "o-" + found[1]
    return None


def edge_of(attributes, service, kind):
    """The edge that this span is one end of, if the service is the true one for that end."""
    path = re.sub(r"^\w+://[^/]*|\?.*$", "", attributes.get("url.path") or attributes.get("url.full") or "")
    system = attributes.get("db.system.name") or attributes.get("db.system") or ""
    if kind == CLIENT:
        edge = PATHS.get(path) or DATABASES.get(NAMES.get(system, system))
    else:
        edge = DATABASES.get(service) or PATHS.get(path)
    end = edge and edge.split("->")[0 if kind == CLIENT else 1]
    return edge if end == service else None


def is_prepare(span_name):
    """A driver's own round trip before a statement: as many as it likes, each with the right parent."""
    return span_name.startswith("PREPARE")


def read_spans(lines):
    spans = {}
    for raw, resource in raw_spans(lines):
        attributes, service, kind = plain(raw.get("attributes")), service_name(resource), span_kind(raw.get("kind"))
        span = Span(raw["traceId"], raw["spanId"], raw.get("parentSpanId") or "", service, kind,
                    raw.get("name", ""), order_id(attributes), edge_of(attributes, service, kind))
        if span.edge and is_prepare(span.name):
            span = span._replace(edge=span.edge + PREPARE)
        if spans.setdefault(span.id, span) != span:
            raise SystemExit(f"check: two different spans have the id {span.id}: {spans[span.id]} {span}")
    return spans


def judge_link(spans, span, service, kind):
    """The verdict on a span's parent, which must be of this service, this kind and the span's order."""
    if not span.parent:
        return "unknown", f"{span.service} {span.name} is a root"
    parent = spans.get(span.parent)
    if parent is None:
        return "unknown", f"{span.service} {span.name}: its parent {span.parent} is not there"
    found = (parent.service, parent.kind, parent.trace) == (service, kind, span.trace)
    if found and parent.order is None and parent.name in NO_TEXT:
        return "unknown", f"{span.service} {span.name}: nothing tells whose the call is that is its parent"
    if not found or parent.order != span.order:
        return "wrong", (f"{span.service} {span.name}: its parent is {parent.service} {parent.name} of "
                         f"{parent.order}, kind {parent.kind}, trace {parent.trace}")
    return "right", ""


def judge_call(spans, edge, order, client, server, server_needed):
    caller = edge.split("->")[0]
    links = []
    if client:
        links.append(judge_link(spans, client, caller, SERVER))
    else:
        links.append(("missing", f"no CLIENT span of {caller}"))
    if server:
        links.append(judge_link(spans, server, caller, CLIENT))
    elif server_needed:
        links.append(("missing", "no SERVER span of " + edge.split("->")[1]))
    worst = next(v for v in ("wrong", "unknown", "missing", "right") if v in [verdict for verdict, _ in links])
    why = "; ".join(text for _, text in links if text)
    return Call(edge, order, worst, why, {s.trace for s in (client, server) if s})


def calls_of(spans, edge, order, clients, servers, expected, server_needed):
    """Pairs the two ends of each call by parent, then what is left over in any order."""
    pairs, unpaired = [], list(servers)
    lonely = []
    for client in clients:
        server = next((s for s in unpaired if s.parent == client.id), None)
        if server:
            unpaired.remove(server)
            pairs.append((client, server))
        else:
            lonely.append(client)
    while lonely or unpaired:
        pairs.append((lonely.pop(0) if lonely else None, unpaired.pop(0) if unpaired else None))
    pairs += [(None, None)] * (expected - len(pairs))
    return [judge_call(spans, edge, order, c, s, server_needed) for c, s in pairs]


def check(spans, orders, out):
    ends = collections.defaultdict(list)
    for span in spans.values():
        if span.order and span.edge:
            ends[span.edge, span.order, span.kind].append(span)
    fronts = collections.defaultdict(list)
    for span in spans.values():
        if span.service == "nginx" and span.kind == SERVER:
            fronts[span.order].append(span.trace)
    database_servers = {s.edge for s in spans.values() if s.kind == SERVER and s.edge in DATABASES.values()}

    count = collections.defaultdict(collections.Counter, {edge: collections.Counter() for edge in EDGES})
    faults, broken = [], []
    for order in orders:
        id, traces, whole = order["id"], set(), True
        wanted = dict(order["calls"])
        wanted |= {e: max(len(ends[e, id, CLIENT]), len(ends[e, id, SERVER]))
                   for e in (database + PREPARE for database in DATABASES.values()) if ends[e, id, CLIENT] or ends[e, id, SERVER]}
        for edge, expected in wanted.items():
            needed = edge not in DATABASES.values() or edge in database_servers
            calls = calls_of(spans, edge, id, ends[edge, id, CLIENT], ends[edge, id, SERVER], expected, needed)
            count[edge]["expected"] += expected
            count[edge]["extra"] += max(0, len(calls) - expected)
            if len(calls) > expected:
                faults.append(f"{id} {edge}: {len(calls)} calls instead of {expected}")
            for call in calls:
                count[edge][call.verdict] += 1
                traces |= call.traces
                whole = whole and call.verdict == "right"
                if call.verdict != "right":
                    faults.append(f"{id} {edge}: {call.verdict}: {call.why}")
        if order["fate"] != "ok" and not (whole and fronts[id] == list(traces)):
            broken.append(f"{id} ({order['fate']}): {len(traces)} traces, {len(fronts[id])} SERVER spans of nginx")
    # What is no end of an edge, as the load's own spans, must not join two orders either.
    strays = [s for s in spans.values() if not (s.edge and s.order) and s.order and s.parent in spans
              and spans[s.parent].order not in (None, s.order)]
    faults += [f"{s.order}: wrong: {s.service} {s.name} has a parent of {spans[s.parent].order}" for s in strays]
    return report(count, len(strays), faults, broken, orders, out)


def report(count, strays, faults, broken, orders, out):
    columns = ["expected"] + VERDICTS + ["extra"]
    total = sum(count.values(), collections.Counter())
    print(f"{'edge':26}" + "".join(f"{c:>9}" for c in columns), file=out)
    for edge, row in list(count.items()) + [("all", total)]:
        print(f"{edge:26}" + "".join(f"{row[c]:9}" for c in columns), file=out)
    special = collections.Counter(o["fate"] for o in orders)
    special = special["lost"] + special["slow"]
    share = 100 * total["right"] / total["expected"] if total["expected"] else 0
    print(f"{share:.2f} % right; {special - len(broken)} of {special} lost and slow orders are whole", file=out)
    faults.sort(key=lambda fault: ": wrong: " not in fault)
    for fault in faults[:10] + [f"not whole: {b}" for b in broken[:5]]:
        print("  " + fault, file=out)
    return not (total["wrong"] or total["extra"] or strays or share < 99 or broken)


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[2]) as truth:
        orders = json.load(truth)["orders"]
    with sys.stdin if sys.argv[1] == "-" else open(sys.argv[1]) as lines:
        spans = read_spans(lines)
    return 0 if check(spans, orders, sys.stdout) else 1


if __name__ == "__main__":
    sys.exit(main())
