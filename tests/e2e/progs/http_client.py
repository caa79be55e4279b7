#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""http_client.py PORT: one connection, opened at once and kept.

Prints "open LOCALPORT". Then each line of standard input, METHOD PATH [JSON], is sent as a request over
that very connection; the status of its answer is printed. Ends at the end of the input.
"""
import http.client
import sys

client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
client.connect()
client.auto_open = 0   # never another connection
print("open", client.sock.getsockname()[1], flush=True)
for line in sys.stdin:
    method, path, *body = line.split(None, 2)
    client.request(method, path, body[0] if body else None, {"Content-Type": "application/json"} if body else {})
    answer = client.getresponse()
    answer.read()
    print(answer.status, flush=True)
