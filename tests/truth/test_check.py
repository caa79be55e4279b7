#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of check.py on small hand-made inputs; prints TAP when run as a program."""
import copy
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import check

CALLS = {"nginx->frontend": 1, "frontend->order": 1, "order->inventory": 1, "inventory->redis": 1,
         "order->payment": 1, "payment->postgres": 2, "order->mail": 1}


def tree(order, lost=False, database_servers=True):
    """The spans of one order, all right: a name per span, which is also its id and that of its parent."""
    alias, spans = order.replace("-", "_"), {}

    def add(name, parent, service, kind, **attributes):
        spans[name] = {
            "traceId": "t" + order, "spanId": order + name, "parentSpanId": order + parent if parent else "",
            "name": name, "kind": kind, "startTimeUnixNano": "1", "endTimeUnixNano": "2", "status": {},
            "attributes": attributes, "resource": {"service.name": service}}

    def http(name, parent, caller, callee, path):
        add(name + "C", parent, caller, 3, **{"url.full": f"http://127.0.0.1:1{path}?order={order}"})
        add(name + "S", name + "C", callee, 2, **{"url.path": path, "url.query": "order=" + order})

    def sql(name, text):
        add(name + "C", "chargeS", "payment", "SPAN_KIND_CLIENT", **{"db.system.name": "postgresql", "db.query.text": text})
        if database_servers:
            add(name + "S", name + "C", "postgres", "SPAN_KIND_SERVER", **{"db.query.text": text})

    add("front", None, "nginx", 2, **{"url.path": "/orders", "url.query": "order=" + order})
    http("orders", "front", "nginx", "frontend", "/orders")
    http("order", "ordersS", "frontend", "order", "/order")
    http("reserve", "orderS", "order", "inventory", "/reserve")
    add("decrC", "reserveS", "Inventory", 3, **{"db.system.name": "redis", "db.query.text": "DECR stock:" + order})
    if database_servers:
        add("decrS", "decrC", "redis-server", 2, **{"db.query.text": "DECR stock:" + order})
    http("charge", "orderS", "order", "payment", "/charge")
    sql("insert", f"INSERT INTO payments AS {alias} (order_id) VALUES ($1)")
    if not lost:
        sql("update", f"UPDATE accounts AS {alias} SET cents = cents - $1 WHERE id = $2")
        http("send", "orderS", "order", "mail.py", "/send")
    return spans


def truth(order, fate="ok"):
    calls = dict(CALLS)
    if fate == "lost":
        calls.update({"payment->postgres": 1, "order->mail": 0})
    return {"id": order, "fate": fate, "calls": calls}


class Check(unittest.TestCase):
    def setUp(self):
        self.one, self.two = tree("o-000001"), tree("o-000010", lost=True)
        self.orders = [truth("o-000001"), truth("o-000010", "lost")]

    def check(self):
        lines = [json.dumps(s) for spans in (self.one, self.two) for s in spans.values()]
        out = io.StringIO()
        self.fine = check.check(check.read_spans(lines), self.orders, out)
        self.text = out.getvalue()
        rows = [line.split() for line in self.text.splitlines()[1:9]]
        return {r[0]: dict(zip(["expected", "right", "wrong", "unknown", "missing", "extra"], map(int, r[1:]))) for r in rows}

    def test_all_right(self):
        rows = self.check()
        self.assertTrue(self.fine, self.text)
        self.assertEqual(rows["all"], dict(expected=14, right=14, wrong=0, unknown=0, missing=0, extra=0))
        self.assertIn("1 of 1 lost and slow orders are whole", self.text)

    def test_databases_need_no_server_spans(self):
        self.one, self.two = tree("o-000001", False, False), tree("o-000010", True, False)
        self.assertEqual(self.check()["all"]["right"], 14)
        self.assertTrue(self.fine, self.text)

    def test_but_all_if_one_has(self):
        del self.one["insertS"]
        self.assertEqual(self.check()["payment->postgres"]["missing"], 1)

    def test_parent_of_another_order(self):
        self.one["chargeC"].update(parentSpanId="o-000010orderS", traceId="to-000010")
        self.one["chargeS"].update(traceId="to-000010")
        rows = self.check()
        self.assertFalse(self.fine)
        self.assertEqual(rows["order->payment"]["wrong"], 1)

    def test_parent_of_another_service(self):
        self.one["chargeC"]["parentSpanId"] = "o-000001reserveS"
        self.assertEqual(self.check()["order->payment"]["wrong"], 1)
        self.assertFalse(self.fine)

    def test_parent_in_another_trace(self):
        self.one["sendS"]["traceId"] = "other"
        self.assertEqual(self.check()["order->mail"]["wrong"], 1)

    def test_server_under_another_client(self):
        self.one["insertS"]["parentSpanId"] = "o-000010insertC"
        self.assertEqual(self.check()["payment->postgres"]["wrong"], 1)

    def test_root_is_unknown(self):
        for parent in "", "0123":
            self.one["reserveC"]["parentSpanId"] = parent
            rows = self.check()
            self.assertEqual(rows["order->inventory"]["unknown"], 1)
            self.assertEqual(rows["all"]["wrong"], 0)
            self.assertFalse(self.fine)   # 13 of 14 are less than 99 %

    def test_one_unknown_in_many_is_fine(self):
        for i in range(200, 220):
            self.one.update({f"{i}{k}": v for k, v in tree(f"o-000{i}").items()})
            self.orders.append(truth(f"o-000{i}"))
        self.one["reserveC"]["parentSpanId"] = ""
        self.assertEqual(self.check()["all"]["unknown"], 1)
        self.assertTrue(self.fine, self.text)

    def test_missing(self):
        del self.one["sendC"], self.one["sendS"]
        self.assertEqual(self.check()["order->mail"]["missing"], 1)

    def test_misnamed_service_is_missing(self):
        self.one["sendS"]["resource"] = {"service.name": "python3"}
        self.assertEqual(self.check()["order->mail"]["missing"], 1)

    def test_extra(self):
        for end in "C", "S":
            again = copy.deepcopy(self.one["send" + end])
            again["spanId"] += "2"
            again["parentSpanId"] += "" if end == "C" else "2"
            self.one["again" + end] = again
        self.assertEqual(self.check()["order->mail"]["extra"], 1)
        self.assertFalse(self.fine)

    def test_lost_order_with_a_hole(self):
        for i in range(200, 300):
            self.one.update({f"{i}{k}": v for k, v in tree(f"o-000{i}").items()})
            self.orders.append(truth(f"o-000{i}"))
        self.two["insertC"]["parentSpanId"] = ""
        self.assertEqual(self.check()["all"]["unknown"], 1)
        self.assertIn("0 of 1 lost and slow orders are whole", self.text)
        self.assertFalse(self.fine)

    def test_lost_order_without_its_front(self):
        del self.two["front"]
        self.check()
        self.assertIn("0 of 1", self.text)

    def test_orders_joined_by_the_load(self):
        load = copy.deepcopy(self.one["ordersC"])
        load.update(spanId="load", parentSpanId="", resource={"service.name": "load"})
        self.one["load"] = load
        self.one["front"]["parentSpanId"] = "load"
        self.check()
        self.assertTrue(self.fine, self.text)
        self.two["front"]["parentSpanId"] = "load"
        self.check()
        self.assertFalse(self.fine)

    def test_same_span_twice_is_one(self):
        self.one["again"] = self.one["sendS"]
        self.check()
        self.assertTrue(self.fine, self.text)

    def test_two_spans_of_one_id(self):
        self.one["again"] = dict(self.two["front"], spanId=self.one["front"]["spanId"])
        with self.assertRaises(SystemExit):
            self.check()

    def test_otlp_json(self):
        def values(attributes):
            return [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()]
        batches = [{"resourceSpans": [{
            "resource": {"attributes": values(s["resource"])},
            "scopeSpans": [{"spans": [dict(s, attributes=values(s["attributes"]))]}]}]}
            for spans in (self.one, self.two) for s in spans.values()]
        spans = check.read_spans(map(json.dumps, batches))
        self.assertTrue(check.check(spans, self.orders, io.StringIO()))

    def test_program(self):
        with tempfile.TemporaryDirectory() as folder:
            spans, answers = os.path.join(folder, "spans"), os.path.join(folder, "truth")
            with open(answers, "w") as f:
                json.dump({"orders": self.orders}, f)
            for broken, status in (False, 0), (True, 1):
                if broken:
                    self.one["chargeC"]["parentSpanId"] = "o-000010orderS"
                with open(spans, "w") as f:
                    f.writelines(json.dumps(s) + "\n" for t in (self.one, self.two) for s in t.values())
                got = subprocess.run([sys.executable, check.__file__, spans, answers], stdout=subprocess.PIPE)
                self.assertEqual(got.returncode, status, got.stdout)


class Tap(unittest.TestResult):
    """One line of TAP a test, and what went wrong as comments."""

    def line(self, word, test, trouble=""):
        print(f"{word} {self.testsRun} truth: {test.id().split('.')[-1]}")
        print("".join(f"# {text}\n" for text in trouble.splitlines()), end="")

    def addSuccess(self, test):
        self.line("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line("not ok", test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.line("not ok", test, self.errors[-1][1])


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Check)
    print(f"1..{suite.countTestCases()}")
    result = suite.run(Tap())
    sys.exit(0 if result.wasSuccessful() else 1)
