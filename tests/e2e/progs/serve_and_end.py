#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""serve_and_end.py N PORT [SECONDS]: serves N GETs of its own on loopback, the first at once, over SECONDS, and ends."""
import http.client
import http.server
import sys
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


count, port, seconds = int(sys.argv[1]), int(sys.argv[2]), float((sys.argv[3:] or [0])[0])
began = time.monotonic()
server = http.server.HTTPServer(("127.0.0.1", port), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for i in range(count):
    time.sleep(max(0, began + seconds * i / count - time.monotonic()))
    client = http.client.HTTPConnection("127.0.0.1", port)
    client.request("GET", f"/n/{i}")
    client.getresponse().read()
    client.close()
time.sleep(max(0, began + seconds - time.monotonic()))
