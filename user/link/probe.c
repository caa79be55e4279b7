// SPDX-License-Identifier: Apache-2.0
#include "link/probe.h"

#include <string.h>

/* What they begin with. */
static const char *const agents[] = {
	"kube-probe/",			       /* kubelet, pkg/probe/http/request.go */
	"ELB-HealthChecker/",		       /* AWS, "Health checks for Application Load Balancer target groups" */
	"Amazon-Route53-Health-Check-Service", /* AWS, "How Route 53 determines whether a health check is healthy" */
	"GoogleHC/",			       /* Google Cloud, "Health checks overview" */
	"Load Balancer Agent",		       /* Azure, "Azure Load Balancer health probes" */
	"Edge Health Probe",		       /* Azure, "Health probes" of Front Door */
	"Consul Health Check",		       /* hashicorp/consul, agent/checks/check.go */
	"Envoy/HC",			       /* envoyproxy/envoy, http health checker */
};

/* With what lies below them: /livez/ping. */
static const char *const paths[] = {
	"/healthz", "/livez", "/readyz",   /* Kubernetes, "API health endpoints" */
	"/-/healthy", "/-/ready",	   /* Prometheus, "Management API" */
	"/actuator/health",		   /* Spring Boot, "Health" */
	"/health/live", "/health/ready", "/health/started", /* MicroProfile Health 4.0, 4.1 */
};

static bool slice__begins(struct slice s, const char *with)
{
	const size_t n = strlen(with);

	return s.n >= n && !memcmp(s.p, with, n);
}

static bool slice__is_below(struct slice path, const char *top)
{
	const size_t n = strlen(top);

	return slice__begins(path, top) && (path.n == n || path.p[n] == '/');
}

static bool attrs__name_prober(const struct attrs *a)
{
	const struct slice agent = attrs__get_str(a, "user_agent.original"), path = attrs__get_str(a, "url.path");
	const struct slice method = attrs__get_str(a, "http.request.method");

	for (size_t i = 0; i < sizeof(agents) / sizeof(*agents); i++)
		if (agent.n && slice__begins(agent, agents[i]))
			return true;
	if (!slice__eq(method, slice__of("GET")) && !slice__eq(method, slice__of("HEAD")))
		return false;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (path.n && slice__is_below(path, paths[i]))
			return true;
	return false;
}

bool exchange__is_probe(const struct exchange *x)
{
	const int64_t status = attrs__get_int(&x->attrs, "http.response.status_code", 0);

	return !x->trace.valid && !(x->flags & (XCHG_ERROR | XCHG_CLIENT_ERROR | XCHG_NO_RESPONSE | XCHG_TIMEOUT)) && status >= 200 &&
	       status < 400 && attrs__name_prober(&x->attrs);
}
