#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Tables of the kernel's half that are full: what found no room is counted, and what is no more makes room.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

# serving COMMAND...: an agent on a server of that command, which gets an upstream's port as its last argument and
# prints its own. $front, $front_pid; $url of the agent's endpoint.
serving() {
	server up "$progs/http_server.py"
	spawn front "$@" "$port"
	front_pid=$pid
	until_ok 10 lines_at_least "$T/front.out" 1
	front=$(< "$T/front.out")
}
agent_on() {
	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 tracer agent agent --max-cpu off --metrics 127.0.0.1:0 "$@"
	agent=$pid
	url=$(sed -n 's|^wirespan: metrics: \(http://.*\)/metrics$|\1|p' "$T/agent.err")
}
get() { curl -sS --fail --max-time 20 -o /dev/null "http://127.0.0.1:$front$1"; }
full() { curl -sS --fail --max-time 10 "$url/metrics" | sed -n "s/^wirespan_table_full_total{table=\"$1\"} //p"; }
at_least() { [ "$(full "$1")" -ge "$2" ]; }

# A few calls of the pool's, so that wakes or hand-offs are followed; and the request.
fills() { for i in 1 2 3 4 5 6 7 8 9 10; do get /call; done && get "$1" && at_least "$2" "$3"; }
# It had room for all: nothing more is counted.
finds_room() {
	local before
	before=$(full "$2")
	get "$1" && [ "$(full "$2")" = "$before" ]
}

@test "tables: words that a pool waits on are counted where there is no room, which the end of a process makes" {
	gcc -O2 -pthread -o "$T/wswords" "$progs/pool_words.c"
	serving "$T/wswords"
	agent_on --comm wswords
	until_ok 60 fills '/words?6000' words 1904 # the map has 4,096
	kill "$front_pid"
	wait "$front_pid" || true
	serving "$T/wswords"
	until_ok 60 finds_room '/words?3000' words
	kill "$agent"
	ends "$agent" 20
	grep -E 'words that pools wait on not kept: map full: [0-9]+' "$T/agent.err"
}

# Another program finds room for all but some: without any, none would have had it. Now and then it is
# quicker than the agent.
makes_room() {
	local before
	kill "$front_pid"
	wait "$front_pid" || true
	serving "$T/wsgoroutines"
	before=$(full goroutines)
	until_ok 30 fills '/make?20000' goroutines $((before + 3600)) && [ "$(full goroutines)" -lt $((before + 12000)) ]
}

@test "tables: goroutines are counted where there is no room, which the end of a process makes" {
	(cd "$T" && HOME=$T GOFLAGS=-mod=mod GOCACHE=${GOCACHE:-$(go env GOCACHE)} go build -o "$T/wsgoroutines" "$progs/goroutines.go")
	serving "$T/wsgoroutines"
	agent_on --comm wsgoroutines
	until_ok 60 fills '/make?20000' goroutines 3600 # the map has 16,384
	until_ok 120 makes_room
}

@test "tables: work items of Python that have made room for younger ones are counted when a thread is at them" {
	serving "$py" "$progs/pool_items.py"
	agent_on --pid "$front_pid"
	until_ok 60 fills '/items?9000' items 50 # the map has 4,096
}
