# SPDX-License-Identifier: Apache-2.0
"""order: reserves the goods, has the customer charged, sends the confirmation.

Run by gunicorn's sync workers: a process serves one order at a time.
"""
import os

import requests
from flask import Flask, request


def url(name):
    return "http://" + os.environ.get(name + "_HOST", "127.0.0.1") + ":" + os.environ[name + "_PORT"]


INVENTORY, PAYMENT, MAIL = url("INVENTORY"), url("PAYMENT"), url("MAIL")

app = Flask(__name__)
session = requests.Session()


def call(url, order, body):
    return session.post(url, params={"order": order}, json=body, timeout=20)


@app.post("/order")
def place():
    order, body = request.args["order"], request.get_json()
    stock = call(INVENTORY + "/reserve", order, {"sku": body["sku"]})
    if not stock.ok:
        return {"order": order, "status": "sold out"}, 409
    paid = call(PAYMENT + "/charge", order, {"account": body["account"], "cents": body["cents"]})
    if paid.ok:
        call(MAIL + "/send", order, {"account": body["account"]})
    else:
        # The bug that the demo is about: nobody hears of it, least of all the customer.
        app.logger.warning("order %s: payment said %d", order, paid.status_code)
    return {"order": order, "status": "accepted"}
