#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A real Kubernetes node (tests/e2e/kubernetes/node): the DaemonSet of deploy/ traces the pods of a namespace,
# and goes on while it is updated and while the API server is away. `make kubernetes`.
load helper
load kubernetes

setup_file() {
	tiny=$BATS_FILE_TMPDIR/tiny
	cc -O2 -static -pthread -o "$tiny" "$progs/tiny.c"
	pack tiny "$tiny"
	node_up "$tiny.tar"
	shop_of_pods
	deploy
}
teardown_file() { node_down; }
setup() { e2e_setup; }
teardown() { e2e_teardown; }

# --- what runs there ----------------------------------------------------------------------------

# workload NAME ARGUMENTS LABELS: a Deployment of one pod in the namespace shop.
workload() {
	cat <<-Y
		---
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: $1, namespace: shop}
		spec:
		  selector: {matchLabels: {app: $1}}
		  template:
		    metadata: {labels: {app: $1}}
		    spec:
		      terminationGracePeriodSeconds: 1
		      containers: [{name: web, image: "localhost/tiny:1", imagePullPolicy: Never, args: [$2]}]
	Y
}

pod_ip() { kubectl -n shop get pod -l "app=$1" -o 'jsonpath={.items[0].status.podIP}'; }

shop_of_pods() {
	kubectl create namespace shop
	until_ok 30 kubectl -n shop get serviceaccount default
	workload stock '"80"' | kubectl apply -f -
	kubectl -n shop rollout status deployment/stock --timeout=60s
	workload front "\"80\", \"$(pod_ip stock):80\"" | kubectl apply -f -
	kubectl -n shop rollout status deployment/front --timeout=60s
	pod_ip front > "$F/front"
}

# load NAME SECONDS PATH: requests over one connection each, every 10 ms; $T/NAME.out has "TIME NUMBER STATUS" of each.
load() {
	spawn "$1" "$F/node/enter" "$py" -uc '
import http.client, sys, time
host, seconds, path = sys.argv[1], float(sys.argv[2]), sys.argv[3]
end, n = time.time() + seconds, 0
while time.time() < end:
    start, n = time.time(), n + 1
    try:
        c = http.client.HTTPConnection(host, timeout=5)
        c.request("GET", "/%s/%d" % (path, n))
        status = c.getresponse().status
        c.close()
    except OSError as e:
        status = e
    print("%.6f" % start, n, status)
    time.sleep(0.01)' "$(< "$F/front")" "$2" "$3"
}

# spans_of PATH: those that the Collector wrote for requests below it, with their resources, one a line.
spans_of() {
	jq -c --arg path "/$1/" '.resourceSpans[] | (.resource.attributes | map({(.key): .value.stringValue}) | add) as $r | .scopeSpans[].spans[]
		| (.attributes | map({(.key): (.value.stringValue // .value.intValue)}) | add) as $a
		| select($a["url.path"] // $a["url.full"] // "" | contains($path))
		| {kind, name, traceId, spanId, parentSpanId, resource: $r, path: ($a["url.path"] // ($a["url.full"] | sub("^[a-z]+://[^/]*"; ""))), start: .startTimeUnixNano}' \
		"$F/collected/spans.jsonl" 2> /dev/null
}
arrived() { [ "$(spans_of "$1" | wc -l)" -ge "$2" ]; }

# --- the tests ----------------------------------------------------------------------------------

@test "the DaemonSet becomes Ready, with four capabilities and a read-only root" {
	kubectl -n wirespan rollout status daemonset/wirespan --timeout=120s
	p=$(agent_pid)
	same "capabilities" "$(awk '/^Cap(Prm|Eff|Bnd)/ { print $2 }' "/proc/$p/status" | sort -u)" 000000c000080004
	same "no new privileges" "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$p/status")" 1
	kubectl -n wirespan exec "$(agent_pod)" -- /usr/sbin/wirespan doctor > "$T/doctor"
	holds "$T/doctor" "ok   trial"
	kubectl -n wirespan exec "$(agent_pod)" -- /usr/sbin/wirespan health --config /etc/wirespan/wirespan.yaml ready
}

@test "least rights: nothing of the node can be written to, no port is open beyond loopback" {
	p=$(agent_pid)
	# Mounts that are not read-only and no file systems of the container's own: what every pod has. /host is this
	# test's (values), and would not be there else.
	awk '$6 !~ /(^|,)ro(,|$)/ { for (i = 7; $i != "-"; i++); if ($(i + 1) !~ /^(tmpfs|proc|devpts|mqueue)$/) print $5 }' "/proc/$p/mountinfo" |
		grep -v ^/host/ | sort > "$T/writable"
	same "writable" "$(grep -vxE '/run/wirespan|/dev/termination-log|/etc/hosts|/etc/hostname|/etc/resolv.conf' "$T/writable" || true)" ""
	[ -s "$T/writable" ]
	same "listens at" "$(awk '$4 == "0A" { print $2 }' "/proc/$p/net/tcp" "/proc/$p/net/tcp6")" "0100007F:24F9"
}

@test "pods are traced: right names, right parents, at the Collector" {
	kubectl -n wirespan rollout status daemonset/wirespan --timeout=60s
	for n in $(seq 50); do
		inside curl -sf "http://$(< "$F/front")/first/$n" > /dev/null
	done
	until_ok 20 arrived first 150
	spans_of first > "$T/got.jsonl"
	same "spans" "$(wc -l < "$T/got.jsonl")" 150
	jq -r '[.kind, .resource["k8s.namespace.name"], (.resource["k8s.pod.name"] | split("-")[0]), .resource["k8s.container.name"]] | @tsv' "$T/got.jsonl" |
		sort | uniq -c | awk '{ $1 = $1 } 1' > "$T/kinds"
	same "spans by kind and pod" "$(xargs < "$T/kinds")" "50 2 shop front web 50 2 shop stock web 50 3 shop front web"
	same "pods" "$(jq -r '.resource["k8s.pod.name"]' "$T/got.jsonl" | sort -u | xargs)" \
		"$(kubectl -n shop get pods -o 'jsonpath={.items[*].metadata.name}' | tr ' ' '\n' | sort | xargs)"
	same "uids" "$(jq -r '.resource["k8s.pod.uid"]' "$T/got.jsonl" | sort -u | xargs)" \
		"$(kubectl -n shop get pods -o 'jsonpath={.items[*].metadata.uid}' | tr ' ' '\n' | sort | xargs)"
	# What the API server alone knows.
	same "deployments" "$(jq -r '.resource["k8s.deployment.name"]' "$T/got.jsonl" | sort -u | xargs)" "front stock"
	# Each request: the server of front, below it its call, below that the server of stock.
	"$py" - "$T/got.jsonl" <<-'PY'
		import json, sys
		spans = [json.loads(line) for line in open(sys.argv[1])]
		by = {(s["path"], s["kind"], s["resource"]["k8s.pod.name"].split("-")[0]): s for s in spans}
		for n in range(1, 51):
		    path = "/first/%d" % n
		    root, call, below = by[path, 2, "front"], by[path, 3, "front"], by[path, 2, "stock"]
		    assert not root.get("parentSpanId"), root
		    assert call["parentSpanId"] == root["spanId"] and below["parentSpanId"] == call["spanId"], path
		    assert root["traceId"] == call["traceId"] == below["traceId"], path
	PY
}

agent_said() { kubectl -n wirespan logs "$1" 2>&1 | grep -q "$2"; }

one_agent() { [ "$(kubectl -n wirespan get pod -l app.kubernetes.io/name=wirespan -o name | wc -l)" = 1 ]; }

# rolls PATH: the agent is updated under load: at most what happened in between is lost, and counted.
rolls() {
	until_ok 60 one_agent
	old=$(agent_pod)
	spawn old "$F/node/enter" kubectl -n wirespan logs -f --timestamps "$old"
	until_ok 10 grep -q "wirespan: ready" "$T/old.out"
	load load 25 "$1"
	load=$pid
	until_ok 10 lines_at_least "$T/load.out" 100
	kubectl -n wirespan rollout restart daemonset/wirespan
	kubectl -n wirespan rollout status daemonset/wirespan --timeout=120s
	ends "$load" 60
	until_ok 60 one_agent
	new=$(agent_pod)
	[ "$new" != "$old" ]
	until_ok 20 agent_said "$new" "state: no agent ran"
	kubectl -n wirespan logs --timestamps "$new" > "$T/new.log"
	sed 's/^[^ ]* //' "$T/old.out" > "$T/old.ledger"
	joined=--joined balanced "$T/old.ledger"   # its containers were there before it
	kubectl -n wirespan logs "$new" > "$T/new.err"
	! grep -v " 200$" "$T/load.out"
	# What was answered before the old agent's end and after the new one's readiness is there.
	until_ok 20 arrived "$1" 300
	sleep_until_quiet
	spans_of "$1" > "$T/got.jsonl"
	"$py" - "$T" >&3 <<-'PY'
		import datetime, json, re, sys
		t = sys.argv[1]
		def when(line):
		    day, _, fraction = line.split(" ")[0].rstrip("Z").partition(".")
		    return datetime.datetime.fromisoformat(day + "+00:00").timestamp() + float("0." + (fraction or "0"))
		ledger = [l for l in open(t + "/old.out") if "records: made" in l]
		gone = when(ledger[-1])
		back = when(next(l for l in open(t + "/new.log") if "wirespan: ready" in l))
		spans = {}
		for line in open(t + "/got.jsonl"):
		    s = json.loads(line)
		    key = (s["kind"], s["resource"]["k8s.pod.name"].split("-")[0])
		    spans.setdefault(int(s["path"].rsplit("/", 1)[1]), []).append(key)
		sent = [(float(l.split()[0]), int(l.split()[1])) for l in open(t + "/load.out")]
		whole = [(2, "front"), (2, "stock"), (3, "front")]
		lost = [(at, n) for at, n in sent if sorted(spans.get(n, [])) != whole]
		between = [n for at, n in sent if gone - 2 <= at <= back + 0.5]
		early = [(round(at - gone, 2), n, spans.get(n)) for at, n in lost if n not in between]
		print("# sent %d, whole %d, lost %d, sent in between %d; the gap was %.2f s" % (len(sent), len(sent) - len(lost), len(lost), len(between), back - gone))
		# Each request is a connection to front, and one of front's to stock, which makes none.
		told = re.search(r"no agent ran for (up to )?([0-9.]+) s: .* at most (\d+) connections were accepted and (\d+) made", open(t + "/new.log").read())
		accepted, made = int(told[3]), int(told[4])
		print("# the new agent: no agent ran for %s s; at most %d connections accepted, %d made" % (told[2], accepted, made))
		assert not told[1], "the state is not the one of its end"
		assert len(lost) <= made <= len(between) and accepted >= made, "lost %d, counted %d" % (len(lost), made)
		assert not early, "lost outside of the gap: %s" % early
		assert len(lost) < len(sent) / 2 and back > gone
	PY
}

@test "rolling update: at most what happened in between is lost, the new agent counts it, and the old one's books balance" {
	rolls update
}

@test "rolling update with maxSurge: the new agent waits, ready, and takes over when the old one ends" {
	kubectl -n wirespan patch daemonset wirespan --type merge \
		-p '{"spec": {"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}}'
	rolls surge
	kubectl -n wirespan logs "$(agent_pod)" > "$T/surge.log" 2>&1
	holds "$T/surge.log" "another agent"
}

late_is_known() {
	inside curl -sf "http://$(pod_ip late)/late/1" > /dev/null
	spans_of late | jq -r '.resource["k8s.deployment.name"]' | grep -qx late
}

@test "the API server away for a minute, and back with another certificate: tracing goes on" {
	load load 75 away
	load=$pid
	until_ok 10 lines_at_least "$T/load.out" 100
	rm -f "$F/node/answer"
	echo api stop > "$F/node/control"
	until_ok 10 test -e "$F/node/answer"
	! inside curl -sk --max-time 2 "https://$ADDRESS/readyz"
	stopped=$SECONDS
	while [ $((SECONDS - stopped)) -lt 60 ]; do sleep 1; done
	rm -f "$F/node/answer"
	echo api start > "$F/node/control"
	until_ok 90 test -e "$F/node/answer"
	ends "$load" 60
	! grep -v " 200$" "$T/load.out"
	sent=$(wc -l < "$T/load.out")
	until_ok 30 arrived away $((3 * sent))
	same "spans" "$(spans_of away | wc -l)" $((3 * sent))
	same "pods" "$(spans_of away | jq -r '.resource["k8s.pod.name"] // "none" | split("-")[0]' | sort | uniq -c | awk '{ $1 = $1 } 1' | xargs)" "$((2 * sent)) front $sent stock"
	# A pod of after that is known by what the API server alone can tell.
	workload late '"80"' | kubectl apply -f -
	until_ok 90 kubectl -n shop rollout status deployment/late --timeout=60s
	until_ok 90 late_is_known
	until_ok 90 kubectl -n wirespan rollout status daemonset/wirespan --timeout=5s
	same "restarts" "$(kubectl -n wirespan get pod "$(agent_pod)" -o 'jsonpath={.status.containerStatuses[0].restartCount}')" 0
}

@test "limits hold: the agent stays within its memory" {
	p=$(agent_pid)
	rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$p/status")
	echo "# resident: $rss KiB" >&3
	[ "$rss" -lt $((128 * 1024)) ]
	same "restarts" "$(kubectl -n wirespan get pod "$(agent_pod)" -o 'jsonpath={.status.containerStatuses[0].restartCount}')" 0
}
