# SPDX-License-Identifier: Apache-2.0
"""server.py PORT UPSTREAM WORKERS MODE: asyncio's streams; a task a connection.

task     two calls, one after the other
sleep    the same, with a timer before each and before the answer
gather   three calls at once, each in a task of its own
thread   the call is made by a thread (to_thread)
executor the same, by a pool of WORKERS threads (run_in_executor)
queue    WORKERS tasks take jobs from a queue, make the call and give the result back by a future
cron     as task; beside it a task that serves nobody calls by the clock, for b-000001 ...
lazy     the same as queue, but the first request starts the tasks
trail    the call is made after the answer, and after a timer
shared   one task makes two calls at a time and answers both requests itself
"""
import asyncio
import concurrent.futures
import http.client
import random
import sys

port, upstream, workers, mode = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
pool = concurrent.futures.ThreadPoolExecutor(workers)
idle = []


async def call(order):
    reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", upstream)
    writer.write(b"GET /up?id=%s HTTP/1.1\r\nHost: up\r\n\r\n" % order)
    length = 0
    while (line := await reader.readline()) not in (b"\r\n", b""):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    await reader.readexactly(length)
    idle.append((reader, writer))


def blocking(order):
    conn = http.client.HTTPConnection("127.0.0.1", upstream)
    conn.request("GET", f"/up?id={order.decode()}")
    conn.getresponse().read()
    conn.close()


async def slow():
    await asyncio.sleep(random.random() / 500)


jobs = None
started = []
alive = set()


async def worker():
    while True:
        order, done = await jobs.get()
        await call(order)
        done.set_result(None)


def answer(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def pairs():
    while True:
        all = [await jobs.get()]
        if not jobs.empty():
            all.append(jobs.get_nowait())
        for order, _ in all:
            await call(order)
        for _, writer in all:
            answer(writer)


async def cron():
    for n in range(1, 1000000):
        await asyncio.sleep(0.0005)
        await call(b"b-%06d" % n)


async def work(order, writer):
    if mode in ("task", "cron"):
        await call(order)
        await call(order)
    elif mode == "sleep":
        await slow()
        await call(order)
        await slow()
        await call(order)
        await slow()
    elif mode == "gather":
        await asyncio.gather(call(order), call(order), call(order))
    elif mode == "thread":
        await asyncio.to_thread(blocking, order)
    elif mode == "executor":
        await asyncio.get_running_loop().run_in_executor(pool, blocking, order)
    elif mode == "queue":
        done = asyncio.get_running_loop().create_future()
        jobs.put_nowait((order, done))
        await done
    elif mode == "lazy":
        if not started:
            started.extend(asyncio.create_task(worker()) for _ in range(workers))
        done = asyncio.get_running_loop().create_future()
        jobs.put_nowait((order, done))
        await done
    elif mode == "trail":
        answer(writer)
        await slow()
        await call(order)
        return
    elif mode == "shared":
        jobs.put_nowait((order, writer))
        return
    answer(writer)


async def serve(reader, writer):
    while request := await reader.readline():
        while await reader.readline() not in (b"\r\n", b""):
            pass
        await work(request.split(b"id=")[1].split()[0], writer)
    writer.close()


async def serve_until_reset(reader, writer):
    alive.add(asyncio.current_task())  # the loop has weak references only; streams keep their tasks from Python 3.12 on
    try:
        await serve(reader, writer)
    except ConnectionError:
        pass
    alive.discard(asyncio.current_task())


async def main():
    global jobs
    jobs = asyncio.Queue()  # until Python 3.9 it belongs to the loop that there is when it is made
    tasks = [asyncio.create_task(worker()) for _ in range(workers)] if mode == "queue" else []
    tasks += [asyncio.create_task(pairs())] if mode == "shared" else []
    tasks += [asyncio.create_task(cron())] if mode == "cron" else []
    server = await asyncio.start_server(serve_until_reset, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main())
