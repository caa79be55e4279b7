#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sink.py DIR PORT [CERTIFICATE KEY [CA]]: an OTLP/HTTP collector that can misbehave.

With CERTIFICATE and KEY it speaks TLS, with CA it demands a client's certificate of that authority.

DIR/script holds an answer a line, one for each POST; the last one goes on. It may be replaced at any
time, and then starts at its first line. Without it every answer is 200.
  200 | 400 | 429 | 503 ...      with this status
  drop                           closes the connection without an answer
  ... delay=S retry-after=S partial=N message=TEXT
                                 after S seconds; with this header; as a partial success that rejects N spans
Each POST is a line of DIR/posts: time, path, headers, answer, sent (did the answer reach the client?),
spans (ids), raw (hash of the body). Spans of posts answered with 200 are appended to DIR/spans, one a line
in the form of `wirespan --json`. A body that cannot be decoded is answered with 400 and "undecodable".
"""
import gzip
import hashlib
import http.server
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

directory, port = sys.argv[1], int(sys.argv[2])
lock = threading.Lock()
script = {"of": None, "lines": ["200"]}


# --- protobuf: opentelemetry/proto/trace/v1/trace.proto ----------------------------------------

def fields(data):
    """(number, value) of each field: an int, or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            value = varint()
        elif kind == 2:
            size = varint()
            if at + size > len(data):
                raise ValueError("a field longer than its message")
            value, at = data[at:at + size], at + size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = int.from_bytes(data[at:at + size], "little"), at + size
        else:
            raise ValueError(f"wire type {kind}")
        yield tag >> 3, value


def one(data, number, otherwise=b""):
    return dict(fields(data)).get(number, otherwise)


def all_of(data, number):
    return [v for n, v in fields(data) if n == number]


def any_value(data):
    for number, value in fields(data):
        if number == 1:
            return value.decode()
        if number == 2:
            return bool(value)
        if number == 3:
            return value - (1 << 64) if value >> 63 else value
        if number == 4:
            return struct.unpack("<d", value.to_bytes(8, "little"))[0]
    return None


def attributes(list_of):
    return {one(a, 1).decode(): any_value(one(a, 2)) for a in list_of}


def span_of_protobuf(data, resource):
    status = one(data, 15)
    return {"traceId": one(data, 1).hex(), "spanId": one(data, 2).hex(), "parentSpanId": one(data, 4).hex(),
            "name": one(data, 5).decode(), "kind": one(data, 6, 0), "startTimeUnixNano": str(one(data, 7, 0)),
            "endTimeUnixNano": str(one(data, 8, 0)), "attributes": attributes(all_of(data, 9)),
            "status": {"message": one(status, 2).decode(), "code": one(status, 3, 0)}, "resource": resource}


def read_protobuf(body):
    for of_resource in all_of(body, 1):
        resource = attributes(all_of(one(of_resource, 1), 1))
        for of_scope in all_of(of_resource, 2):
            for span in all_of(of_scope, 2):
                yield span_of_protobuf(span, resource)


# --- JSON -------------------------------------------------------------------------------------

def plain(list_of):
    names = {"stringValue": str, "boolValue": bool, "intValue": int, "doubleValue": float}
    return {a["key"]: next(names[k](v) for k, v in a["value"].items()) for a in list_of}


def read_json(body):
    for of_resource in json.loads(body)["resourceSpans"]:
        resource = plain(of_resource["resource"]["attributes"])
        for of_scope in of_resource["scopeSpans"]:
            for span in of_scope["spans"]:
                yield dict(span, attributes=plain(span["attributes"]), resource=resource)


# --- answering --------------------------------------------------------------------------------

def next_answer():
    """The words of the line that is next, as a dictionary; the first word is "status"."""
    path = os.path.join(directory, "script")
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        stat = None
    of = stat and (stat.st_ino, stat.st_mtime_ns)
    if of and of != script["of"]:
        with open(path) as f:
            script.update(of=of, lines=f.read().split("\n"))
        script["lines"] = [line for line in script["lines"] if line]
    lines = script["lines"]
    status, *words = (lines.pop(0) if len(lines) > 1 else lines[0]).split()
    return dict((w.split("=", 1) for w in words), status=status)


def partial_body(answer, is_json):
    rejected, message = int(answer.get("partial", 0)), answer.get("message", "told")
    if is_json:
        return json.dumps({"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": message}}).encode()
    inner = b"\x08" + bytes([rejected]) + b"\x12" + bytes([len(message)]) + message.encode()
    return b"\x0a" + bytes([len(inner)]) + inner


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.body()
        is_json = self.headers["Content-Type"] == "application/json"
        with lock:
            answer = next_answer()
        post = {"time": time.monotonic(), "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                "answer": answer["status"], "raw": hashlib.sha256(body).hexdigest()}
        try:
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            spans = list(read_json(body) if is_json else read_protobuf(body))
        except (ValueError, KeyError, IndexError, OSError, StopIteration) as e:
            spans, answer = [], {"status": "400"}
            post["answer"] = "undecodable: " + repr(e)
        post["spans"] = [s["spanId"] for s in spans]
        time.sleep(float(answer.get("delay", 0)))
        post["sent"] = self.answer(answer, is_json)
        with lock:
            with open(os.path.join(directory, "posts"), "a") as f:
                f.write(json.dumps(post) + "\n")
            if answer["status"] == "200":
                with open(os.path.join(directory, "spans"), "a") as f:
                    f.write("".join(json.dumps(s) + "\n" for s in spans))

    def body(self):
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def answer(self, answer, is_json):
        if answer["status"] == "drop":
            self.close_connection = True
            return False
        body = partial_body(answer, is_json) if "partial" in answer else b"{}" if is_json else b""
        try:
            self.send_response(int(answer["status"]))
            if "retry-after" in answer:
                self.send_header("Retry-After", answer["retry-after"])
            self.send_header("Content-Type", self.headers["Content-Type"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
            if isinstance(self.connection, ssl.SSLSocket):
                return True
            # A client that has given up has closed its end already.
            self.connection.setblocking(False)
            try:
                return self.connection.recv(1, socket.MSG_PEEK) != b""
            except BlockingIOError:
                return True
            finally:
                self.connection.setblocking(True)
        except OSError:
            self.close_connection = True
            return False

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    tls = None

    def get_request(self):
        connection, address = super().get_request()
        if self.tls:   # the handshake is the business of the connection's own thread
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request, client_address):
        print(repr(sys.exc_info()[1]), file=sys.stderr)


server = Server(("127.0.0.1", port), Sink)
if len(sys.argv) > 3:
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(sys.argv[3], sys.argv[4])
    if len(sys.argv) > 5:
        server.tls.load_verify_locations(sys.argv[5])
        server.tls.verify_mode = ssl.CERT_REQUIRED
server.serve_forever()
