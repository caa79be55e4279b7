#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What the Kubernetes API and the sockets of Docker and podman tell, and what happens when they do not answer:
# tracing goes on, and what is missing is marked. The API is tests/e2e/fake_kubernetes.py; a real one is in the
# tests of deploy/.
load helper
load containers

UID1=c2a0f5ae-3b3a-4c8e-8d3e-0d0b7a3f2f11
UID2=0d0b7a3f-2f11-4c8e-8d3e-c2a0f5ae3b3a

# certificate: a new authority, and a certificate of its for 127.0.0.1; the agent and the API get them.
certificate() {
	local dir=$api/new
	rm -rf "$dir" && mkdir -p "$dir" "$api/account"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj "/CN=ca $1" \
		-keyout "$dir/ca.key" -out "$dir/ca.crt" -addext basicConstraints=critical,CA:TRUE 2> /dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=kubernetes" -keyout "$api/tls.key" \
		-out "$dir/tls.csr" 2> /dev/null
	openssl x509 -req -in "$dir/tls.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 1 -out "$api/tls.crt" \
		-extfile <(echo subjectAltName=IP:127.0.0.1) 2> /dev/null
	cp "$dir/ca.crt" "$api/account/ca.crt"
	echo "token-$1" | tee "$api/account/token" > "$api/token"
}

# api_start: $api_pid; agents ask it.
api_start() {
	spawn "api" "$root/tests/e2e/fake_kubernetes.py" "$api" "$api_port"
	api_pid=$pid
	until_ok 10 listens "$api_port"
}

api_setup() {
	api=$T/api
	mkdir -p "$api/pods"
	: > "$api/requests"
	certificate one
	api_port=$(free_port)
	api_start
	export KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=$api_port NODE_NAME=node-a WIRESPAN_SERVICE_ACCOUNT=$api/account
}

# pod FILE UID NAME LABELS OWNER ANNOTATIONS CONTAINER_ID [NODE]
pod() {
	jq -n --arg uid "$2" --arg name "$3" --argjson labels "$4" --argjson owner "$5" --argjson notes "$6" --arg id "$7" --arg node "${8-node-a}" \
		'{kind: "Pod", metadata: {name: $name, namespace: "shop", uid: $uid, labels: $labels, annotations: $notes,
			ownerReferences: [$owner + {controller: true}]}, spec: {nodeName: $node},
		  status: {containerStatuses: [{name: "order", image: "docker.io/shop/order:2", containerID: "containerd://\($id)"}]}}' > "$T/pod.new"
	mv "$T/pod.new" "$api/pods/$1.json"
}
replicaset='{"kind": "ReplicaSet", "name": "order-7c9f"}'
labels='{"app": "order", "pod-template-hash": "7c9f"}'

attr() { jq -r "select($3) | .resource[\"$1\"] // \"-\" | tostring" "$2" | sort -u | paste -sd ' '; }

# with_ip FILE IP
with_ip() { jq --arg ip "$2" '.status += {podIP: $ip, hostIP: "192.0.2.1"}' "$api/pods/$1.json" > "$T/pod.new" && mv "$T/pod.new" "$api/pods/$1.json"; }

# in_pod ID UID COUNT SECONDS
in_pod() {
	bundle "$1" "/$tag/kubepods/burstable/pod$2/$1" "" "$progs/serve_and_end.py" "$3" 8080 "$4"
	container_run "$1"
	run_pid=$pid
}

api_was_asked() { grep -q "$1" "$api/requests"; }

# An agent that selects by a label; then the pod $id, as the kubelet does it: it has seen it long before it calls the runtime.
order_by_label() {
	api_setup
	id=$(random_id)
	tracer agent trace --json --label app=order -v
	agent=$pid
	until_ok 10 api_was_asked watch=1
	pod order "$UID1" order-7c9f-abcde "$labels" "$replicaset" '{"resource.opentelemetry.io/team.name": "back", "other": "no"}' "$id"
	until_ok 10 grep -q "pod shop/order-7c9f-abcde" "$T/agent.err"
}

@test "kubernetes: a pod of 2 s by a label that only the API knows, no file at hand: 20 of 20, with its owner" {
	order_by_label
	pod elsewhere "$UID2" order-7c9f-zzzzz "$labels" "$replicaset" '{}' 00 node-b
	in_pod "$id" "$UID1" 20 2
	ends "$run_pid" 30
	until_ok 10 lines_at_least "$T/agent.out" 40
	stop_tracer agent "$agent"
	same "spans" "$(spans "$T/agent.out" '.kind == 2')" 20
	same "deployment" "$(attr k8s.deployment.name "$T/agent.out" true)" order
	same "replicaset" "$(attr k8s.replicaset.name "$T/agent.out" true)" order-7c9f
	same "node" "$(attr k8s.node.name "$T/agent.out" true)" node-a
	same "container" "$(attr k8s.container.name "$T/agent.out" true)" order
	same "image" "$(attr container.image.name "$T/agent.out" true)" docker.io/shop/order
	same "annotation" "$(attr team.name "$T/agent.out" true)" back
	same "service" "$(attr service.name "$T/agent.out" true)" order
	same "incomplete" "$(attr wirespan.resource.incomplete "$T/agent.out" true)" -
	run ! grep -v fieldSelector=spec.nodeName%3Dnode-a "$api/requests"
}

@test "kubernetes: the API goes away and comes back with another certificate and token: marked, then completed" {
	local first second
	api_setup
	first=$(random_id) second=$(random_id)
	mkdir -p "$host/run/containerd"
	tracer agent trace --json --container order
	agent=$pid
	until_ok 10 api_was_asked watch=1
	kill "$api_pid"
	ends "$api_pid" 10
	pod order "$UID1" order-7c9f-abcde "$labels" "$replicaset" '{}' "$first"
	as_cri "$first" order order-7c9f-abcde shop "$UID1" docker.io/shop/order:2
	in_pod "$first" "$UID1" 200 20
	until_ok 20 lines_at_least "$T/agent.out" 20
	same "while it is away" "$(attr wirespan.resource.incomplete "$T/agent.out" true)" kubernetes
	same "pod, by containerd's file" "$(attr k8s.pod.name "$T/agent.out" true)" order-7c9f-abcde
	certificate two
	api_start
	until_ok 30 eval "jq -e 'select(.resource[\"k8s.deployment.name\"] == \"order\")' $T/agent.out > /dev/null"
	ends "$run_pid" 40
	until_ok 10 lines_at_least "$T/agent.out" 400
	stop_tracer agent "$agent"
	same "spans" "$(spans "$T/agent.out" '.kind == 2')" 200
	same "when it is back" "$(attr wirespan.resource.incomplete "$T/agent.out" '.resource["k8s.deployment.name"]')" -
	holds "$T/agent.err" "Kubernetes API https://127.0.0.1:"
}

@test "kubernetes: labels and annotations of a pod change while it serves: later spans have the new ones" {
	order_by_label
	in_pod "$id" "$UID1" 200 20
	until_ok 20 lines_at_least "$T/agent.out" 20
	same "before" "$(attr service.name "$T/agent.out" true) $(attr team.name "$T/agent.out" true)" "order back"
	pod order "$UID1" order-7c9f-abcde '{"app": "order", "pod-template-hash": "7c9f", "app.kubernetes.io/name": "checkout"}' "$replicaset" '{}' "$id"
	until_ok 20 eval "jq -e 'select(.resource[\"service.name\"] == \"checkout\")' $T/agent.out > /dev/null"
	ends "$run_pid" 40
	until_ok 10 lines_at_least "$T/agent.out" 400
	stop_tracer agent "$agent"
	same "spans" "$(spans "$T/agent.out" '.kind == 2')" 200
	# First one, then the other, and nothing in between or back again.
	same "resources" "$(jq -r '[.resource["service.name"], .resource["team.name"], .resource["k8s.pod.label.app.kubernetes.io/name"], .resource["k8s.deployment.name"]] | map(. // "-") | join(" ")' "$T/agent.out" | uniq | paste -sd '|')" \
		"order back - order|checkout - checkout order"
}

@test "kubernetes: many pods in pages, a watch that is too old, a server that hangs" {
	local i id since
	api_setup
	for i in {1..120}; do
		pod "p$i" "c2a0f5ae-3b3a-4c8e-8d3e-$(printf %012d "$i")" "order-7c9f-$i" "$labels" "$replicaset" '{}' "0$i"
	done
	touch "$api/hang"
	tracer agent trace --json --label app=order -v
	agent=$pid
	id=$(random_id)
	in_pod "$id" "c2a0f5ae-3b3a-4c8e-8d3e-000000000117" 100 10
	until_ok 10 api_was_asked limit=50
	echo 1000000 > "$api/compacted"
	rm "$api/hang"
	until_ok 20 api_was_asked watch=1
	since=$(date +%s%N)
	# It waits in between, each time longer: at least 0.25 s, 0.5, 1 and 2.
	until_ok 20 eval "[ \$(grep -c watch=1 $api/requests) -ge 5 ]"
	[ $((($(date +%s%N) - since) / 1000000)) -ge 3500 ]
	rm "$api/compacted"
	ends "$run_pid" 30
	stop_tracer agent "$agent"
	holds "$T/agent.err" "120 pods on node-a"
	holds "$api/requests" continue=50 continue=100
	# It ran before the API told its label: what came after is traced.
	same "pod" "$(attr k8s.pod.name "$T/agent.out" true)" order-7c9f-117
	[ "$(spans "$T/agent.out" '.kind == 2')" -ge 50 ]
}

@test "docker's socket: it answers, it hangs, it is not there: tracing goes on" {
	local id sock=$host/var/run/docker.sock mode
	mkdir -p "${sock%/*}"
	for mode in answer hang gone; do
		id=$(random_id)
		[ $mode = gone ] || { spawn "engine-$mode" "$progs/fake_engine.py" "$sock" $mode; engine=$pid; until_ok 10 test -S "$sock"; }
		tracer "agent-$mode" trace --json --container "${id:0:12}"
		agent=$pid
		bundle "$id" "/$tag/docker/$id" "" "$progs/serve_and_end.py" 20 8080 2
		container_run "$id"
		ends "$pid" 30
		until_ok 10 lines_at_least "$T/agent-$mode.out" 40
		stop_tracer "agent-$mode" "$agent"
		same "spans, $mode" "$(spans "$T/agent-$mode.out" '.kind == 2')" 20
		[ $mode = gone ] || { kill "$engine"; ends "$engine" 10; rm -f "$sock"; }
	done
	# The first spans may have left before the answer came.
	same "answered" "$(tail -n 1 "$T/agent-answer.out" | jq -r '.resource["container.name"], .resource["wirespan.resource.incomplete"]' | xargs)" "told-by-docker null"
	same "hung" "$(attr wirespan.resource.incomplete "$T/agent-hang.out" true)" engine
	same "not there" "$(attr wirespan.resource.incomplete "$T/agent-gone.out" true)" container
}

@test "kubernetes: a call to a pod of this node names it, whatever was dialled" {
	local server client
	api_setup
	server=$(random_id) client=$(random_id)
	ip netns add "$tag"
	ip -n "$tag" link set lo up
	ip -n "$tag" address add 10.9.9.9/32 dev lo
	pod order "$UID1" order-7c9f-abcde "$labels" "$replicaset" '{}' "$server"
	with_ip order 10.9.9.9
	pod client "$UID2" client-abcde '{"app": "client"}' '{"kind": "StatefulSet", "name": "client"}' '{}' "$client"
	# It had the address before, and is listed last.
	pod past c2a0f5ae-3b3a-4c8e-8d3e-000000000001 past-abcde '{"app": "past"}' '{"kind": "Job", "name": "past"}' '{}' "0$client"
	with_ip past 10.9.9.9
	jq '.status.phase = "Succeeded"' "$api/pods/past.json" > "$T/pod.new"
	mv "$T/pod.new" "$api/pods/past.json"
	tracer agent trace --json --label app=client -v
	agent=$pid
	until_ok 10 grep -q "3 pods on node-a" "$T/agent.err"
	bundle "$server" "/$tag/kubepods/burstable/pod$UID1/$server" "/var/run/netns/$tag" "$progs/http_server.py" --both 8080
	container_run "$server"
	until_ok 10 ip netns exec "$tag" grep -q ":1F90 .* 0A" /proc/net/tcp6
	bundle "$client" "/$tag/kubepods/burstable/pod$UID2/$client" "/var/run/netns/$tag" "$progs/http_calls.py" 10.9.9.9 8080 10 /peer
	container_run "$client"
	ends "$pid" 20
	until_ok 10 lines_at_least "$T/agent.out" 10
	stop_tracer agent "$agent"
	runc_ kill "$server" KILL
	until_ok 5 eval "! runc_ state $server 2> /dev/null | grep -q running"
	ip netns del "$tag"
	same "client" "$(attr service.name "$T/agent.out" true)" client
	same "peer" "$(jq -c '[.attributes["service.peer.name"], .attributes["service.peer.namespace"], .attributes["server.address"]]' "$T/agent.out" | sort -u)" '["order","shop","10.9.9.9"]'
	same "its pod" "$(peer_k8s true | sort -u)" '{"deployment.name":"order","namespace.name":"shop","pod.name":"order-7c9f-abcde"}'
}

# peer_k8s FILTER: what is told of Kubernetes at the other end, of each of those spans.
peer_k8s() { jq -cS "select($1) | .attributes | with_entries(select(.key | startswith(\"wirespan.peer.k8s.\")) | .key |= sub(\"wirespan.peer.k8s.\"; \"\"))" "$T/agent.out"; }

# service FILE UID NAME CLUSTER_IPS
service() {
	mkdir -p "$api/services"
	jq -n --arg uid "$2" --arg name "$3" --argjson ips "$4" '{kind: "Service", metadata: {name: $name, namespace: "shop", uid: $uid},
		spec: {clusterIP: $ips[0], clusterIPs: $ips}}' > "$T/service.new"
	mv "$T/service.new" "$api/services/$1.json"
}

@test "kubernetes: a call to a service's address names it, as the list and what comes after it say; none is asked for unless wanted" {
	local comm=c${T##*.} n
	api_setup
	ip netns add "$tag"
	ip -n "$tag" link set lo up
	for n in 1 2 3; do ip -n "$tag" address add "10.96.7.$n/32" dev lo; done
	spawn server ip netns exec "$tag" "$progs/http_server.py" --both 8080
	until_ok 10 ip netns exec "$tag" grep -q ":1F90 .* 0A" /proc/net/tcp6
	cp "$(command -v curl)" "$T/$comm"
	service order "$UID1" order '["10.96.7.1", "fd00:7::1"]'
	service headless "$UID2" headless '["None"]'
	service moved c2a0f5ae-3b3a-4c8e-8d3e-000000000003 moved '["10.96.7.3"]'
	tracer plain trace --json --comm "$comm" -v
	until_ok 10 grep -q "0 pods on node-a" "$T/plain.err"
	kill "$pid"
	ends "$pid" 10
	same "asked for services" "$(grep -c services "$api/requests" || true)" 0

	tracer agent trace --json --comm "$comm" --kubernetes-services -v
	agent=$pid
	until_ok 10 grep -q "2 services with an address" "$T/agent.err"
	call 10.96.7.1 /order
	call 10.96.7.2 /nobody
	service late c2a0f5ae-3b3a-4c8e-8d3e-000000000004 late '["10.96.7.2"]'
	service moved c2a0f5ae-3b3a-4c8e-8d3e-000000000003 renamed '["10.96.7.3"]'
	rm "$api/services/order.json"
	until_ok 10 call_names 10.96.7.2 /late late
	until_ok 10 call_names 10.96.7.3 /moved renamed
	until_ok 10 call_names 10.96.7.1 /gone none
	stop_tracer agent "$agent"
	ip netns del "$tag"
	same "peer" "$(jq -c 'select(.attributes["url.full"] | endswith("/order")) | [.attributes["service.peer.name"], .attributes["service.peer.namespace"], .attributes["server.address"]]' "$T/agent.out")" '["order","shop","10.96.7.1"]'
	same "nobody's" "$(peer_of /nobody)" none
	same "its service" "$(peer_k8s '.attributes["url.full"] | endswith("/order")')" '{"namespace.name":"shop","service.name":"order"}'
	same "nobody's" "$(peer_k8s '.attributes["url.full"] | endswith("/nobody")')" '{}'
	same "lists" "$(grep -c "services?limit" "$api/requests")" 1
}
call() { bounded 20 ip netns exec "$tag" "$T/$comm" -sS -o /dev/null "http://$1:8080$2"; }
# peer_of PATH: of the newest call of that path.
peer_of() { jq -r --arg p "$1" 'select(.attributes["url.full"] | endswith($p)) | .attributes["service.peer.name"] // "none"' "$T/agent.out" | tail -n 1; }
# call_names ADDRESS PATH NAME: a call to it has that peer.
call_names() {
	local before
	before=$(wc -l < "$T/agent.out")
	call "$1" "$2"
	until_ok 5 lines_at_least "$T/agent.out" $((before + 1)) && [ "$(peer_of "$2")" = "$3" ]
}
