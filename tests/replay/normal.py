#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""normal.py < SPANS: `wirespan replay --json` in a form that can be read and compared.

First each resource once, then each span on a line of its own, by start time, with its service's name in
place of the resource. Keys are sorted. The tracer's own version is left out, nothing else.
"""
import json
import sys

resources, spans = {}, []
for line in sys.stdin:
    span = json.loads(line)
    resource = span.pop("resource")
    resource.pop("telemetry.sdk.version", None)
    resources[resource["service.instance.id"]] = resource
    spans.append(dict(span, service=resource["service.name"], instance=resource["service.instance.id"]))
for _, resource in sorted(resources.items(), key=lambda r: (r[1]["service.name"], r[1]["process.pid"])):
    print(json.dumps(resource, sort_keys=True, ensure_ascii=False))
for span in sorted(spans, key=lambda s: (int(s["startTimeUnixNano"]), s["spanId"])):
    print(json.dumps(span, sort_keys=True, ensure_ascii=False))
