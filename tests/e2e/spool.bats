#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The disk spool: collectors that are away, stopped, slow; agents that are killed and started again; disks that
# are full. Whatever happens, each span is exported, dropped with its reason, or in the spool.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

# spooling [NAME=VALUE]...: as exporting, with a spool. $more: further options.
spooling() { options="--spool $T/spool ${more-}" exporting "$@"; }

# spooled: spans in the spool, as its files' names tell.
spooled() { find "$T/spool" -name '*.batch' | sed 's/.*-\([0-9]*\)\.batch/\1/' | awk '{ n += $1 } END { print n + 0 }'; }
spooled_at_least() { [ "$(spooled)" -ge "$1" ]; }
arrived_once() { sort -u "$T/spans" | jq -r '.attributes["url.path"]' | sort -V | uniq | xargs; }
all_there() { [ "$(arrived_once)" = "$1" ]; }

# again [NAME=VALUE]...: the next agent on the same server.
again() {
	# shellcheck disable=SC2086
	tracer agent agent --spool "$T/spool" ${more-} --pid "$server_pid"
	agent=$pid
}

down() {
	sink_port=$(free_port)
	spooling "$@"
	server_pid=$(sed -n '$!p' "$T/pids" | tail -n 1)
}

@test "spool: what the collector does not take survives SIGKILL and is sent by the next agent, oldest first" {
	down OTEL_BSP_MAX_EXPORT_BATCH_SIZE=2
	ask 1 20
	until_ok 10 spooled_at_least 20
	same "mode of the directory" "$(stat -c %a "$T/spool")" 700
	same "modes of the files" "$(stat -c %a "$T/spool"/* | sort -u)" 600
	kill -9 "$agent"
	ends "$agent" 5
	spawn sink "$root/tests/e2e/sink.py" "$T" "$sink_port"
	again
	holds "$T/agent.err" "holds 20 spans of an earlier run"
	ask 21 25
	until_ok 20 all_there "$(expected 1 25)"
	until_ok 5 not spooled_at_least 1
	stop_tracer agent "$agent"
	same "found, exported" "$(book found) $(book exported)" "20 25"
	# Those of the spool in their order, whatever came between.
	same "order" "$(jq -r '.attributes["url.path"][1:] | tonumber | select(. <= 20)' "$T/spans" | xargs)" "$(seq 20 | xargs)"
	same "files left" "$(ls -A "$T/spool")" ""
}

@test "spool: SIGTERM while the collector is away keeps everything" {
	down OTEL_BSP_SCHEDULE_DELAY=60000
	ask 1 10
	kill "$agent"
	ends "$agent" 15
	same "exit status" "$status" 0
	balanced "$T/agent.err"
	same "in the spool" "$(book spooled) $(book gave_up) $(spooled)" "10 0 10"
	lacks "$T/agent.err" "could not be exported"
	spawn sink "$root/tests/e2e/sink.py" "$T" "$sink_port"
	again
	until_ok 20 all_there "$(expected 1 10)"
	ask 11 11
	stop_tracer agent "$agent"
	all_there "$(expected 1 11)"
}

@test "spool: the collector goes away and comes back under load" {
	sink
	spooling OTEL_BSP_MAX_EXPORT_BATCH_SIZE=8
	ask 1 10
	kill "$sink_pid"
	ends "$sink_pid" 10
	ask 11 100
	until_ok 10 grep -q "is being retried" "$T/agent.err"
	ask 101 200
	until_ok 10 spooled_at_least 100
	spawn sink "$root/tests/e2e/sink.py" "$T" "$sink_port"
	until_ok 30 all_there "$(expected 1 200)"
	stop_tracer agent "$agent"
	same "exported" "$(book exported)" 200
	holds "$T/agent.err" "works again"
	same "duplicates" "$(jq -r .spanId "$T/spans" | sort | uniq -d)" ""
}

@test "spool: a stopped collector accepts and never answers: memory stays bounded, nothing is lost" {
	sink
	spooling OTEL_BSP_MAX_EXPORT_BATCH_SIZE=16 OTEL_BSP_MAX_QUEUE_SIZE=128 OTEL_EXPORTER_OTLP_TIMEOUT=60000
	ask 1 10
	until_ok 10 lines_at_least "$T/spans" 10
	kill -STOP "$sink_pid"
	ask 11 1000
	until_ok 10 spooled_at_least 850   # 990 less what a half queue holds, and what is filling
	before=$(awk '/^VmRSS/ { print $2 }' "/proc/$agent/status")
	ask 1001 3000
	until_ok 10 spooled_at_least 2850
	after=$(awk '/^VmRSS/ { print $2 }' "/proc/$agent/status")
	log "resident: $before KiB, $after KiB"
	same "grown by less than 4 MiB" "$((after - before < 4096))" 1
	kill -CONT "$sink_pid"
	until_ok 60 all_there "$(expected 1 3000)"
	stop_tracer agent "$agent"
	same "dropped" "$(book full) $(book gave_up) $(book spool_full) $(book spool_disk)" "0 0 0 0"
	same "exported" "$(book exported)" 3000
}

@test "spool: a collector that answers slowly: the spool takes what it cannot" {
	sink "200 delay=0.3"
	spooling OTEL_BSP_MAX_EXPORT_BATCH_SIZE=8 OTEL_BSP_MAX_QUEUE_SIZE=32
	ask 1 200
	same "dropped so far" "$(grep -c full "$T/agent.err")" 0
	until_ok 30 all_there "$(expected 1 200)"
	stop_tracer agent "$agent"
	same "exported, dropped" "$(book exported) $(book full)" "200 0"
	same "the spool was used" "$(($(book written) > 50))" 1
}

@test "spool: full: the oldest go, and are counted" {
	more="--spool-size 8" down OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1   # 2,048 blocks of 4 KiB
	ask 1 2200
	kill "$agent"
	ends "$agent" 15
	balanced "$T/agent.err"
	same "in the spool, dropped" "$(book spooled) $(book spool_full)" "2048 152"
	same "bytes" "$(($(du -sB1 --apparent-size "$T/spool" | cut -f1) < 9 << 20))" 1
	holds "$T/agent.err" "raise --spool-size"
	# 20 batches a second: the oldest that is left comes first.
	spawn sink "$root/tests/e2e/sink.py" "$T" "$sink_port"
	again
	until_ok 10 lines_at_least "$T/spans" 5
	kill "$agent"
	ends "$agent" 15
	same "first" "$(jq -r '.attributes["url.path"]' "$T/spans" | head -n 3 | xargs)" "/153 /154 /155"
}

# on_small_disk NAME SIZE COMMAND...: with a tmpfs of that size at $T/disk that only it sees.
on_small_disk() {
	local name=$1 size=$2
	shift 2
	mkdir -p "$T/disk"
	spawn "$name" unshare --mount bash -c "mount -t tmpfs -o size=$size tmpfs '$T/disk' && exec \"\$@\"" - "$@"
	until_ok 30 said_ready_or_ended "$name" "$pid"
	said_ready "$name"
}

@test "spool: a full disk: the oldest go, what is dropped is counted, and sending empties it" {
	sink_port=$(free_port)
	server server "$progs/http_server.py"
	server_pid=$pid
	export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$sink_port OTEL_BSP_SCHEDULE_DELAY=100 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1
	on_small_disk agent 256k "$wirespan" agent --spool "$T/disk/spool" --pid "$server_pid"
	agent=$pid
	ask 1 100
	until_ok 10 grep -q "can't be written, spans are dropped: No space left" "$T/agent.err"
	same "files, at most" "$(($(find "/proc/$agent/root$T/disk/spool" -name '*.batch' | wc -l) <= 64))" 1
	same "partial files" "$(find "/proc/$agent/root$T/disk/spool" -name '*.tmp')" ""
	spawn sink "$root/tests/e2e/sink.py" "$T" "$sink_port"
	until_ok 30 grep -q /100 "$T/spans"
	until_ok 30 empty_dir "/proc/$agent/root$T/disk/spool"
	stop_tracer agent "$agent"
	same "exported and dropped" "$(($(book exported) + $(book spool_disk)))" 100
	same "what arrived, in order" "$(arrived)" "$(expected $(($(book spool_disk) + 1)) 100)"
}

empty_dir() { [ -z "$(ls -A "$1")" ]; }

@test "spool: partial and altered files are refused and counted, the others sent" {
	down OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1
	ask 1 5
	until_ok 10 spooled_at_least 5
	kill -9 "$agent"
	ends "$agent" 5
	files=("$T/spool"/*.batch)
	truncate -s -1 "${files[0]}"
	printf X | dd of="${files[2]}" bs=1 seek=100 conv=notrunc status=none
	: > "$T/spool/0000000000000063-7.tmp"   # it was being written
	spawn sink "$root/tests/e2e/sink.py" "$T" "$sink_port"
	again
	ask 6 6
	until_ok 20 all_there "/2 /4 /5 /6"
	stop_tracer agent "$agent"
	same "found, damaged, files" "$(book found) $(book damaged) $(book damaged_files)" "12 9 3"
	same "files left" "$(ls -A "$T/spool")" ""
}

@test "spool: a second agent with the same directory says so and ends; the first goes on" {
	sink
	spooling
	run -1 --separate-stderr timeout 10 "$wirespan" agent --spool "$T/spool" --pid $$
	[[ $stderr == *"$T/spool"*"in use by another agent"* ]] || { echo "$stderr"; return 1; }
	ask 1 3
	stop_tracer agent "$agent"
	same "exported" "$(book exported)" 3
}

# no_spool DIRECTORY WORD: exit status 1 before anything is traced.
no_spool() {
	run -1 --separate-stderr timeout 10 "$wirespan" agent --spool "$1" --pid $$
	[[ $stderr == *"$1"*"$2"* && $stderr != *ready* ]] || { echo "$1: $stderr"; return 1; }
}

@test "spool: a directory that cannot be written is an error at the start" {
	: > "$T/file"
	no_spool "$T/file" "Not a directory"
	no_spool "$T/not/there" "No such file"
	no_spool /proc/1 "can't be written"
	no_spool /tmp "written by others"
	mkdir -m 1777 "$T/shared"   # empty, and yet others'
	no_spool "$T/shared" "(mode 1777)"
	same "its mode" "$(stat -c %a "$T/shared")" 1777
	mkdir "$T/ro"
	run -1 --separate-stderr timeout 10 unshare --mount bash -c "mount -t tmpfs -o ro,mode=700 tmpfs '$T/ro' && exec '$wirespan' agent --spool '$T/ro' --pid $$"
	[[ $stderr == *"Read-only file system"* ]] || { echo "$stderr"; return 1; }
	for size in 0 7 many 1048577; do
		run -2 --separate-stderr timeout 10 "$wirespan" agent --spool "$T/x" --spool-size $size --pid $$
		[[ $stderr == *"--spool-size '$size'"* ]] || { echo "$size: $stderr"; return 1; }
	done
}

@test "recording: a full disk is told at once; the command goes on, the exit status is 1" {
	server server "$progs/http_server.py"
	on_small_disk record 64k "$wirespan" record -o "$T/disk/file" -- bash -c \
		"seq -f 'url = http://127.0.0.1:$port/%g' 600 | curl -sS -K - > '$T/answers'; until [ -e '$T/end' ]; do sleep 0.05; done"
	record=$pid
	until_ok 20 grep -q "No space left" "$T/record.err"
	is_running "$record"
	until_ok 20 lines_at_least "$T/answers" 600
	: > "$T/end"
	ends "$record" 20
	same "exit status" "$status" 1
	# Without a command there is nothing left to do.
	server server "$progs/http_server.py"
	on_small_disk record 64k "$wirespan" record -o "$T/disk/file" --pid "$pid"
	record=$pid
	ask 1 600
	ends "$record" 20
	same "exit status" "$status" 1
	holds "$T/record.err" "No space left"
}
