#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Many connections that end in every way, many processes, many idle connections; the agent stays small, its
# numbers stay exact, and nothing is left. `make endurance` runs it with a million connections; here:
#	CONNECTIONS=20000 PROCESSES=500 IDLE=2000 RATE=10000 (connections a second)
# It has a network namespace of its own, so that ports do not run out.
load helper

setup() {
	e2e_setup
	connections=${CONNECTIONS:-20000} processes=${PROCESSES:-500} idle=${IDLE:-2000}
	export RATE=${RATE:-10000}
	name=wschurn${T##*.}
	name=${name:0:15}
	cc -O2 -D_GNU_SOURCE -o "$T/$name" "$root"/tests/progs/churn*.c
	cp "$T/$name" "$T/collector"
	spawn namespace unshare --net bash -c 'ip link set lo up && echo up && exec sleep infinity'
	inside=(nsenter -t "$pid" -n)
	until_ok 5 lines_at_least "$T/namespace.out" 1
}
teardown() { e2e_teardown; }

# in_there NAME COMMAND...: spawns in the namespace, and waits for its word "ready".
in_there() {
	local name=$1
	shift
	spawn "$name" "${inside[@]}" "$@"
	until_ok 60 grep -q '^ready' "$T/$name.out"
}

# idlers NAME N: holds N connections; each line to its fd is a request on each of them.
idlers() {
	mkfifo "$T/$1.in"
	stdin=$T/$1.in spawn "$1" "${inside[@]}" "$T/$name" idle 8080 "$2"
}

agent_in_there() {
	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 spawn agent "${inside[@]}" "$wirespan" agent --max-cpu off --metrics off --ring-size "${RING:-16}" --comm "$name"
	agent=$pid
	until_ok 30 said_ready_or_ended agent "$agent"
	said_ready agent
}

# sample SECONDS: the agent's resident memory, a line each time, until it is ended.
sample() { while sleep "$1" && resident "$agent"; do :; done; }

book() { "$py" "$root/tests/e2e/ledger.py" "$T/agent.err" --print "$1"; }

# spans_of N: what N connections of churn.c give. Both ends of an exchange; of each seven, the sixth sends
# nothing and the seventh half a request.
spans_of() { echo $((2 * ($1 / 7 * 5 + ($1 % 7 < 5 ? $1 % 7 : 5)))); }

@test "endurance: connections, processes and idle ones by the thousand; memory flat, books exact, nothing left" {
	in_there server "$T/$name" serve 8080
	server=$pid
	in_there collector "$T/collector" collect 4318
	idlers before $((idle / 2))
	before=$pid
	exec 8> "$T/before.in"
	until_ok 60 lines_at_least "$T/before.out" 1
	agent_in_there
	idlers after $((idle - idle / 2))
	after=$pid
	exec 9> "$T/after.in"
	until_ok 60 lines_at_least "$T/after.out" 1
	files=$(ls "/proc/$agent/fd" | wc -l)

	# A tenth first, then all: what grows with the rest is a leak. In between there may be bursts: what waits to
	# be exported or linked is bounded, and given back some seconds later.
	log "$connections connections, $processes processes, $idle idle"
	"${inside[@]}" "$T/$name" churn 8080 $((connections / 10)) > "$T/churn.out"
	"${inside[@]}" "$T/$name" processes 8080 $((processes / 10)) > "$T/processes.out"
	resident "$agent" > "$T/rss"
	sample 1 >> "$T/rss" 3>&- &
	sampler=$!
	"${inside[@]}" "$T/$name" churn 8080 $((connections - connections / 10)) > "$T/churn.out"
	"${inside[@]}" "$T/$name" processes 8080 $((processes - processes / 10)) > "$T/processes.out"
	kill "$sampler"
	first=$(head -n 1 "$T/rss") most=$(sort -n "$T/rss" | tail -n 1)
	log "resident: $first KiB after a tenth, $most KiB at most"
	same "no more in bursts than what the queues may hold" "$((most - first < 65536))" 1
	until_ok 30 resident_at_most $((first + 2048))
	echo "# resident: $first KiB after a tenth, $most KiB at most, $(resident "$agent") KiB in the end" >&3

	# Every idle connection works and is seen.
	echo >&8
	echo >&9
	until_ok 60 lines_at_least "$T/before.out" 2
	until_ok 60 lines_at_least "$T/after.out" 2
	same "answers" "$(tail -qn 1 "$T/before.out" "$T/after.out" | awk '{ n += $2 } END { print n }')" "$idle"
	same "open files of the agent, more or less" "$(($(ls "/proc/$agent/fd" | wc -l) - files <= 2))" 1

	# Only those that run are in the kernel's tables.
	same "processes" "$(entries "$agent" processes)" 3
	kill "$before" "$after" "$server"
	until_ok 20 none_runs "$before" "$after" "$server"
	until_ok 20 entries_are "$agent" processes 0
	until_ok 20 entries_are "$agent" socks_by_addres 0
	until_ok 20 entries_are "$agent" sock_budgets 0
	kernel_objects "$agent" > "$T/objects"
	kill "$agent"
	ends "$agent" 30
	same "exit status" "$status" 0
	until_ok 10 all_gone "$T/objects"

	"$py" "$root/tests/e2e/ledger.py" "$T/agent.err"
	same "records lost" "$(book lost)" 0
	tenth=$((connections / 10)) rest=$((connections - connections / 10))
	same "spans" "$(book spans.made)" $(($(spans_of $tenth) + $(spans_of $rest) + 2 * processes + 2 * (idle - idle / 2) + 2 * idle))
	same "exported" "$(book exported)" "$(book spans.made)"
}

resident_at_most() { [ "$(resident "$agent")" -le "$1" ]; }
none_runs() { [ -z "$(running "$@")" ]; }
