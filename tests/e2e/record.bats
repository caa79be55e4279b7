#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Recordings: who may read one, that replays need no privilege and always say the same, and what is said of
# one that is damaged.
load helper

setup_file() {
	local status=0
	e2e_setup_file
	server server "$progs/http_server.py"
	(umask 0; bounded 300 "$wirespan" record -o "$F/recording" -- bash -c "
		seq -f 'url = http://127.0.0.1:$port/%g?token=hunter2' 40 | curl -sS -K -
		curl -sS 'http://127.0.0.1:$port/status/500'") > "$F/answers" 2> "$F/record.err" 3>&- || status=$?
	end_all "$F"
	cat "$F/record.err"
	same "exit status of record" "$status" 0
	balanced "$F/record.err"
	# nobody must reach both.
	cp "$wirespan" "$F/wirespan"
	cp "$F/recording" "$F/readable"
	chmod 755 "$F/wirespan"
	chmod 644 "$F/readable"
}

teardown_file() { e2e_teardown_file; }
setup() { e2e_setup; }
teardown() { e2e_teardown; }

unprivileged() { setpriv --reuid nobody --regid nogroup --clear-groups --bounding-set=-all --no-new-privs "$@"; }

@test "a recording is readable by its owner only, whatever the umask, and record says what it holds" {
	same "mode and owner" "$(stat -c '%a %u' "$F/recording")" "600 0"
	grep -qi "payload" "$F/record.err"
	grep -q "unredacted" "$F/record.err"
	grep -aq 'token=hunter2' "$F/recording"
}

@test "record does not overwrite, and does not run the command then" {
	echo keep > "$T/there"
	run -1 --separate-stderr "$wirespan" record -o "$T/there" -- touch "$T/has-run"
	[[ $stderr == *"$T/there"* ]]
	same "the file" "$(cat "$T/there")" keep
	[ ! -e "$T/has-run" ]
	# Nor does it follow a link to a place that somebody else has chosen.
	ln -s "$T/elsewhere" "$T/link"
	run -1 --separate-stderr "$wirespan" record -o "$T/link" -- true
	[ ! -e "$T/elsewhere" ]
}

@test "record says where it cannot write" {
	run -1 --separate-stderr "$wirespan" record -o "$T/no/such/folder" -- true
	[[ $stderr == *"$T/no/such/folder"* ]]
}

@test "a full disk: record says so and fails" {
	mkdir "$T/small"
	mount -t tmpfs -o size=64k tmpfs "$T/small"
	server server "$progs/http_server.py"
	run --separate-stderr "$wirespan" record -o "$T/small/recording" -- bash -c "seq -f 'url = http://127.0.0.1:$port/%g' 400 | curl -sS -K -"
	umount "$T/small"
	same "exit status" "$status" 1
	[[ $stderr == *"$T/small/recording"*[Nn]"o space left"* ]]
}

# What the replaying process itself has cost is no part of the recording.
without_cost() { sed '/^capture: /s/; agent .*//'; }

@test "replay without privileges gives the spans, twice the same bytes" {
	run unprivileged cat "$F/recording"
	[ "$status" != 0 ]
	for format in "" --json --summary; do
		for n in 1 2; do
			# shellcheck disable=SC2086
			(cd / && unprivileged "$F/wirespan" replay $format "$F/readable") 2> "$T/$n.err" | without_cost > "$T/$n"
		done
		[ -s "$T/1" ]
		cmp "$T/1" "$T/2"
	done
	unprivileged "$F/wirespan" replay --json "$F/readable" > "$T/json"
	same "spans" "$(wc -l < "$T/json")" 41
	"$py" "$root/tests/e2e/check_spans.py" "$T/json" keys ids times network names why
	lacks "$T/json" hunter2
}

@test "a replay whose spans nobody takes ends when it is told to" {
	# The queue is full long before the end, the collector away.
	gunzip -c "$root/tests/replay/shop.ws.gz" > "$T/shop.ws"
	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9 OTEL_BSP_MAX_QUEUE_SIZE=2 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1 \
		spawn replay "$wirespan" replay --otlp "$T/shop.ws"
	until_ok 10 grep -q "being retried" "$T/replay.err"
	kill -TERM "$pid"
	ends "$pid" 10
	grep -q "stopped before the end" "$T/replay.err"
}

@test "replay says the same on another day, on another host, with another environment" {
	bounded 300 "$wirespan" replay --json "$F/recording" > "$T/here"
	OTEL_SERVICE_NAME=other OTEL_RESOURCE_ATTRIBUTES=a=b TZ=Asia/Tokyo LC_ALL=C \
		unshare --uts bash -c "hostname elsewhere && '$wirespan' replay --json '$F/recording'" > "$T/there"
	diff "$T/here" "$T/there"
}

@test "replay says what the live trace said" {
	server server "$progs/http_server.py"
	server_pid=$pid
	tracer trace trace --json --pid "$server_pid"
	trace=$pid
	tracer record record -o "$T/recording" --pid "$server_pid"
	record=$pid
	seq -f "url = http://127.0.0.1:$port/%g" 25 | curl -sS -K - > "$T/answers"
	stop_tracer record "$record"
	stop_tracer trace "$trace"
	bounded 300 "$wirespan" replay --json "$T/recording" > "$T/replayed"
	# Trace ids hold a time of the agent's own clock readings.
	filter='{spanId, parentSpanId, name, kind, attributes, resource}'
	same "spans" "$(wc -l < "$T/replayed")" 25
	jq -cS "$filter" "$T/trace.out" > "$T/live.spans"
	jq -cS "$filter" "$T/replayed" > "$T/replayed.spans"
	diff "$T/live.spans" "$T/replayed.spans" | head -c 2000
	cmp "$T/live.spans" "$T/replayed.spans"
}

# damaged FILE: exit status 1 and a message that names the file, or says how many records were bad; no signal.
damaged() {
	local status=0
	log "replay $(stat -c %s "$1") bytes of ${1##*/}"
	timeout 20 "$wirespan" replay --json "$1" > "$T/out" 2> "$T/err" || status=$?
	cat "$T/err"
	same "exit status" "$status" 1
	grep -Eq "$1|malformed|damaged" "$T/err"
	grep -q '^wirespan: ' "$T/err"
}

@test "an empty file, a file of zeros, garbage, a folder and no file at all are refused" {
	: > "$T/empty"
	head -c 4096 /dev/zero > "$T/zeros"
	"$py" -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(100000))' > "$T/garbage"
	mkdir "$T/folder"
	for file in empty zeros garbage folder is-not-there; do
		if [ -d "$T/$file" ] || [ ! -e "$T/$file" ]; then
			run -1 --separate-stderr "$wirespan" replay "$T/$file"
			[[ $stderr == *"$T/$file"* ]]
		else
			damaged "$T/$file"
			same "spans" "$(wc -l < "$T/out")" 0
		fi
	done
}

@test "a recording of which the end is missing: what is there is shown, and the damage is told" {
	local size
	size=$(stat -c %s "$F/recording")
	for part in 1 3 5 7 9; do
		# Never at the end of a record, which is a multiple of 8.
		head -c $((size / 80 * part * 8 - 3)) "$F/recording" > "$T/cut-$part"
		damaged "$T/cut-$part"
	done
	same "spans of nine tenths" "$(($(wc -l < "$T/out") > 25))" 1
	head -c 12 "$F/recording" > "$T/half-a-head"
	damaged "$T/half-a-head"
}

@test "a recording with garbage in the middle: the damage is told" {
	local size
	size=$(stat -c %s "$F/recording")
	for seed in 1 2 3 4 5 6 7 8; do
		cp "$F/recording" "$T/spoilt-$seed"
		"$py" -c "import random, sys; sys.stdout.buffer.write(random.Random($seed).randbytes(512))" |
			dd of="$T/spoilt-$seed" bs=1 seek=$((size * seed / 9)) conv=notrunc status=none
		damaged "$T/spoilt-$seed"
	done
}

@test "a recording with single bytes changed never ends by a signal" {
	"$py" - "$F/recording" "$T" <<-'PY'
		import random, sys
		data, r = open(sys.argv[1], "rb").read(), random.Random(7)
		for n in range(60):
		    spoilt = bytearray(data)
		    for _ in range(1 + n % 4):
		        spoilt[r.randrange(16, len(data))] = r.randrange(256)
		    open(f"{sys.argv[2]}/flip-{n}", "wb").write(spoilt)
	PY
	for file in "$T"/flip-*; do
		status=0
		timeout 20 "$wirespan" replay --json "$file" > "$T/out" 2> "$T/err" || status=$?
		[ "$status" -le 1 ] || { echo "$file: status $status"; cp "$file" /tmp/; false; }
		jq -e . "$T/out" > /dev/null || [ ! -s "$T/out" ]
	done
}

@test "a recording of another version is refused, and the message says which" {
	cp "$F/recording" "$T/newer"
	printf '\377' | dd of="$T/newer" bs=1 seek=8 conv=notrunc status=none
	run -1 --separate-stderr "$wirespan" replay "$T/newer"
	[[ $stderr == *"$T/newer"*version* ]]
}

@test "a pipe may be replayed" {
	bounded 300 "$wirespan" replay --json "$F/recording" > "$T/file"
	bounded 300 "$wirespan" replay --json <(cat "$F/recording") > "$T/pipe"
	cmp "$T/file" "$T/pipe"
}
