# SPDX-License-Identifier: Apache-2.0
"""server.py: Flask under gunicorn, in threads; `opentelemetry-instrument` has instrumented it. By MODE:

two   two calls, one after the other, each on a connection of its own
pool  the two calls by the threads of a pool that all requests share, which have WORKERS connections
"""
import concurrent.futures
import os

import flask
import requests

workers = int(os.environ["WORKERS"])
app = flask.Flask(__name__)
pool = concurrent.futures.ThreadPoolExecutor(workers)
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=workers))


def call(get, id, n):
    get(f"http://127.0.0.1:{os.environ['UPSTREAM']}/up?id={id}&n={n}").raise_for_status()


@app.route("/a")
def a():
    id = flask.request.args["id"]
    for n in (1, 2):
        if os.environ["MODE"] == "pool":
            pool.submit(call, session.get, id, n).result()
        else:
            call(requests.get, id, n)
    return "ok"
