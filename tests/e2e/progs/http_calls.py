#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""http_calls.py HOST PORT N PATH [SOURCE_PORT]: N GETs of PATH/0, PATH/1, ... over one connection, from that port."""
import http.client
import sys

host, port, count, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
client = http.client.HTTPConnection(host, port, timeout=20, source_address=("", int(sys.argv[5])) if sys.argv[5:] else None)
for i in range(count):
    client.request("GET", f"{path}/{i}")
    if client.getresponse().read() is None:
        sys.exit(1)
