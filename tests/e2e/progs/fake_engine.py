#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""fake_engine.py SOCKET answer|hang: Docker's API as far as "inspect a container", or one that takes requests and is silent."""
import http.server
import json
import os
import signal
import socketserver
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if sys.argv[2] == "hang":
            threading.Event().wait()
        body = json.dumps({"Id": self.path.split("/")[2], "Name": "/told-by-docker", "Config": {"Image": "busybox:1", "Labels": None}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "-"

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
Server(sys.argv[1], Handler).serve_forever()
