#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""exchanges.py FILE N [--lossy]: what became of the requests of tests/progs/exchanges.c?

Of each /item/I: an HTTP client's span, its server's, below that one of a Redis and one of a PostgreSQL
client, below each of these its server's; nothing else. --lossy as of chains.py.
"""
import collections
import json
import sys

CLIENT, SERVER = 3, 2


def main():
    with open(sys.argv[1]) as f:
        spans = [json.loads(line) for line in f]
    n, lossy = int(sys.argv[2]), "--lossy" in sys.argv
    below = collections.defaultdict(list)
    for s in spans:
        below[s["parentSpanId"]].append(s)
    wrong, missing = [], []

    def only(parent, kind, system, what, evidence):
        """The one span of that kind below the parent; None: there is none."""
        found = [s for s in below[parent["spanId"]] if s["kind"] == kind and s["attributes"].get("db.system.name") == system]
        if len(found) != 1:
            (missing if not found else wrong).append(f"{len(found)} {what} below {parent['name']} {parent['spanId']}")
            return None
        if found[0]["attributes"]["wirespan.link.evidence"] not in evidence:
            (missing if lossy and found[0]["attributes"]["wirespan.link.evidence"] == "unknown" else wrong).append(f"{what}: evidence {found[0]['attributes']['wirespan.link.evidence']}")
        return found[0]

    seen = 0
    for client in below[""]:
        if client["kind"] != CLIENT or not client["attributes"].get("url.path", "").startswith("/item/"):
            (missing if lossy else wrong).append(f"a root: {client['name']} {client['kind']}")
            continue
        seen += 1
        server = only(client, SERVER, None, "HTTP server", {"connection"})
        for system in ("redis", "postgresql") if server else ():
            asks = only(server, CLIENT, system, f"{system} client", {"thread"})
            if asks:
                only(asks, SERVER, system, f"{system} server", {"connection"})
    if seen != n:
        (missing if lossy or seen < n else wrong).append(f"{seen} requests")
    if len(spans) > 6 * n:
        (missing if lossy else wrong).append(f"{len(spans)} spans") # a connection that was not told of may look like two
    print(f"{len(spans)} spans, {len(wrong)} wrong, {len(missing)} missing")
    for text in (wrong + missing)[:6]:
        print(text)
    return 0 if spans and not wrong and (lossy or not missing) else 1


sys.exit(main())
