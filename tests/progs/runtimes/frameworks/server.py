# SPDX-License-Identifier: Apache-2.0
"""server.py PORT UPSTREAM WORKERS MODE: servers and clients of others, each with two calls a request.

aiohttp    its server and its client, one call after the other
fan-out    the same, both calls at once, each by create_task()
uvicorn    and httpx, one call after the other
stream     the same; the second call when the answer has begun
threads    uvicorn; the calls are made by a thread of anyio's, as Starlette does for handlers that are no coroutines
uvloop     uvicorn and httpx on another loop
gevent     its WSGI server, and http.client on its sockets
"""
import sys

port, upstream, workers, mode = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
if mode == "gevent":
    import gevent.monkey

    gevent.monkey.patch_all()

import asyncio
import http.client
import queue


def run_aiohttp():
    import aiohttp
    from aiohttp import web

    async def call(session, order):
        async with session.get(f"http://127.0.0.1:{upstream}/up?id={order}") as reply:
            await reply.read()

    async def answer(request):
        order, session = request.query["id"], request.app["session"]
        if mode == "fan-out":
            for task in [asyncio.create_task(call(session, order)) for _ in range(2)]:
                await task
        else:
            await call(session, order)
            await call(session, order)
        return web.Response(text="ok")

    async def with_session(app):
        app["session"] = aiohttp.ClientSession()
        yield
        await app["session"].close()

    app = web.Application()
    app.router.add_get("/a", answer)
    app.cleanup_ctx.append(with_session)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


idle = queue.SimpleQueue()


def blocking(order, times=2):
    """A kept connection, for whichever thread wants one."""
    try:
        conn = idle.get_nowait()
    except queue.Empty:
        conn = http.client.HTTPConnection("127.0.0.1", upstream)
    for _ in range(times):
        conn.request("GET", f"/up?id={order}")
        conn.getresponse().read()
    idle.put(conn)


def run_uvicorn():
    import anyio.to_thread
    import httpx
    import uvicorn

    clients = []

    async def call(order):
        if not clients:
            clients.append(httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=64)))
        await clients[0].get(f"http://127.0.0.1:{upstream}/up?id={order}")

    async def app(scope, receive, send):
        assert scope["type"] == "http"
        order = scope["query_string"].decode()[3:]
        if mode == "threads":
            await anyio.to_thread.run_sync(blocking, order)
        else:
            await call(order)
        if mode in ("uvicorn", "uvloop"):
            await call(order)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        if mode == "stream":
            await send({"type": "http.response.body", "body": b"o", "more_body": True})
            await call(order)
            await send({"type": "http.response.body", "body": b"k"})
        else:
            await send({"type": "http.response.body", "body": b"ok"})

    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop" if mode == "uvloop" else "asyncio", http="h11",
                lifespan="off", log_level="error", access_log=False)


def run_gevent():
    from gevent.pywsgi import WSGIServer

    def app(environ, start_response):
        blocking(environ["QUERY_STRING"][3:])
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    WSGIServer(("127.0.0.1", port), app, log=None).serve_forever()


if __name__ == "__main__":
    {"aiohttp": run_aiohttp, "fan-out": run_aiohttp, "gevent": run_gevent}.get(mode, run_uvicorn)()
