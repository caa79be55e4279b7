// SPDX-License-Identifier: Apache-2.0
/* test_probe.c - what is taken for a health check, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "link/probe.h"

static const struct row {
	const char *method, *path, *agent;
	int64_t status;
	unsigned flags;
	bool traced, probe;
} rows[] = {
	{"GET", "/", "kube-probe/1.35", 200, 0, false, true},
	{"GET", "/api/orders?x", "ELB-HealthChecker/2.0", 200, 0, false, true},
	{"HEAD", "/", "Amazon-Route53-Health-Check-Service (ref 1; report http://amzn.to/1vsZADi)", 204, 0, false, true},
	{"GET", "/x", "GoogleHC/1.0", 302, 0, false, true},
	{"POST", "/check", "Consul Health Check", 200, 0, false, true},
	{"GET", "/", "Envoy/HC", 200, 0, false, true},
	{"GET", "/healthz", "curl/8.0", 200, 0, false, true},
	{"GET", "/readyz/etcd", "", 200, 0, false, true},
	{"HEAD", "/livez", "", 200, 0, false, true},
	{"GET", "/-/healthy", "", 200, 0, false, true},
	{"GET", "/actuator/health/liveness", "", 200, 0, false, true},
	{"GET", "/health/ready", "", 200, 0, false, true},
	/* Whoever fails is worth telling of; so is what somebody traces. */
	{"GET", "/healthz", "kube-probe/1.35", 500, XCHG_ERROR, false, false},
	{"GET", "/healthz", "kube-probe/1.35", 404, XCHG_CLIENT_ERROR, false, false},
	{"GET", "/healthz", "kube-probe/1.35", 0, XCHG_NO_RESPONSE, false, false},
	{"GET", "/healthz", "kube-probe/1.35", 200, XCHG_TIMEOUT, false, false},
	{"GET", "/healthz", "kube-probe/1.35", 200, 0, true, false},
	/* It may mean something. */
	{"POST", "/healthz", "", 200, 0, false, false},
	{"GET", "/healthzone", "", 200, 0, false, false},
	{"GET", "/health", "", 200, 0, false, false},
	{"GET", "/api/healthz", "", 200, 0, false, false},
	{"GET", "/status", "Mozilla/5.0 kube-probe/1.35", 200, 0, false, false},
	{"GET", "/", "kube-prob", 200, 0, false, false},
	{"GET", "", "", 200, 0, false, false},
	{"", "", "", 0, 0, false, false},
};

static void table(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];
		struct exchange x = {.flags = r->flags, .inbound = true, .trace.valid = r->traced};

		if (*r->method)
			attrs__str(&x.attrs, "http.request.method", slice__of(r->method));
		if (*r->path)
			attrs__str(&x.attrs, "url.path", slice__of(r->path));
		if (*r->agent)
			attrs__str(&x.attrs, "user_agent.original", slice__of(r->agent));
		if (r->status)
			attrs__int(&x.attrs, "http.response.status_code", r->status);
		if (exchange__is_probe(&x) != r->probe)
			fail_msg("%s %s, %s: %s", r->method, r->path, r->agent, r->probe ? "is one" : "is none");
		attrs__free(&x.attrs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(table)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
