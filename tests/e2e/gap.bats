#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What is moved while no agent runs is counted by the next one: to the byte on connections that go on, as an upper
# bound for those that came and went, which is exact in a network namespace where nobody else connects.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

# world: a network namespace of its own, and in it a server; $server, $port, ${in_ns[@]}.
world() {
	spawn holder unshare --net sh -c 'ip link set lo up && echo up && exec sleep 1000'
	until_ok 10 lines_at_least "$T/holder.out" 1
	in_ns=(nsenter --net="/proc/$pid/ns/net")
	port=8080
	spawn server "${in_ns[@]}" "$progs/http_server.py" $port
	server=$pid
	until_ok 10 curl_inside /up
}
curl_inside() { "${in_ns[@]}" curl -sS --max-time 10 -o /dev/null "http://127.0.0.1:$port$1"; }

# client NAME: a connection that counts what it moves; `tell NAME N PATH` makes it ask, $moved is the total then.
client() {
	mkfifo "$T/$1.in"
	stdin=$T/$1.in spawn "$1" "${in_ns[@]}" "$progs/counting_client.py" $port
	exec {fd}> "$T/$1.in"
	eval "$1_in=$fd $1_pid=$pid $1_lines=0"
}
tell() {
	local in=$1_in lines=$1_lines
	echo "$2 $3" >&"${!in}"
	eval "$lines=$((${!lines} + 1))"
	until_ok 20 lines_at_least "$T/$1.out" "${!lines}"
	moved=$(tail -n 1 "$T/$1.out")
}
leave() { local in=$1_in pid=$1_pid; echo >&"${!in}"; ends "${!pid}" 10; }

# agent_runs NAME ARGUMENT...: on that server, with the state of whoever was there before; $agent.
agent_runs() {
	local name=$1
	shift
	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$sink_port OTEL_BSP_SCHEDULE_DELAY=100 \
		tracer "$name" agent --pid "$server" --state-dir "$T/state" --metrics 127.0.0.1:0 "$@"
	agent=$pid
	url=$(sed -n 's|^wirespan: metrics: \(http://.*\)/metrics$|\1|p' "$T/$name.err")
}
# kept: what has been read by now has been written.
kept() {
	for _ in 1 2; do
		: > "$T/now"
		until_ok 20 newer "$T/state/agent.state" "$T/now"
	done
}
newer() { [ "$1" -nt "$2" ]; }
scrape() {
	curl -sS --fail --max-time 10 -o "$T/metrics" "$url/metrics"
	"$py" "$root/tests/e2e/prometheus.py" "$T/metrics" "$@" | xargs
}
counted() {
	scrape 'wirespan_no_agent_connections_total{fate="continued"}' 'wirespan_no_agent_connections_total{fate="begun"}' \
		'wirespan_no_agent_connections_total{fate="ended"}' 'wirespan_no_agent_bytes_total{fate="continued"}' \
		'wirespan_no_agent_bytes_total{fate="begun"}' 'wirespan_no_agent_opened_total{role="accepted"}' \
		'wirespan_no_agent_opened_total{role="connected"}'
}
told() { grep -q "state: no agent ran" "$T/$1.err"; }
paths() { jq -r '.attributes["url.path"]' "$T/spans" | sort -V | xargs; }

# between SIGNAL: an agent, its end by that signal, requests, the next agent.
between() {
	local before
	sink
	world
	client goes_on
	client ends_meanwhile
	agent_runs first
	tell goes_on 3 /first
	before=$moved
	tell ends_meanwhile 1 /first-too
	kept
	kill "-$1" "$agent"
	ends "$agent" 20
	tell goes_on 5 /unseen
	continued=$((moved - before))
	tell ends_meanwhile 2 /unseen
	leave ends_meanwhile
	for n in 1 2 3 4 5 6 7; do curl_inside /unseen; done
	client begins
	tell begins 2 /unseen
	begun=$moved
	agent_runs second
	until_ok 10 told second
	same "connections continued, begun, ended; bytes; accepted, connected" "$(counted)" "1 1 1 $continued $begun 8 8"
	same "gaps" "$(scrape 'wirespan_gap_bytes_total{reason="no_agent"}' 'wirespan_gap_bytes_total{reason="no_record"}')" "$((continued + begun)) 0"
	tell goes_on 2 /second
	tell begins 2 /second-too
	until_ok 20 grep -q /second-too/2 "$T/spans"
	joined=--joined stop_tracer second "$agent"
	same "paths" "$(paths)" "/first-too/1 /first/1 /first/2 /first/3 /second-too/1 /second-too/2 /second/1 /second/2"
}

@test "gap: after SIGKILL, the next agent counts each byte and each connection of between" {
	between KILL
	holds "$T/second.err" "no agent ran for up to" "$continued bytes on 1 connections that go on and $begun on 1 that have begun were not traced; 1 others have ended" \
		"in 1 network namespaces at most 8 connections were accepted and 8 made"
}

@test "gap: after SIGTERM, the next agent counts each byte and each connection of between" {
	between TERM
	! grep -q "up to" "$T/second.err"
	same "duration" "$(scrape_of_log)" yes
}
# The log names it: between the end of the first and the readiness of the second agent.
scrape_of_log() { grep -qE "no agent ran for [0-9]+\.[0-9]+ s: " "$T/second.err" && echo yes; }

@test "gap: nothing moved, nothing is counted" {
	sink
	world
	client goes_on
	agent_runs first
	tell goes_on 3 /first
	stop_tracer first "$agent"
	agent_runs second
	until_ok 10 told second
	same "all" "$(counted)" "0 0 0 0 0 0 0"
	same "no warning" "$(grep -c "warning: state" "$T/second.err" || true)" 0
	tell goes_on 2 /second
	stop_tracer second "$agent"
}

answer() { curl -sS --max-time 10 -o /dev/null -w '%{http_code}' "$1"; }
standing_by() { [ "$(scrape wirespan_standing_by)" = "$1" ]; }

@test "gap: an agent that finds another one waits, ready to take over: nothing is told twice, next to nothing is missed" {
	local first told seconds n=4000
	sink
	world
	client goes_on
	agent_runs first
	first=$agent
	tell goes_on 1 /before
	: > "$T/second.err"
	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$sink_port OTEL_BSP_SCHEDULE_DELAY=100 \
		spawn second "$wirespan" agent --pid "$server" --state-dir "$T/state" --metrics 127.0.0.1:0
	agent=$pid
	until_ok 10 grep -q "this one waits until that has ended" "$T/second.err"
	url=$(sed -n 's|^wirespan: metrics: \(http://.*\)/metrics$|\1|p' "$T/second.err")
	same "probes" "$(answer "$url/healthz") $(answer "$url/readyz")" "200 200"
	standing_by 1
	not said_ready second
	echo "$n /run 1" >&"$goes_on_in"
	until_ok 20 grep -q /run/500 "$T/spans"
	kill "$first"
	ends "$first" 20
	same "exit status of the first" "$status" 0
	until_ok 10 said_ready second
	until_ok 60 lines_at_least "$T/goes_on.out" 2
	goes_on_lines=2
	until_ok 10 told second
	standing_by 0
	tell goes_on 1 /after
	until_ok 10 grep -q /after/1 "$T/spans"
	joined=--joined stop_tracer second "$agent"
	same "told twice" "$(jq -r '.attributes["url.path"]' "$T/spans" | sort | uniq -d)" ""
	told=$(grep -c '"/run/' "$T/spans")
	seconds=$(sed -n 's/.*no agent ran for \([0-9.]*\) s: .*/\1/p' "$T/second.err")
	echo "# of $n requests $told were told; no agent ran for $seconds s" >&3
	[ "$told" -lt "$n" ] && [ "$told" -gt $((n / 4)) ]
	holds "$T/second.err" "bytes on 1 connections that go on"
	# One that waits can be ended.
	agent_runs third
	spawn fourth "$wirespan" agent --pid "$server" --state-dir "$T/state" --metrics off
	until_ok 10 grep -q "this one waits" "$T/fourth.err"
	kill "$pid"
	ends "$pid" 10
	same "exit status of the fourth" "$status" 0
	tell goes_on 1 /third
	joined=--joined stop_tracer third "$agent"
}
