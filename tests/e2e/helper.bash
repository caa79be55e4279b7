# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# helper.bash: what the end-to-end tests share. A test file says
#
#	load helper
#	setup() { e2e_setup; }
#	teardown() { e2e_teardown; }
#
# $T is a directory of the test's own that everybody may read; $F, with e2e_setup_file and
# e2e_teardown_file, one of the file's own, which is $T during these two. What runs in the background is started
# by `spawn`; e2e_teardown ends it with all that it started, by pid, and fails when something would
# not go. What is run is written to the test's output, which bats shows when the test fails; the logs
# of what ran follow there.
bats_require_minimum_version 1.5.0

root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
wirespan=${WIRESPAN:-$root/build/wirespan}
progs=$root/tests/e2e/progs
shop=$root/tests/progs/shop
py=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1
# Redirections of spawned programs must not keep bats waiting for them, hence 3>&- below.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY
unset "${!OTEL_@}"

# --- a test's place and its end ---------------------------------------------------------------

# place: a new directory, which services that run as nobody can enter.
place() {
	local dir
	dir=$(mktemp -d "${TMPDIR:-/tmp}/wirespan-e2e.XXXXXX")
	chmod 755 "$dir"
	: > "$dir/pids"
	echo "$dir"
}

able() {
	[ "$(id -u)" = 0 ] || { echo "tracing needs root" >&2; return 1; }
	[ -x "$wirespan" ] || { echo "$wirespan is not there: make" >&2; return 1; }
}

# WIRESPAN_E2E marks every process that a test starts.
e2e_setup() {
	able
	T=$(place)
	export WIRESPAN_E2E=$T
	log "dir $T"
}

e2e_setup_file() {
	able
	F=$(place)
	T=$F
	export F WIRESPAN_E2E=$F
}

e2e_teardown_file() {
	local status=0
	[ -n "${F-}" ] || return 0
	end_all "$F" || status=1
	rm -rf "$F"
	return $status
}

e2e_teardown() {
	local status=0
	[ -n "${T-}" ] || return 0
	[ -n "${BATS_TEST_COMPLETED-}" ] || show_logs
	end_all "$T" || status=1
	remove_cgroups || status=1
	rm -rf "$T"
	return $status
}

log() { echo "# $(date +%T.%3N) $*"; }

show_logs() {
	local file
	for file in "$T"/*.err "$T"/*.log; do
		[ -s "$file" ] || continue
		echo "--- ${file##*/}"
		tail -n 25 "$file" | cut -c1-400
	done
}

# --- processes --------------------------------------------------------------------------------

# spawn NAME COMMAND...: in the background; $pid is its process, $T/NAME.out and .err what it says.
# Its standard input is $stdin, or nothing.
spawn() {
	local name=$1
	shift
	log "spawn $name: $*"
	rm -f "$T/$name.out" "$T/$name.err"   # nobody may read what an earlier one of this name has said
	: > "$T/$name.out" > "$T/$name.err"
	# SIGINT is ignored by what a shell puts into the background.
	env --default-signal=INT "$@" < "${stdin:-/dev/null}" > "$T/$name.out" 2> "$T/$name.err" 3>&- 4>&- &
	pid=$!
	echo "$pid" >> "$T/pids"
}

# running PID...: those that are still there and no zombies.
running() {
	local p state
	for p; do
		{ state=$(< "/proc/$p/stat"); } 2> /dev/null || continue
		state=${state##*) }
		[ "${state%% *}" = Z ] || echo "$p"
	done
}

is_running() { [ -n "$(running "$1")" ]; }

# descendants PID...: these and all processes below, from /proc.
descendants() {
	cat /proc/[0-9]*/stat 2> /dev/null | "$py" -c '
import re, sys
below = {}
for pid, parent in re.findall(r"^(\d+) \(.*\) \S (\d+) [-\d ]+$", sys.stdin.buffer.read().decode("latin-1"), re.M):
    below.setdefault(parent, []).append(pid)
queue = sys.argv[1:]
for pid in queue:
    print(pid)
    queue += below.get(pid, [])
' "$@"
}

# marked DIR: processes that this test started, wherever they hang now.
marked() { grep -lzsx "WIRESPAN_E2E=$1" /proc/[0-9]*/environ | cut -d/ -f3; }

# end_all DIR: ends what DIR/pids names and all below it; 1 if something had to be killed.
end_all() {
	local all stragglers deadline=$((SECONDS + 20)) status=0 p
	all=($(descendants $(cat "$1/pids"))) || status=1
	for p in $(running $(cat "$1/pids")); do kill "$p" 2> /dev/null; done
	while [ -n "$(running "${all[@]}")" ] && [ $SECONDS -lt $deadline ]; do
		for p in $(orphans "${all[@]}"); do kill "$p" 2> /dev/null; done
		sleep 0.02
	done
	for p in $(running "${all[@]}"); do
		echo "did not end on SIGTERM: $p $(tr '\0' ' ' < "/proc/$p/cmdline")" >&2
		kill -9 "$p" 2> /dev/null
		status=1
	done
	stragglers=$(running $(marked "$1"))
	for p in $stragglers; do
		echo "left behind: $p $(tr '\0' ' ' < "/proc/$p/cmdline")" >&2
		kill "$p" 2> /dev/null
		status=1
	done
	wait 2> /dev/null
	return $status
}

# orphans PID...: those of them whose parent has gone, so that nobody will end them.
orphans() {
	local p stat rest
	for p in $(running "$@"); do
		{ stat=$(< "/proc/$p/stat"); } 2> /dev/null || continue
		rest=(${stat##*) })
		[ "${rest[1]}" != 1 ] || echo "$p"
	done
}

# until_ok SECONDS COMMAND...: polls.
until_ok() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		if [ $SECONDS -ge $deadline ]; then
			echo "never came true: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

# ends PID SECONDS: waits for a child of this shell; its exit status in $status.
ends() {
	until_ok "$2" not is_running "$1" || return 1
	status=0
	wait "$1" || status=$?
}

not() { ! "$@"; }

# bounded SECONDS COMMAND...: SIGTERM when it takes longer, in the same process group so that an
# interrupted run reaches it.
bounded() { timeout --foreground "$@"; }

# --- looking ----------------------------------------------------------------------------------

# same WHAT GOT EXPECTED
same() {
	[ "$2" = "$3" ] || { echo "$1: got '$2', expected '$3'" >&2; return 1; }
}

# holds FILE TEXT...: every text is in it, as it stands.
holds() {
	local file=$1 text
	shift
	for text; do
		grep -qF -- "$text" "$file" || { echo "not in ${file##*/}: $text" >&2; head -c 3000 "$file" >&2; return 1; }
	done
}

lacks() {
	local file=$1 text
	shift
	[ -s "$file" ] || { echo "${file##*/} is empty" >&2; return 1; }
	for text; do
		! grep -naF -- "$text" "$file" | head -n 3 | cut -c1-600 | grep . || { echo "in ${file##*/}: $text" >&2; return 1; }
	done
}

lines_at_least() { [ "$(wc -l < "$1")" -ge "$2" ]; }

# spans FILE CONDITION: how many spans of a --json file fulfil a condition of jq.
spans() { jq -c "select($2)" "$1" | wc -l; }

# --- tracers ----------------------------------------------------------------------------------

# tracer NAME ARGUMENT...: `wirespan ARGUMENT...` in the background, ready when this returns; $pid.
tracer() {
	local name=$1
	shift
	tracer_by "$name" "$wirespan" "$@"
}

# tracer_by NAME COMMAND...: the tracer that COMMAND becomes.
tracer_by() {
	spawn "$@"
	until_ok 30 said_ready_or_ended "$1" "$pid"
	said_ready "$1"
}

# traces COMMAND...: what COMMAND becomes with a tracer's arguments sees a request as ever, in $T/trace.out. $server_pid, $port.
traces() {
	local trace
	server server "$progs/http_server.py"
	server_pid=$pid
	tracer_by trace "$@" trace --json --pid "$server_pid"
	trace=$pid
	get "http://127.0.0.1:$port/traces"
	stop_tracer trace "$trace"
	same "spans" "$(jq -r '.attributes["url.path"]' "$T/trace.out")" /traces
}

said_ready() { grep -q '^wirespan: ready' "$T/$1.err"; }
said_ready_or_ended() { said_ready "$1" || ! is_running "$2"; }

# stop_tracer NAME PID: SIGTERM; it must end well, and its books must balance.
stop_tracer() {
	log "SIGTERM to $1"
	kill "$2"
	ends "$2" 20
	same "exit status of $1" "$status" 0
	balanced "$T/$1.err"
}

# balanced FILE: the ledger that a tracer logged adds up, and nothing was lost. $joined: empty, or --joined.
balanced() {
	"$py" "$root/tests/e2e/ledger.py" "$1" --nothing-lost ${joined-}
}

# kernel_objects PID: the BPF programs, maps and links that a process holds, as "prog 12".
kernel_objects() { sed -sn 's/^\(prog\|map\|link\)_id:\t/\1 /p' /proc/"$1"/fdinfo/* | sort -u; }
# still_there FILE: which of them the kernel still has.
still_there() {
	local kind id
	while read -r kind id; do
		! bpftool "$kind" show id "$id" > /dev/null 2>&1 || echo "$kind $id"
	done < "$1"
}
all_gone() { [ -z "$(still_there "$1")" ]; }
# map_id PID MAP: of this agent; the map's name as the kernel has it, 15 characters.
map_id() {
	local id
	for id in $(kernel_objects "$1" | sed -n 's/^map //p'); do
		bpftool -j map show id "$id" | jq -r --arg name "$2" 'select(.name == $name).id'
	done
}
# entries PID MAP: how many a hash map of this agent holds. entries_are PID MAP N.
entries() { bpftool -j map dump id "$(map_id "$1" "$2")" | jq length; }
entries_are() { [ "$(entries "$1" "$2")" = "$3" ]; }
# resident PID: KiB.
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

# --- servers ----------------------------------------------------------------------------------

# free_port: one below the range from which the kernel takes those of outgoing connections.
free_port() { "$py" "$progs/free_port.py"; }

listens() { grep -Eqi "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") [0-9A-F]+:0000 0A" /proc/net/tcp /proc/net/tcp6; }

# server NAME PROGRAM ARGUMENT...: PROGRAM gets a free port as its last argument; $port, $pid.
server() {
	local name=$1
	shift
	port=$(free_port)
	spawn "$name" "$@" "$port"
	until_ok 10 listens "$port"
}

# sink [ANSWER]...: a collector that answers so (see sink.py); $sink_port, $sink_pid. What it takes is in
# $T/posts and $T/spans.
sink() {
	sink_port=$(free_port)
	[ $# = 0 ] || sink_answers "$@"
	spawn sink "$root/tests/e2e/sink.py" "$T" "$sink_port"
	sink_pid=$pid
	until_ok 10 listens "$sink_port"
}

sink_answers() { printf '%s\n' "$@" > "$T/script.new" && mv "$T/script.new" "$T/script"; }

# exporting [NAME=VALUE]...: an agent on a server of its own, sending to the sink; $agent, $port. $options are
# those of the agent.
exporting() {
	server server "$progs/http_server.py"
	for setting in OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$sink_port" OTEL_BSP_SCHEDULE_DELAY=100 "$@"; do
		export "${setting?}"
	done
	# shellcheck disable=SC2086
	tracer agent agent ${options-} --pid "$pid"
	agent=$pid
}

# ask FROM TO: requests with these numbers.
ask() {
	log "requests $1 to $2"
	seq -f "url = http://127.0.0.1:$port/%g" "$1" "$2" | curl -sS --max-time 20 -K - > "$T/answers"
	same "answers" "$(wc -l < "$T/answers")" $(($2 - $1 + 1))
}

# book NAME: a number of the agent's ledger.
book() { "$py" "$root/tests/e2e/ledger.py" "$T/agent.err" --print "$1"; }
# posts FILTER: of what the sink was sent. arrived: the requests that it took. expected FROM TO: as arrived tells them.
posts() { jq -r "$1" "$T/posts"; }
arrived() { jq -r '.attributes["url.path"]' "$T/spans" | sort -V | xargs; }
expected() { seq -f /%g "$1" "$2" | xargs; }

get() {
	log "GET $1"
	curl -sS --max-time 10 -o /dev/null "$@"
}

# hold_shop: starts the shop; $front, $shop_pid; its description is in $T/shop.json.
hold_shop() {
	spawn shop "$shop/run" --hold --truth "$T/unused"
	shop_pid=$pid
	until_ok 60 shop_ready_or_ended
	sed -n 2p "$T/shop.out" > "$T/shop.json"
	front=$(jq -r .front "$T/shop.json")
}

shop_ready_or_ended() { lines_at_least "$T/shop.out" 2 || ! is_running "$shop_pid"; }

# --- cgroups ----------------------------------------------------------------------------------

# new_cgroup PARENT: prints a new folder there.
new_cgroup() {
	local dir=$1/wirespan-e2e-${T##*.}
	mkdir "$dir" && echo "$dir" | tee -a "$T/cgroups"
}

remove_cgroups() {
	local dir
	[ -e "$T/cgroups" ] || return 0
	while read -r dir; do
		until_ok 5 rmdir "$dir" || return 1
	done < "$T/cgroups"
}
