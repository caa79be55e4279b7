#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What happens to an agent and to what it traces: clocks that are set, SIGKILL at any moment, a second agent,
# processes that are killed, exec or are frozen in the middle of a request.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

paths() { jq -r "select($2) | .attributes | .[\"url.path\"] // (.[\"url.full\"] | sub(\"^https?://[^/]*\"; \"\"))" "$1" | sort -V | xargs; }

# --- clocks -----------------------------------------------------------------------------------

clock() { echo "$1" > "$T/clock.new" && mv "$T/clock.new" "$T/clock"; }

# at PATH: how many seconds after now the server's span of this path began, rounded.
at() {
	jq -r "select(.kind == 2 and .attributes[\"url.path\"] == \"$1\" and .attributes[\"server.port\"] == $port) | .startTimeUnixNano" "$T/trace.out" |
		head -n 1 | awk -v now="$(date +%s)" '{ printf "%.0f\n", $1 / 1e9 - now }'
}
# near A B: within half a minute.
near() { [ $(($1 - $2 < 30 && $2 - $1 < 30)) = 1 ] || { echo "$1 is not near $2" >&2; return 1; }; }

@test "clock set back by an hour, then forward by two days, in the middle of requests: traces keep their order, and it is said" {
	local server_pid below
	cc -O2 -Wall -shared -fPIC -D_GNU_SOURCE -o "$T/clock.so" "$progs/clock_step.c"
	clock 0
	server below "$progs/http_server.py"
	below=$pid
	server server "$progs/http_server.py" --call "http://127.0.0.1:$port"
	server_pid=$pid
	LD_PRELOAD=$T/clock.so CLOCK_STEP=$T/clock tracer trace trace --json --pid "$server_pid,$below"
	trace=$pid
	get "http://127.0.0.1:$port/before"
	spawn curl curl -sS -o /dev/null "http://127.0.0.1:$port/back?ms=1000"
	sleep 0.4 # into the first of its two waits, which nothing outside shows
	clock -3600
	ends "$pid" 10
	get "http://127.0.0.1:$port/after"
	until_ok 5 grep -q /after "$T/trace.out"
	spawn curl curl -sS -o /dev/null "http://127.0.0.1:$port/forward?ms=1000"
	sleep 0.4
	clock 172800
	ends "$pid" 10
	get "http://127.0.0.1:$port/end"
	stop_tracer trace "$trace"
	holds "$T/trace.err" "set back by 3600." "set forward by 176400."
	same "spans" "$(wc -l < "$T/trace.out")" 15
	"$py" "$root/tests/e2e/check_spans.py" "$T/trace.out" ids times why   # a child lies within its parent
	near "$(at /before)" 0
	near "$(at /back)" 0
	near "$(at /after)" -3600
	near "$(at /forward)" -3600
	near "$(at /end)" 172800
}

# --- SIGKILL ----------------------------------------------------------------------------------

# holds_or_ended PID: it holds something in the kernel, or is gone.
holds_objects() { [ -n "$(kernel_objects "$1" 2> /dev/null)" ]; }
ring_is_there() { kernel_objects "$1" | grep -q link; }

@test "SIGKILL at twenty moments, from loading to full work: nothing stays in the kernel, the load notices nothing, the next agent traces on" {
	joined=--joined
	local server_pid load round agent
	server server "$progs/http_server.py"
	server_pid=$pid
	spawn load "$progs/http_load.py" 4 2 "$port"
	load=$pid
	until_ok 10 grep -q started "$T/load.out"
	: > "$T/objects"
	for round in $(seq 20); do
		spawn "killed-$round" "$wirespan" trace --json --pid "$server_pid"
		agent=$pid
		case $((round % 4)) in
		0) until_ok 30 said_ready "killed-$round" ;;
		1) until_ok 30 holds_objects "$agent" ;;   # loading
		2) until_ok 30 ring_is_there "$agent" ;;   # attaching
		3) until_ok 30 lines_at_least "$T/killed-$round.out" $((round * 10)) ;;
		esac
		kill -STOP "$agent"
		kernel_objects "$agent" >> "$T/objects"
		find "/proc/$agent/fd" -lname 'anon_inode:*perf_event*' >> "$T/perf_events"
		kill -9 "$agent"
		ends "$agent" 5
	done
	log "$(sort -u "$T/objects" | wc -l) objects"
	same "they held many" "$(($(sort -u "$T/objects" | wc -l) > 200))" 1
	until_ok 15 all_gone "$T/objects"
	same "pinned by anybody called so" "$(find /sys/fs/bpf -name '*wirespan*' 2> /dev/null)" ""
	tracer trace trace --json --pid "$server_pid"
	trace=$pid
	until_ok 20 lines_at_least "$T/trace.out" 200
	kill "$load"
	ends "$load" 10
	same "errors of the load" "$status $(tail -n 1 "$T/load.out" | jq .errors)" "0 0"
	stop_tracer trace "$trace"
	same "connections seen" "$(jq '.attributes["network.peer.port"]' "$T/trace.out" | sort -u | xargs)" \
		"$(tail -n 1 "$T/load.out" | jq -r '.ports | sort | join(" ")')"
}

# --- more than the buffers hold -----------------------------------------------------------------

# Before it has read on, requests are lost as well.
seen_again() {
	get "http://127.0.0.1:$port/again"
	grep -q '/again"' "$T/trace.out"
}

# overflows TRANSPORT: an agent that is frozen meanwhile loses what its buffers do not hold, says how much, and goes on.
overflows() {
	local trace book="$root/tests/e2e/ledger.py"
	server server "$progs/http_server.py"
	tracer trace trace --json --ring-size 1 --transport "$1" --pid "$pid"
	trace=$pid
	ask 1 5
	until_ok 10 lines_at_least "$T/trace.out" 5
	kill -STOP "$trace"
	ask 6 4000
	kill -CONT "$trace"
	until_ok 20 seen_again
	kill "$trace"
	ends "$trace" 20
	same "exit status" "$status" 0
	"$py" "$book" "$T/trace.err"
	log "$(grep 'records:' "$T/trace.err")"
	same "records were lost" "$(($("$py" "$book" "$T/trace.err" --print lost) > 100))" 1
	same "before" "$(jq -r '.attributes["url.path"]' "$T/trace.out" | head -n 5 | xargs)" "/1 /2 /3 /4 /5"
	# What is told is whole, or says what it lacks.
	jq -e 'select(.attributes["wirespan.incomplete"] == null) | select(.attributes["http.response.status_code"] != 200)' \
		"$T/trace.out" > "$T/unmarked" || true
	same "spans that lack something and do not say so" "$(cat "$T/unmarked")" ""
}

@test "more than the ring holds: lost, counted, and the agent goes on" { overflows ring; }
@test "more than the perf buffers hold: lost, counted, and the agent goes on" { overflows perf; }

# --- two agents -------------------------------------------------------------------------------

@test "two agents on the same load: both have every request, under the same ids; one that is killed does not disturb the other" {
	local server_pid one two three
	server server "$progs/http_server.py"
	server_pid=$pid
	tracer one trace --json --pid "$server_pid"
	one=$pid
	tracer two trace --json --pid "$server_pid" --capture syscall
	two=$pid
	tracer three trace --json --pid "$server_pid"
	three=$pid
	spawn load "$progs/http_load.py" --requests 1500 4 1 "$port"
	until_ok 20 grep -q 'sent 500' "$T/load.out"
	kill -9 "$three"
	ends "$pid" 30
	same "the load" "$status" 0
	stop_tracer one "$one"
	stop_tracer two "$two"
	same "the first" "$(wc -l < "$T/one.out")" 1500
	same "ids" "$(jq -r .spanId "$T/one.out" | sort | md5sum)" "$(jq -r .spanId "$T/two.out" | sort | md5sum)"
	same "requests" "$(paths "$T/one.out" .kind | md5sum)" "$(paths "$T/two.out" .kind | md5sum)"
}

# --- what is traced ---------------------------------------------------------------------------

# one FILE KIND FILTER: of the only span of this kind.
one() { jq -rs "map(select(.kind == $2)) | if length == 1 then .[0] | $3 else \"\(length) spans\" end" "$1"; }

# busy PORT: somebody is connected there and has sent.
asked() { grep -Eqi "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") [0-9A-F]+:[0-9A-F]{4} 01" /proc/net/tcp; }

@test "a process that is killed in the middle of a request: both spans end there, as errors; nothing stays" {
	local server_pid
	server server "$progs/http_server.py"
	server_pid=$pid
	tracer trace trace --json --pid "$server_pid" -- curl -sS "http://127.0.0.1:$port/killed?ms=60000"
	trace=$pid
	until_ok 10 asked "$port"
	until_ok 10 grep -q "State:.S" "/proc/$server_pid/status"
	same "kernel's processes" "$(($(entries "$trace" processes) >= 2))" 1
	sleep 0.3
	kill -9 "$server_pid"
	ends "$trace" 20
	same "exit status: curl failed" "$status" 1
	"$py" "$root/tests/e2e/ledger.py" "$T/trace.err"
	same "client" "$(one "$T/trace.out" 3 '[.attributes["url.full"], .status.code, .attributes["error.type"] // "none"] | join(" ")' | sed 's/.*\(\/killed\)/\1/')" \
		"/killed?ms=60000 2 $(one "$T/trace.out" 3 '.attributes["error.type"]')"
	same "server" "$(one "$T/trace.out" 2 '[.attributes["url.path"], .status.code] | join(" ")')" "/killed 2"
	same "both last until then" "$(jq '((.endTimeUnixNano | tonumber) - (.startTimeUnixNano | tonumber)) / 1e9 | . > 0.25 and . < 10' "$T/trace.out" | sort -u)" true
}

@test "a process that execs in the middle of a request: one span, with the answer of the program that it became" {
	server server "$progs/exec_server.py"
	tracer trace trace --json --pid "$pid"
	trace=$pid
	for n in 1 2 3; do get "http://127.0.0.1:$port/exec/$n"; done
	stop_tracer trace "$trace"
	same "requests" "$(paths "$T/trace.out" '.kind == 2')" "/exec/1 /exec/2 /exec/3"
	same "answers" "$(jq -r '.attributes["http.response.status_code"]' "$T/trace.out" | sort -u)" 200
	same "they took their time" "$(jq '(.endTimeUnixNano | tonumber) - (.startTimeUnixNano | tonumber) > 2e8' "$T/trace.out" | sort -u)" true
}

# freezer DIR STATE: of version 1 or 2.
freezer() {
	if [ -e "$1/freezer.state" ]; then
		echo "$2" > "$1/freezer.state"
		until_ok 5 grep -q "$2" "$1/freezer.state"
	else
		[ "$2" = FROZEN ] && echo 1 > "$1/cgroup.freeze" || echo 0 > "$1/cgroup.freeze"
		until_ok 5 grep -q "frozen $([ "$2" = FROZEN ] && echo 1 || echo 0)" "$1/cgroup.events"
	fi
}

# CRIU (3.17, Debian 12) cannot read the vDSO of kernel 6.18, so what a checkpoint does is done by the freezer:
# the process stops for a while at any place and goes on as if nothing had been.
@test "a process that is frozen in the middle of a request and thawed: the span covers it, nothing is lost" {
	local dir
	dir=$(awk '$3 == "cgroup" && $4 ~ /freezer/ { print $2; exit } $3 == "cgroup2" { v2 = $2 } END { if (v2) print v2 }' /proc/mounts | head -n 1)
	[ -n "$dir" ] || skip "this kernel has no freezer mounted"
	dir=$(new_cgroup "$dir")
	server server "$progs/http_server.py"
	echo "$pid" > "$dir/cgroup.procs"
	tracer trace trace --json --pid "$pid"
	trace=$pid
	spawn curl curl -sS -o /dev/null "http://127.0.0.1:$port/frozen?until=$T/go"
	curl=$pid
	until_ok 10 asked "$port"
	freezer "$dir" FROZEN
	sleep 1.5 # the length of the freeze is what is tested
	same "answers" "$(is_running "$curl" && echo none)" none
	freezer "$dir" THAWED
	touch "$T/go"
	ends "$curl" 10
	same "curl" "$status" 0
	get "http://127.0.0.1:$port/thawed"
	stop_tracer trace "$trace"
	same "requests" "$(paths "$T/trace.out" '.kind == 2')" "/frozen /thawed"
	same "status" "$(jq -r '.attributes["http.response.status_code"]' "$T/trace.out" | sort -u)" 200
	same "as long as it was frozen" "$(jq 'select(.attributes["url.path"] == "/frozen") | (.endTimeUnixNano | tonumber) - (.startTimeUnixNano | tonumber) > 14e8' "$T/trace.out")" true
}
