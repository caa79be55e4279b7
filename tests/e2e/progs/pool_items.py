#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""pool_items.py UPSTREAM: an HTTP server on a port that it prints; a ThreadPoolExecutor of one thread makes its calls.

GET /call: two calls, each by an item of its own. GET /items?N: N items wait in the queue at a time, of
which the first 50 make a call.
"""
import concurrent.futures
import http.client
import http.server
import sys
import threading

CALLING = 50
pool = concurrent.futures.ThreadPoolExecutor(1)


def call():
    up = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
    up.request("GET", "/up")
    up.getresponse().read()
    up.close()


def items(n):
    full = threading.Event()
    futures = [pool.submit(full.wait)]
    futures += [pool.submit(call if i < CALLING else int) for i in range(n)]
    full.set()
    return futures


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, n = self.path.partition("?")
        for future in items(int(n)) if path == "/items" else [pool.submit(call), pool.submit(call)]:
            future.result()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
