#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Containers: they are selected by what people call them before their first request, and every span tells
# whose it is. Real ones, by runc; what docker and containerd leave on disk is laid out by the test.
load helper
load containers

UID1=c2a0f5ae-3b3a-4c8e-8d3e-0d0b7a3f2f11

# attr NAME FILE: the values of a resource attribute, each once.
attr() { jq -r ".resource[\"$1\"] // \"-\" | tostring" "$2" | sort -u | paste -sd ' '; }

# short_lived ID: 20 requests in a container that ends after 2 s.
short_lived() {
	local status
	container_run "$1"
	ends "$pid" 30
	same "the container's end" "$status" 0
}

@test "selection: docker's container of 2 s, started after the agent, by its name: 20 of 20" {
	local id
	id=$(random_id)
	bundle "$id" "/$tag/docker/$id" "" "$progs/serve_and_end.py" 20 8080 2
	as_docker "$id" shop-order-1 registry.example.com:5000/shop/order:1.2 '{"tier":"back","com.docker.compose.service":"order"}'
	tracer agent trace --json --container shop-order-1 -v
	agent=$pid
	holds "$T/agent.err" "--container shop-order-1: there is none yet; waiting for it"
	short_lived "$id"
	until_ok 10 lines_at_least "$T/agent.out" 40
	stop_tracer agent "$agent"
	grep "us after its cgroup was made" "$T/agent.err"
	same "server's spans" "$(spans "$T/agent.out" '.kind == 2')" 20
	same "client's spans" "$(spans "$T/agent.out" '.kind == 3')" 20
	same "first" "$(spans "$T/agent.out" '.kind == 2 and .attributes["url.path"] == "/n/0"')" 1
	same "id" "$(attr container.id "$T/agent.out")" "$id"
	same "name" "$(attr container.name "$T/agent.out")" shop-order-1
	same "image" "$(attr container.image.name "$T/agent.out")" registry.example.com:5000/shop/order
	same "tags" "$(attr container.image.tags "$T/agent.out")" '["1.2"]'
	same "runtime" "$(attr container.runtime.name "$T/agent.out")" docker
	same "service" "$(attr service.name "$T/agent.out")" order
	same "incomplete" "$(attr wirespan.resource.incomplete "$T/agent.out")" -
}

@test "selection: a pod's container by image, namespace, pod or label of 2 s, started after the agent: 20 of 20" {
	local id by
	mkdir -p "$host/run/containerd"
	for by in "--image shop/*" "--namespace shop" "--pod shop/order-*" "--pod order-7c9f-abcde" "--container ID"; do
		id=$(random_id)
		bundle "$id" "/$tag/kubepods/burstable/pod$UID1/$id" "" "$progs/serve_and_end.py" 20 8080
		as_cri "$id" order order-7c9f-abcde shop "$UID1" docker.io/shop/order:2
		# shellcheck disable=SC2086
		tracer agent trace --json ${by/ID/${id:0:12}}
		agent=$pid
		short_lived "$id"
		until_ok 10 lines_at_least "$T/agent.out" 40
		stop_tracer agent "$agent"
		same "$by" "$(spans "$T/agent.out" '.kind == 2')" 20
		same "pod" "$(attr k8s.pod.name "$T/agent.out")" order-7c9f-abcde
		same "uid" "$(attr k8s.pod.uid "$T/agent.out")" "$UID1"
		same "namespace" "$(attr k8s.namespace.name "$T/agent.out")" shop
		same "container" "$(attr k8s.container.name "$T/agent.out")" order
		same "instance" "$(attr service.instance.id "$T/agent.out")" shop.order-7c9f-abcde.order
	done
}

@test "selection: a container that is started again, with the same id: 20 of 20 both times" {
	local id
	id=$(random_id)
	bundle "$id" "/$tag/docker/$id" "" "$progs/serve_and_end.py" 20 8080 2
	as_docker "$id" again busybox
	tracer agent trace --json --container again
	agent=$pid
	short_lived "$id"
	until_ok 10 lines_at_least "$T/agent.out" 40
	short_lived "$id"
	until_ok 10 lines_at_least "$T/agent.out" 80
	stop_tracer agent "$agent"
	same "server's spans" "$(spans "$T/agent.out" '.kind == 2')" 40
	same "first" "$(spans "$T/agent.out" '.kind == 2 and .attributes["url.path"] == "/n/0"')" 2
}

@test "selection: runc alone, by id and by pattern: 20 of 20" {
	local by
	for by in "$tag-a" "*${tag#wirespan}-a"; do
		bundle "$tag-a" "/$tag/x" "" "$progs/serve_and_end.py" 20 8080
		tracer agent trace --json --container "$by"
		agent=$pid
		short_lived "$tag-a"
		until_ok 10 lines_at_least "$T/agent.out" 40
		stop_tracer agent "$agent"
		same "$by" "$(spans "$T/agent.out" '.kind == 2')" 20
		same "runtime" "$(attr container.runtime.name "$T/agent.out")" runc
		rm -r "$T/bundles/$tag-a"
	done
}

@test "selection: what --not names, kube-system and other containers are left out" {
	local id row
	mkdir -p "$host/run/containerd"
	tracer agent trace --json --namespace '*' --not pod=shop/secret-* --not container=sidecar
	agent=$pid
	for row in "order order-1 shop" "order secret-1 shop" "sidecar order-2 shop" "dns coredns-1 kube-system"; do
		# shellcheck disable=SC2086
		set -- $row
		id=$(random_id)
		bundle "$id" "/$tag/kubepods/pod$UID1/$id" "" "$progs/serve_and_end.py" 3 8080
		as_cri "$id" "$1" "$2" "$3" "$UID1" shop/order:2
		short_lived "$id"
	done
	id=$(random_id)
	bundle "$id" "/$tag/docker/$id" "" "$progs/serve_and_end.py" 3 8080
	as_docker "$id" other busybox
	short_lived "$id"
	until_ok 10 lines_at_least "$T/agent.out" 6
	stop_tracer agent "$agent"
	same "pods" "$(attr k8s.pod.name "$T/agent.out")" order-1
	same "spans" "$(wc -l < "$T/agent.out")" 6
}

@test "selection: a container that runs already, and what is started in it later" {
	local id
	id=$(random_id)
	bundle "$id" "/$tag/docker/$id" "" /usr/bin/sleep 60
	as_docker "$id" old busybox
	container_run "$id"
	until_ok 10 eval "runc_ list -q | grep -q $id"
	until_ok 10 eval "runc_ state $id | grep -q running"
	tracer agent trace --json --container old
	agent=$pid
	lacks "$T/agent.err" "there is none yet"
	bounded 20 runc --root "$host/run/runc" exec "$id" "$progs/serve_and_end.py" 20 8080
	until_ok 10 lines_at_least "$T/agent.out" 40
	stop_tracer agent "$agent"
	same "spans" "$(spans "$T/agent.out" '.kind == 2')" 20
	same "name" "$(attr container.name "$T/agent.out")" old
	runc_ kill "$id" KILL
}

@test "selection: what cannot work here says what is missing" {
	export WIRESPAN_HOST_ROOT=$T/nowhere
	local what
	for what in pod image namespace label; do
		[ ! -e /proc/1/root/run/containerd ] || skip "this machine has containerd"
		run -1 "$wirespan" trace --json "--$what" shop
		[[ $output == *"--$what: "*" known here: "* ]]
	done
	run -2 "$wirespan" trace --not pid=1 --all
	[[ $output == *'"pid=1" is not container=, image=, pod='* ]]
	run -2 "$wirespan" trace --not pod=a
	[[ $output == *"nothing selected"* ]]
}

@test "ps: what runs, what it is called, whether it is traced and why not" {
	local id pod
	id=$(random_id) pod=$(random_id)
	# Its name is no UTF-8, and a terminal's sequence.
	server odd python3 -c 'import ctypes, socket, sys, time
ctypes.CDLL(None).prctl(15, b"a\xff\x1b[0m", 0, 0, 0)  # PR_SET_NAME
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)'
	odd_pid=$pid
	bundle "$id" "/$tag/docker/$id" "" "$progs/http_server.py" 8080
	as_docker "$id" web shop/web:1 '{"com.docker.compose.service":"shop-web"}'
	container_run "$id"
	bundle "$pod" "/$tag/kubepods/burstable/pod$UID1/$pod" "" "$progs/http_server.py" 8081
	as_cri "$pod" order order-7c9f-abcde shop "$UID1" docker.io/shop/order:2
	container_run "$pod"
	server plain "$progs/http_server.py"
	exec 9<> "/dev/tcp/127.0.0.1/$port"
	until_ok 10 eval "$wirespan ps --json | jq -es --arg id $id 'any(.[]; .container.id == \$id)'"
	until_ok 10 eval "$wirespan ps --json | jq -es --arg id $pod 'any(.[]; .container.id == \$id)'"
	"$wirespan" ps --json --container web --port "$port" --not pod=shop/* > "$T/ps"
	exec 9>&-
	same "docker" "$(jq -c --arg id "$id" 'select(.container.id == $id) | [.service, .container.name, .container.runtime, .language, .ports, .traced]' "$T/ps")" \
		'["shop-web","web","docker","python",[8080],true]'
	same "pod" "$(jq -c --arg id "$pod" 'select(.container.id == $id) | [.service, .container.pod, .container.namespace, .traced, .why]' "$T/ps")" \
		'["order-7c9f-abcde","order-7c9f-abcde","shop",false,"left out by --not"]'
	same "process" "$(jq -c "select(.ports == [$port]) | [.service, .container, .connections, .traced, .why]" "$T/ps")" \
		'["http_server",null,1,true,"--port"]'
	same "odd name" "$(jq -c "select(.pid == $odd_pid) | .command" "$T/ps")" '"a??[0m"'
	kill "$odd_pid"
	"$wirespan" ps > "$T/ps"
	grep -E "^ *PID COMMAND +CONTAINER +LANGUAGE" "$T/ps"
	grep -E " shop/order-7c9f-abcde/order +python +order-7c9f-abcde +0 8081 +thread +no +nothing is selected" "$T/ps"
	run -2 "$wirespan" ps word
	runc_ kill "$id" KILL
	runc_ kill "$pod" KILL
}
