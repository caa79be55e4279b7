#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The shop as pods of a real Kubernetes node (tests/e2e/kubernetes/shop.yaml), traced by the DaemonSet of deploy/:
# the same trees as on the host, with the names that Kubernetes knows, at a real Collector. `make kubernetes`.
load helper
load kubernetes

# NAME KIND, as they are deployed.
workloads="nginx:daemonset frontend:deployment order:deployment inventory:deployment payment:deployment mail:deployment
	redis:deployment postgres:statefulset"

setup_file() {
	local images=$root/build/shop/images
	"$shop/build"
	"$shop/images" "$images"
	node_up "$images"/*.tar
	deploy
	kubectl -n wirespan rollout status daemonset/wirespan --timeout=120s
	shop_up
}
teardown_file() { node_down; }
setup() { e2e_setup; }
teardown() { e2e_teardown; }

# part FILTER: documents of shop.yaml.
part() { "$py" - "$root/tests/e2e/kubernetes/shop.yaml" "$1" <<-'PY'
	import sys, yaml
	wanted = sys.argv[2].split("|")
	print(yaml.safe_dump_all(d for d in yaml.safe_load_all(open(sys.argv[1])) if d["kind"] in wanted))
	PY
}

shop_up() {
	local w
	part "Namespace|Service" | kubectl apply -f -
	until_ok 30 kubectl -n shop get serviceaccount default
	part "StatefulSet" | kubectl apply -f -
	kubectl -n shop rollout status statefulset/postgres --timeout=90s
	part "Deployment|DaemonSet" | sed "s/@POSTGRES@/$(pod postgres .status.podIP)/" | kubectl apply -f -
	for w in $workloads; do kubectl -n shop rollout status "${w#*:}/${w%:*}" --timeout=120s; done
}

# pod NAME PATH: something of the pod of this service.
pod() { kubectl -n shop get pod -l "app.kubernetes.io/name=$1" -o "jsonpath={.items[0]$2}"; }

# orders JOB FIRST COUNT: placed by a pod of a Job; what they must have caused is in $T/JOB.truth.
orders() {
	mkdir -p "$T/$1"
	chmod 777 "$T/$1"
	kubectl apply -f - <<-Y
		apiVersion: batch/v1
		kind: Job
		metadata: {name: $1, namespace: shop}
		spec:
		  backoffLimit: 0
		  template:
		    metadata: {labels: {app: $1}}
		    spec:
		      restartPolicy: Never
		      containers:
		        - name: load
		          image: localhost/shop/load:1.0
		          imagePullPolicy: Never
		          args: [--front, "http://\$(NGINX_SERVICE_HOST):8080", --pg, "postgres://shop@$(pod postgres .status.podIP):5432/postgres?sslmode=disable",
		                 --first, "$2", --orders, "$3", --concurrency, "8", --truth, /truth/truth]
		          volumeMounts: [{name: truth, mountPath: /truth}]
		      volumes: [{name: truth, hostPath: {path: "$T/$1"}}]
	Y
}
placed() {
	kubectl -n shop wait --for=condition=complete "job/$1" --timeout=120s || { kubectl -n shop logs "job/$1"; return 1; }
	kubectl -n shop logs "job/$1"
}

# span LINES of what the Collector wrote: kind, attributes, resource.
flat() {
	jq -c '.resourceSpans[] | (.resource.attributes | map({(.key): (.value.stringValue // .value)}) | add) as $r | .scopeSpans[].spans[]
		| {kind, resource: $r, attributes: (.attributes | map({(.key): (.value.stringValue // .value.intValue)}) | add)}' "$F/collected/spans.jsonl"
}
# of SERVICE ATTRIBUTE: of the resources of $T/flat.
of() { jq -r --arg s "$1" --arg a "$2" 'select(.resource["service.name"] == $s) | .resource[$a] // "-"' "$T/flat" | sort -u | paste -sd ' '; }

@test "the shop as pods: no parent is wrong, 99 % are right, lost and slow orders are whole" {
	orders load 1 200
	placed load
	sleep_until_quiet
	"$py" "$root/tests/truth/check.py" "$F/collected/spans.jsonl" "$T/load/truth"
}

@test "the shop as pods: each span with its pod, container, owner, image, labels and annotation" {
	local w name kind
	flat > "$T/flat"
	for w in $workloads; do
		name=${w%:*} kind=${w#*:}
		same "pod of $name" "$(of "$name" k8s.pod.name)" "$(pod "$name" .metadata.name)"
		same "uid of $name" "$(of "$name" k8s.pod.uid)" "$(pod "$name" .metadata.uid)"
		same "container of $name" "$(of "$name" k8s.container.name)" "$(pod "$name" .spec.containers[0].name)"
		same "owner of $name" "$(of "$name" "k8s.$kind.name")" "$name"
		same "image of $name" "$(of "$name" container.image.name)" "localhost/shop/$name"
		same "version of $name" "$(of "$name" service.version)" "1.0"
		same "label of $name" "$(of "$name" k8s.pod.label.app.kubernetes.io/part-of)" shop
		same "annotation of $name" "$(of "$name" deployment.environment.name)" test
	done
	same "customers' job" "$(of load k8s.job.name)" load
	same "namespaces" "$(jq -r '.resource["k8s.namespace.name"] // "-"' "$T/flat" | sort -u)" shop
	same "nodes" "$(jq -r '.resource["k8s.node.name"] // "-"' "$T/flat" | sort -u)" node1
	same "services" "$(jq -r '.resource["service.name"] // "-"' "$T/flat" | sort -u | paste -sd ' ')" "frontend inventory load mail nginx order payment postgres redis"
}

# peers SERVICE: "WHAT WAS DIALLED, NAME AND NAMESPACE OF THE OTHER END, AND THE SERVICE OR POD THAT IT IS" of its calls.
peers() {
	jq -r --arg s "$1" 'select(.kind == 3 and .resource["service.name"] == $s) | .attributes | [.["server.address"], .["service.peer.name"],
		.["service.peer.namespace"], .["wirespan.peer.k8s.service.name"] // .["wirespan.peer.k8s.pod.name"]] | join(" ")' "$T/flat" |
		sort -u | paste -sd ';'
}
cluster_ip() { kubectl -n shop get service "$1" -o 'jsonpath={.spec.clusterIP}'; }
# services NAME...: what peers says of these, if their cluster addresses were dialled.
services() { for s; do echo "$(cluster_ip "$s") $s shop $s"; done | sort | paste -sd ';'; }

@test "the shop as pods: calls name the other end, by its pod's address and by that of its service" {
	flat > "$T/flat"
	same "payment calls" "$(peers payment)" "$(pod postgres .status.podIP) postgres shop $(pod postgres .metadata.name)"
	same "frontend calls" "$(peers frontend)" "$(services order)"
	peers order | tr ';' '\n' > "$T/order"
	same "inventory calls" "$(peers inventory)" "$(services redis)"
	for s in inventory payment mail; do holds "$T/order" "$(services "$s")"; done
}

@test "rolling update of the agent under the shop's load: no parent is wrong" {
	local old
	old=$(agent_pod)
	orders update 1001 600
	until_ok 30 eval '[ -n "$(kubectl -n shop get job update -o jsonpath={.status.active})" ]'
	kubectl -n wirespan rollout restart daemonset/wirespan
	kubectl -n wirespan rollout status daemonset/wirespan --timeout=120s
	[ "$(agent_pod)" != "$old" ]
	orders after 2001 40
	placed update
	placed after
	sleep_until_quiet
	"$py" "$root/tests/truth/check.py" "$F/collected/spans.jsonl" "$T/update/truth" > "$T/during" || true
	cat "$T/during" >&3
	same "wrong and extra" "$(awk '$1 == "all" { print $4, $7 }' "$T/during")" "0 0"
	! grep ": wrong: " "$T/during"
	[ "$(awk '$1 == "all" { print $3 }' "$T/during")" -gt 500 ]
	# What came after the update is whole again.
	"$py" "$root/tests/truth/check.py" "$F/collected/spans.jsonl" "$T/after/truth"
}
