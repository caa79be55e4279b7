#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""secrets.py REDIS_PORT PG_PORT: sends a secret in every place where programs have them.

It is HTTP server and client at once, and a client of Redis and of PostgreSQL. Every secret holds the
word "hunter" and a number of its own (hunter01, ...); the one literal that cannot hold a word is the
number 7355608. Nothing else does, so a tracer that writes one of them down has not redacted. The word
"visible" is in what is no secret.
"""
import base64
import http.client
import http.server
import json
import socket
import struct
import sys
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Set-Cookie", "session=hunter01; HttpOnly")
        self.send_header("X-Auth-Token", "hunter02")
        self.send_header("Content-Length", "14")
        self.end_headers()
        self.wfile.write(b'{"t":"hunter03"}'[:14])

    do_GET = do_POST

    def log_message(self, *args):
        pass


def speak_http():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    client = http.client.HTTPConnection("127.0.0.1", port)
    basic = base64.b64encode(b"user:hunter04").decode()
    query = urllib.parse.urlencode({
        "page": "visible", "token": "hunter05", "access_token": "hunter06", "password": "hunter07",
        "api_key": "hunter08", "client_secret": "hunter09", "X-Amz-Signature": "hunter10", "sig": "hunter11"})
    for n in range(2):
        client.request("POST", f"/visible?{query}&acc%65ss_tok%65n=hunter12", json.dumps({"password": "hunter13"}), {
            "Authorization": f"Bearer hunter14-{n}", "Proxy-Authorization": f"Basic {basic}",
            "Cookie": "session=hunter15; theme=hunter16", "X-Api-Key": "hunter17",
            "Referer": "http://127.0.0.1/?token=hunter18", "Content-Type": "application/json"})
        client.getresponse().read()
    # As a client of a proxy writes it: the whole URL, with user and password.
    client.putrequest("GET", f"http://user:hunter19@127.0.0.1:{port}/visible?token=hunter20#hunter21", skip_host=True)
    client.putheader("Host", f"127.0.0.1:{port}")
    client.endheaders()
    client.getresponse().read()
    client.close()


def speak_redis(port):
    with socket.create_connection(("127.0.0.1", port)) as s, s.makefile("rb") as answers:
        def command(*words):
            s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
            return answers.readline()

        command("SET", "visible", "hunter22")
        command("SETEX", "visible", "60", "hunter23")
        command("MSET", "visible:1", "hunter24", "visible:2", "hunter25")
        command("HSET", "visible:h", "field", "hunter26")
        command("LPUSH", "visible:l", "hunter27", "hunter28")
        command("EVAL", "return 'hunter29'", "0")
        answers.readline()
        command("AUTH", "hunter30")
        command("AUTH", "user", "hunter31")
        command("HELLO", "2", "AUTH", "user", "hunter32")
        command("CONFIG", "SET", "masterauth", "hunter33")
        command("ACL", "SETUSER", "somebody", ">hunter34")
        command("NOSUCH", "hunter35")   # its answer repeats the arguments
        s.sendall(b"SET visible hunter36\r\n")
        answers.readline()


def speak_postgresql(port):
    with socket.create_connection(("127.0.0.1", port)) as s, s.makefile("rb") as answers:
        def message(kind, body=b""):
            s.sendall(kind + struct.pack("!I", len(body) + 4) + body)

        def until_ready():
            while True:
                kind, size = struct.unpack("!cI", answers.read(5))
                body = answers.read(size - 4)
                if kind == b"Z":
                    return body

        def query(text):
            message(b"Q", text.encode() + b"\0")
            until_ready()

        s.sendall(struct.pack("!II", 8 + 29, 196608) + b"user\0shop\0database\0postgres\0\0")
        until_ready()
        query("SELECT 'hunter37', 7355608, \"visible\".\"id\" FROM accounts \"visible\" WHERE id = 7355608")
        query("SELECT E'it''s \\'hunter38', $tag$hunter39$tag$, $$hunter40$$, U&'hunter41', B'1', X'1F' -- hunter42")
        query("SELECT 'hunter43'::integer")             # the error's message repeats the literal
        query("SELECT 1 /* hunter44 */ FROM visible_none WHERE a = 'hunter45")   # no end of the literal
        query("SET application_name = 'hunter46'")
        message(b"P", b"\0SELECT id AS visible FROM payments WHERE order_id = $1 AND 'hunter47' <> $1\0" + b"\0\0")
        value = b"hunter48"
        message(b"B", b"\0\0" + struct.pack("!hhi", 0, 1, len(value)) + value + struct.pack("!h", 0))
        message(b"E", b"\0" + struct.pack("!I", 0))
        message(b"S")
        until_ready()
        query("INSERT INTO payments (order_id, account, cents) VALUES ('hunter49', 1, 0), ('hunter49', 1, 0)")
        query("CREATE ROLE visible PASSWORD 'hunter50'")
        message(b"X")


speak_http()
speak_redis(int(sys.argv[1]))
speak_postgresql(int(sys.argv[2]))
