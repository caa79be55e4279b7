#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""fake_kubernetes.py DIR PORT: as much of a Kubernetes API server as an agent asks for, over TLS.

Serves the Pods DIR/pods/*.json: GET /api/v1/pods with fieldSelector=spec.nodeName, limit, continue, watch,
resourceVersion and bookmarks; and, if that folder is there, the Services DIR/services/*.json: GET /api/v1/services. Certificate and key: DIR/tls.crt, DIR/tls.key; who does not send the token in
DIR/token gets 401. Every request goes to DIR/requests. A watch that begins before version DIR/compacted is
told 410. A file DIR/hang: requests are taken and not answered.
"""
import http.server
import json
import os
import pathlib
import ssl
import sys
import threading
import time
import urllib.parse

home = pathlib.Path(sys.argv[1])
lock = threading.Lock()
version, history, known = 1, [], {}


def refresh():
    """Files that came, changed or went become events."""
    global version
    with lock:
        now = {}
        for path in sorted(home.glob("pods/*.json")) + sorted(home.glob("services/*.json")):
            try:
                now[path.parent.name, path.name] = json.loads(path.read_text())
            except (OSError, ValueError):
                pass
        for name in set(now) | set(known):
            old, new = known.get(name), now.get(name)
            if old is not None and new is not None and old["of"] == new:
                continue
            version += 1
            pod = json.loads(json.dumps(new if new is not None else old["of"]))
            pod["metadata"]["resourceVersion"] = str(version)
            history.append((version, {"type": "DELETED" if new is None else "MODIFIED" if old else "ADDED", "object": pod}))
            if new is None:
                del known[name]
            else:
                known[name] = {"of": new, "pod": pod}


def is_asked_for(o, kind, node):
    return o["kind"] == kind and (kind == "Service" or o["spec"].get("nodeName") == node)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def line(self, event):
        data = json.dumps(event).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
        with open(home / "requests", "a") as log:
            log.write(self.path + "\n")
        while (home / "hang").exists():
            time.sleep(0.05)
        if self.headers.get("Authorization") != "Bearer " + (home / "token").read_text().strip():
            return self.answer(401, {"kind": "Status", "code": 401})
        node = query.get("fieldSelector", "").removeprefix("spec.nodeName=")
        kind = "Service" if url.path == "/api/v1/services" and (home / "services").exists() else "Pod"
        if kind == "Pod" and (url.path != "/api/v1/pods" or not node):
            return self.answer(403, {"kind": "Status", "code": 403})
        refresh()
        return self.watch(query, kind, node) if "watch" in query else self.list(query, kind, node)

    def list(self, query, kind, node):
        with lock:
            pods, at = [k["pod"] for k in known.values() if is_asked_for(k["pod"], kind, node)], int(query.get("continue", 0))
            end = at + int(query.get("limit", 500))
            meta = {"resourceVersion": str(version)}
        if end < len(pods):
            meta["continue"] = str(end)
        self.answer(200, {"kind": kind + "List", "metadata": meta, "items": pods[at:end]})

    def watch(self, query, kind, node):
        since, ends = int(query["resourceVersion"]), time.monotonic() + float(query.get("timeoutSeconds", 60))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        compacted = home / "compacted"
        if compacted.exists() and since < int(compacted.read_text()):
            self.line({"type": "ERROR", "object": {"kind": "Status", "code": 410}})
            ends = 0
        bookmarked = time.monotonic()
        while time.monotonic() < ends:
            refresh()
            with lock:
                events = [(v, e) for v, e in history if v > since]
            for since, event in events:
                if is_asked_for(event["object"], kind, node):
                    self.line(event)
            if time.monotonic() - bookmarked > 0.5:
                bookmarked = time.monotonic()
                self.line({"type": "BOOKMARK", "object": {"kind": kind, "metadata": {"resourceVersion": str(since)}}})
            time.sleep(0.02)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", int(sys.argv[2])), Handler)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(home / "tls.crt", home / "tls.key")
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
os.chdir("/")
server.serve_forever()
