#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The shop in containers, each service in its own network namespace behind NAT: the same trees as on the host.
load helper
load containers

services="nginx frontend order inventory payment mail redis postgres"

setup_file() {
	e2e_setup_file
	"$shop/build"
}
teardown_file() { e2e_teardown_file; }

setup() {
	e2e_setup
	containers_setup
	tag=wse2e${T##*.}
}

teardown() {
	local status=0 name
	end_all "$T" || status=1
	containers_teardown
	for name in host $services; do ip netns del "$tag$name"; done
	: > "$T/pids"
	e2e_teardown || status=1
	return $status
}

# namespaces: one for the shop's customers, with a bridge, and one a service, at $SHOP_ADDRESSES.
namespaces() {
	local name n=10
	for name in host $services; do
		ip netns add "$tag$name"
		ip -n "$tag$name" link set lo up
		ip netns exec "$tag$name" sh -c 'echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet'   # of that namespace
	done
	ip -n "${tag}host" link add shop type bridge
	ip -n "${tag}host" address add 10.9.3.1/24 dev shop
	ip -n "${tag}host" link set shop up
	SHOP_ADDRESSES=" "
	for name in $services; do
		n=$((n + 1))
		ip -n "${tag}host" link add "$name" type veth peer name eth0 netns "$tag$name"
		ip -n "${tag}host" link set "$name" master shop up
		ip -n "$tag$name" address add "10.9.3.$n/24" dev eth0
		ip -n "$tag$name" link set eth0 up
		ip -n "$tag$name" route add default via 10.9.3.1
		SHOP_ADDRESSES+="$name=10.9.3.$n "
	done
	export SHOP_ADDRESSES
}

@test "the shop in containers, each in its own network namespace: right names, no wrong parent, 99 % right" {
	local name status=0
	namespaces
	export tag host T root progs SHOP_IN=$progs/shop_in_container SHOP_WORKERS=8
	tracer agent trace --json --container "${services// /,}"
	agent=$pid
	log "shop/run in containers"
	bounded 150 nsenter "--net=/var/run/netns/${tag}host" "$shop/run" --orders 120 --concurrency 8 --truth "$T/truth" --dir "$T/shop" > "$T/run.out" 2> "$T/run.err" 3>&- || status=$?
	cat "$T/run.err"
	same "the shop's end" "$status" 0
	stop_tracer agent "$agent"
	"$py" "$root/tests/truth/check.py" "$T/agent.out" "$T/truth"
	for name in $services; do
		same "name of $name" "$(jq -r "select(.resource[\"container.name\"] == \"$name\") | .resource[\"service.name\"]" "$T/agent.out" | sort -u)" "$name"
	done
	same "spans without a container" "$(spans "$T/agent.out" '.resource["container.id"] == null')" 0
}
