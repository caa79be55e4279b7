#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Network namespaces: the two ends of a call on one node find each other by its bytes' sequence numbers, through
# bridges and NAT, and never a twin that has the same addresses and ports elsewhere. All namespaces are made here.
load helper

setup() {
	e2e_setup
	tag=wse2e${T##*.}
	: > "$T/netns"
}

teardown() {
	local status=0 name
	end_all "$T" || status=1
	while read -r name; do ip netns del "$name"; done < "$T/netns"
	e2e_teardown || status=1
	return $status
}

# ns NAME: a network namespace of this test, with its loopback up.
ns() {
	ip netns add "$tag$1"
	echo "$tag$1" >> "$T/netns"
	ip -n "$tag$1" link set lo up
}

in_ns() { local name=$1; shift; ip netns exec "$tag$name" "$@"; }

# wire A ADDRESS_A B ADDRESS_B: a pair of veth; ADDRESS "": none.
wire() {
	ip -n "$tag$1" link add "to-$3" type veth peer name "to-$1" netns "$tag$3"
	[ -z "$2" ] || ip -n "$tag$1" address add "$2" dev "to-$3"
	[ -z "$4" ] || ip -n "$tag$3" address add "$4" dev "to-$1"
	ip -n "$tag$1" link set "to-$3" up
	ip -n "$tag$3" link set "to-$1" up
}

# twins: a1 and a2 are wired as b1 and b2 are, with the same addresses.
twins() {
	local world
	for world in a b; do
		ns "${world}1"
		ns "${world}2"
		wire "${world}1" 10.9.0.1/24 "${world}2" 10.9.0.2/24
	done
}

# serve NAME PORT: a server there. spawn's process becomes it, so nothing else has to be ended.
serve() {
	spawn "server-$1-$2" "${traced[@]}" "$cg" ip netns exec "$tag$1" "$progs/http_server.py" --both "$2"
	until_ok 10 ns_listens "$1" "$2"
}
ns_listens() { in_ns "$1" grep -Eqi "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$2") [0-9A-F]+:0000 0A" /proc/net/tcp /proc/net/tcp6; }

# links PATH: of its SERVER spans "COUNT WHAT, ...": right (the CLIENT span of the very same path), wrong, or the evidence.
links() {
	jq -rs --arg path "$1" '(map({key: .spanId, value: .}) | from_entries) as $all
		| map(select(.kind == 2 and (.attributes["url.path"] // "" | startswith($path + "/"))))
		| map($all[.parentSpanId // ""] as $p | .attributes["url.path"] as $own
			| if (.parentSpanId // "") == "" then .attributes["wirespan.link.evidence"]
			  elif $p != null and $p.kind == 3 and $p.traceId == .traceId and ($p.attributes["url.full"] // "" | endswith($own))
			  then "right" else "wrong" end)
		| group_by(.) | map("\(length) \(.[0])") | join(", ")' "$T/agent.out"
}

# trace: what is in a cgroup, $cg.
trace() {
	cg=$(new_cgroup /sys/fs/cgroup/pids)
	tracer agent trace --json --cgroup "$cg"
	agent=$pid
}
trace_ends() {
	until_ok 10 lines_at_least "$T/agent.out" "$1"
	stop_tracer agent "$agent"
}

# "${traced[@]}" "$cg" COMMAND...: as one of the processes that are traced.
traced=(sh -c 'echo $$ > "$0/cgroup.procs" && exec "$@"')

@test "namespaces: twins with the same addresses and ports, at the same time: 400 of 400, each its own" {
	local world pids=()
	twins
	trace
	for world in a b; do
		serve "${world}2" 8080
		serve "${world}1" 8081
	done
	for world in a b; do
		spawn "calls-$world" "${traced[@]}" "$cg" ip netns exec "$tag${world}1" "$progs/http_calls.py" 10.9.0.2 8080 100 "/$world" 40000
		pids+=("$pid")
		spawn "local-$world" "${traced[@]}" "$cg" ip netns exec "$tag${world}1" "$progs/http_calls.py" 127.0.0.1 8081 100 "/local-$world" 40001
		pids+=("$pid")
	done
	for pid in "${pids[@]}"; do ends "$pid" 30; same "calls" "$status" 0; done
	trace_ends 800
	for world in a b local-a local-b; do same "$world" "$(links "/$world")" "100 right"; done
}

@test "namespaces: twins whose client is not traced: no parent, and not the other's client" {
	local world pids=()
	twins
	trace
	for world in a b; do serve "${world}2" 8080; done
	spawn calls-a "${traced[@]}" "$cg" ip netns exec "${tag}a1" "$progs/http_calls.py" 10.9.0.2 8080 50 /a 40000
	pids+=("$pid")
	spawn calls-b ip netns exec "${tag}b1" "$progs/http_calls.py" 10.9.0.2 8080 50 /b 40000
	pids+=("$pid")
	for pid in "${pids[@]}"; do ends "$pid" 30; same "calls" "$status" 0; done
	trace_ends 150
	same "traced" "$(links /a)" "50 right"
	same "not traced" "$(links /b)" "50 root"
}

# through_nat: client, router, server; the service 10.96.0.1:80 is the server's port 8080, by other addresses on both ends.
through_nat() {
	command -v iptables-legacy
	ns client
	ns router
	ns server
	wire client 10.9.1.1/24 router 10.9.1.254/24
	wire server "" router ""
	ip -n "${tag}router" link add bridge type bridge
	ip -n "${tag}router" link set to-server master bridge
	ip -n "${tag}router" link set bridge up
	ip -n "${tag}router" address add 10.9.2.254/24 dev bridge
	ip -n "${tag}server" address add 10.9.2.1/24 dev to-router
	ip -n "${tag}client" route add default via 10.9.1.254
	ip -n "${tag}server" route add default via 10.9.2.254
	in_ns router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'   # of that namespace
	in_ns router iptables-legacy -t nat -A PREROUTING -p tcp -d 10.96.0.1 --dport 80 -j DNAT --to 10.9.2.1:8080
	in_ns router iptables-legacy -t nat -A POSTROUTING -o bridge -j MASQUERADE
}

@test "namespaces: through a bridge, and through NAT of both addresses: 100 of 100" {
	through_nat
	trace
	serve server 8080
	bounded 100 "${traced[@]}" "$cg" ip netns exec "${tag}client" "$progs/http_calls.py" 10.9.2.1 8080 100 /bridge
	bounded 100 "${traced[@]}" "$cg" ip netns exec "${tag}client" "$progs/http_calls.py" 10.96.0.1 80 100 /nat
	trace_ends 400
	same "bridge" "$(links /bridge)" "100 right"
	same "NAT" "$(links /nat)" "100 right"
	# What was dialled stays what was dialled.
	same "dialled" "$(jq -r 'select(.kind == 3 and (.attributes["url.full"] | test("/nat/"))) | .attributes["server.address"]' "$T/agent.out" | sort -u)" 10.96.0.1
}

@test "namespaces: through NAT, by a connection that is older than the agent: all, but for the calls under way" {
	local calls right
	through_nat
	cg=$(new_cgroup /sys/fs/cgroup/pids)
	serve server 8080
	spawn calls "${traced[@]}" "$cg" ip netns exec "${tag}client" "$progs/http_calls.py" 10.96.0.1 80 100000 /before
	calls=$pid
	until_ok 10 in_ns client grep -q " 0100600A:0050 01 " /proc/net/tcp
	tracer agent trace --json --cgroup "$cg"
	agent=$pid
	until_ok 20 lines_at_least "$T/agent.out" 1000
	kill "$calls"
	ends "$calls" 10
	joined=--joined stop_tracer agent "$agent"
	right=$(links /before)
	log "links: $right"
	# One when the agent came, one when the client was killed.
	[[ "$right" =~ ^([0-9]+)\ right(,\ 1\ root)?(,\ [12]\ unknown)?$ ]]
	[ "${BASH_REMATCH[1]}" -ge 400 ]
}

@test "namespaces: a runtime's proxy between them, traced or not: no wrong parent" {
	local proxy
	ns client
	ns server
	wire client 10.9.1.1/24 server 10.9.1.2/24
	trace
	serve server 8080
	spawn proxy "${traced[@]}" "$cg" ip netns exec "${tag}server" "$progs/tcp_proxy.py" 127.0.0.1 8080 9000
	until_ok 10 ns_listens server 9000
	bounded 100 "${traced[@]}" "$cg" ip netns exec "${tag}client" "$progs/http_calls.py" 10.9.1.2 9000 50 /proxied
	spawn proxy-alone ip netns exec "${tag}server" "$progs/tcp_proxy.py" 127.0.0.1 8080 9001
	until_ok 10 ns_listens server 9001
	bounded 100 "${traced[@]}" "$cg" ip netns exec "${tag}client" "$progs/http_calls.py" 10.9.1.2 9001 50 /unseen
	trace_ends 300
	[[ "$(links /proxied)" != *wrong* ]]
	same "through one that is not traced" "$(links /unseen)" "50 root"
}
