#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""http_server.py [--call URL] [--both] PORT: a thread a connection, keep-alive.

Answers 200 "ok", or what the path says: /status/503 that status, ?ms=20 after 20 ms, ?until=FILE once there is that file
(a minute at most). With --call it asks URL, followed by its own path, before it answers, over a new connection each time.
With --both it listens on every address, of IPv6 and IPv4.
"""
import http.server
import os
import re
import socket
import sys
import time
import urllib.request

call = sys.argv[sys.argv.index("--call") + 1] if "--call" in sys.argv else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        wait = re.search(r"[?&]ms=(\d+)", self.path)
        if wait:
            time.sleep(int(wait[1]) / 1000)
        until = re.search(r"[?&]until=([^&]+)", self.path)
        deadline = time.monotonic() + 60
        while until and not os.path.exists(until[1]) and time.monotonic() < deadline:
            time.sleep(0.01)
        if call:
            with urllib.request.urlopen(call + self.path, timeout=10) as answer:
                answer.read()
        status = re.match(r"/status/(\d+)", self.path)
        body = b"ok\n"
        self.send_response(int(status[1]) if status else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


both = "--both" in sys.argv
Server.address_family = socket.AF_INET6 if both else socket.AF_INET
Server(("::" if both else "127.0.0.1", int(sys.argv[-1])), Handler).serve_forever()
