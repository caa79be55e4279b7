#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Lives of processes, connections and agents: what was there before the tracer, what lives a moment, what
# is selected and what is not, agents that are killed, stopped and doubled.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

# served FILE PORT: requests that the server at PORT has received, as spans of FILE.
served() { spans "$1" ".kind == 2 and .attributes[\"network.local.port\"] == $2"; }
# calls FILE PORT: calls to that server.
calls() { spans "$1" ".kind == 3 and .attributes[\"network.peer.port\"] == $2"; }
# paths FILE CONDITION: the paths of these spans, in order.
paths() { jq -r "select($2) | .attributes | .[\"url.path\"] // (.[\"url.full\"] | sub(\"^https?://[^/]*\"; \"\"))" "$1" | sort -V | xargs; }

# --- before the tracer ------------------------------------------------------------------------

# truth FROM TO: what orders FROM to TO cause when none is lost.
truth() {
	jq -n --argjson from "$1" --argjson to "$2" '{orders: [range($from; $to + 1) | {
		id: "o-\("000000\(.)"[-6:])", fate: "slow",
		calls: {"nginx->frontend": 1, "frontend->order": 1, "order->inventory": 1, "inventory->redis": 1,
			"order->payment": 1, "payment->postgres": 2, "order->mail": 1}}]}'
}

order() { printf 'POST /orders?order=o-%06d {"sku":"o-%06d","account":%d,"cents":100}\n' "$1" "$1" "$1"; }

@test "connections opened before the tracer: the next request is seen whole, with the right roles" {
	local client before port
	hold_shop
	port=$(jq .ports.nginx "$T/shop.json")
	mkfifo "$T/orders"
	stdin=$T/orders spawn client "$py" "$progs/http_client.py" "$port"
	exec 9> "$T/orders"
	# Enough orders that every worker has its connections.
	for n in 1 2 3 4 5 6 11 12; do order $n >&9; done
	until_ok 20 lines_at_least "$T/client.out" 9
	before=$(jq -r '.pids | to_entries | map(.value) | join(",")' "$T/shop.json")
	tracer trace trace --json --pid "$before"
	trace=$pid
	for n in 13 14 15 16; do order $n >&9; done
	exec 9>&-
	until_ok 20 lines_at_least "$T/client.out" 13
	same "answers" "$(sed 1d "$T/client.out" | sort | uniq -c | tr -s ' ')" " 12 200"
	stop_tracer trace "$trace"
	truth 13 16 > "$T/truth"
	"$py" "$root/tests/truth/check.py" "$T/trace.out" "$T/truth"
	same "requests at the door" "$(served "$T/trace.out" "$port")" 4
	same "from the client's old connection" \
		"$(spans "$T/trace.out" ".kind == 2 and .attributes[\"network.peer.port\"] == $(sed -n 's/^open //p' "$T/client.out")")" 4
	"$py" "$root/tests/e2e/check_spans.py" "$T/trace.out"
}

@test "a request that was under way when the tracer came is not turned into a wrong one" {
	local server_pid
	server server "$progs/http_server.py"
	server_pid=$pid
	mkfifo "$T/lines"
	stdin=$T/lines spawn client "$py" "$progs/http_client.py" "$port"
	exec 9> "$T/lines"
	echo "GET /before?until=$T/go" >&9
	until_ok 10 busy "$port"
	tracer trace trace --json --pid "$server_pid"
	trace=$pid
	same "answers so far" "$(wc -l < "$T/client.out")" 1
	touch "$T/go"
	echo "GET /after" >&9
	exec 9>&-
	until_ok 10 lines_at_least "$T/client.out" 3
	kill "$trace"
	ends "$trace" 10
	same "exit status" "$status" 0
	"$py" "$root/tests/e2e/ledger.py" "$T/trace.err"   # the first exchange was cut, which is told
	same "the request after it" "$(spans "$T/trace.out" '.attributes["url.path"] == "/after" and
		.attributes["http.response.status_code"] == 200 and (.attributes | has("wirespan.incomplete") | not)')" 1
	# The response to /before may be a span that says it is incomplete; it is not the answer to /after.
	same "spans with a path that was not seen" "$(spans "$T/trace.out" '.attributes["url.path"] == "/before"')" 0
}

# busy PORT: somebody is connected there.
busy() { grep -Eqi "^ *[0-9]+: [0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:$(printf %04X "$1") 01" /proc/net/tcp; }

# --- short lives ------------------------------------------------------------------------------

@test "a process that lives a second is seen from its first request, under its own name" {
	server server "$progs/http_server.py"
	cat > "$T/oneshot.py" <<-PY
		import urllib.request, sys
		urllib.request.urlopen("http://127.0.0.1:$port/from-python").read()
	PY
	cat > "$T/script.sh" <<-SH
		curl -s -o /dev/null http://127.0.0.1:$port/from-curl
		$py $T/oneshot.py
		exec curl -s -o /dev/null http://127.0.0.1:$port/from-exec
	SH
	tracer trace trace --json -- bash "$T/script.sh"
	ends "$pid" 20
	same "exit status" "$status" 0
	balanced "$T/trace.err"
	same "spans" "$(jq -r '[.kind, .resource["service.name"], .attributes["url.full"], .attributes["http.response.status_code"]] | join(" ")' "$T/trace.out")" \
"3 curl http://127.0.0.1:$port/from-curl 200
3 oneshot http://127.0.0.1:$port/from-python 200
3 curl http://127.0.0.1:$port/from-exec 200"
	same "processes" "$(jq .resource[\"process.pid\"] "$T/trace.out" | sort -u | wc -l)" 3
}

@test "fifty processes of some milliseconds each: none is missed" {
	server server "$progs/http_server.py"
	cat > "$T/script.sh" <<-SH
		for i in \$(seq 50); do curl -s -o /dev/null http://127.0.0.1:$port/\$i || exit 1; done
	SH
	tracer trace trace --json -- bash "$T/script.sh"
	ends "$pid" 30
	same "exit status" "$status" 0
	balanced "$T/trace.err"
	same "paths" "$(paths "$T/trace.out" '.kind == 3 and .resource["service.name"] == "curl"')" "$(seq -f /%g 50 | xargs)"
}

@test "children are selected at fork: those of a process that was there, and theirs" {
	local shell
	server server "$progs/http_server.py"
	mkfifo "$T/commands"
	stdin=$T/commands spawn shell bash
	shell=$pid
	exec 9> "$T/commands"
	echo "sleep 600 & echo \$!" >&9   # a child from before
	until_ok 5 lines_at_least "$T/shell.out" 1
	tracer trace trace --json --pid "$shell"
	trace=$pid
	echo "curl -s http://127.0.0.1:$port/child" >&9
	echo "bash -c '(curl -s http://127.0.0.1:$port/grandchild; true)'" >&9
	echo "setsid $py -c 'import os, urllib.request
if not os.fork():
	urllib.request.urlopen(\"http://127.0.0.1:$port/fork-without-exec\").read(); os._exit(0)
os.wait()'; kill \$!; wait; echo done" >&9
	until_ok 20 grep -q done "$T/shell.out"
	stop_tracer trace "$trace"
	exec 9>&-
	same "paths" "$(paths "$T/trace.out" '.kind == 3')" "/child /fork-without-exec /grandchild"
	same "the server's own spans" "$(served "$T/trace.out" "$port")" 0
}

# --- selection --------------------------------------------------------------------------------

@test "without a selection: exit status 2, and a message that says what to give" {
	for command in agent trace "record -o $T/recording"; do
		# shellcheck disable=SC2086
		run -2 --separate-stderr "$wirespan" $command
		[[ $stderr == *"nothing selected"*"--pid"*"--comm"*"--port"*"--cgroup"*"--exe"*"--all"* ]]
		same "output" "$output" ""
	done
	[ ! -e "$T/recording" ]
}

# two_servers PROGRAM_A PROGRAM_B: $port_a, $pid_a, $port_b, $pid_b
two_servers() {
	server a "$1"
	port_a=$port pid_a=$pid
	server b "$2"
	port_b=$port pid_b=$pid
}

# only_a FILE COUNT: that many requests of a were seen and nothing of b.
only_a() {
	same "requests of the selected server" "$(served "$1" "$port_a")" "$2"
	same "spans of the other one" "$(spans "$1" ".attributes | .[\"network.local.port\"] == $port_b or .[\"network.peer.port\"] == $port_b")" 0
	same "all spans" "$(wc -l < "$1")" "$2"
}

ask_both() {
	for n in $(seq "$1"); do
		get "http://127.0.0.1:$port_a/a/$n"
		get "http://127.0.0.1:$port_b/b/$n"
	done
}

@test "--pid: this process, and not its neighbour of the same name" {
	two_servers "$progs/http_server.py" "$progs/http_server.py"
	tracer trace trace --json --pid "$pid_a"
	trace=$pid
	ask_both 3
	stop_tracer trace "$trace"
	only_a "$T/trace.out" 3
}

@test "--comm: processes of this name, also those that start later" {
	local name=ws${T##*.}
	cp "$progs/http_server.py" "$T/$name"
	two_servers "$T/$name" "$progs/http_server.py"
	same "comm" "$(cat "/proc/$pid_a/comm")" "$name"
	tracer trace trace --json --comm "$name"
	trace=$pid
	ask_both 2
	server later "$T/$name"
	get "http://127.0.0.1:$port/later"
	stop_tracer trace "$trace"
	same "the later one" "$(paths "$T/trace.out" ".attributes[\"network.local.port\"] == $port")" /later
	jq -c "select(.attributes[\"network.local.port\"] != $port)" "$T/trace.out" > "$T/others"
	only_a "$T/others" 2
}

@test "--port: who listens there, with what it calls, also one that listens later" {
	local backend later
	server backend "$progs/http_server.py"
	backend=$port
	later=$(free_port)
	server a "$progs/http_server.py" --call "http://127.0.0.1:$backend"
	port_a=$port
	server b "$progs/http_server.py"
	port_b=$port
	tracer trace trace --json --port "$port_a,$later"
	trace=$pid
	ask_both 2
	spawn later "$progs/http_server.py" "$later"
	until_ok 10 listens "$later"
	get "http://127.0.0.1:$later/later"
	stop_tracer trace "$trace"
	same "the later one" "$(paths "$T/trace.out" ".attributes[\"network.local.port\"] == $later")" /later
	same "requests" "$(served "$T/trace.out" "$port_a")" 2
	same "calls of the backend" "$(calls "$T/trace.out" "$backend")" 2
	same "calls with a parent" "$(spans "$T/trace.out" ".kind == 3 and .parentSpanId != \"\" and .attributes[\"wirespan.link.evidence\"] == \"thread\"")" 2
	same "all spans" "$(wc -l < "$T/trace.out")" 5
	"$py" "$root/tests/e2e/check_spans.py" "$T/trace.out"
}

@test "--exe: programs whose path matches, running or started later" {
	local redis
	mkdir "$T/bin"
	cp "$(command -v curl)" "$(command -v redis-server)" "$T/bin"
	server server "$progs/http_server.py"
	redis=$(free_port)
	spawn redis "$T/bin/redis-server" --port "$redis" --bind 127.0.0.1 --save '' --dir "$T" --daemonize no
	until_ok 10 listens "$redis"
	tracer trace trace --json --exe "$T/bin/*"
	trace=$pid
	"$T/bin/curl" -s "http://127.0.0.1:$port/selected"
	curl -s "http://127.0.0.1:$port/not-selected"
	redis-cli -p "$redis" SET visible 1
	stop_tracer trace "$trace"
	same "HTTP calls" "$(paths "$T/trace.out" '.attributes | has("url.full")')" /selected
	same "Redis commands" "$(jq -r 'select(.kind == 2) | .name' "$T/trace.out" | xargs)" SET
	same "service" "$(jq -r 'select(.kind == 3) | .resource["service.name"]' "$T/trace.out")" curl
	same "all spans" "$(wc -l < "$T/trace.out")" 2
}

@test "what the kernel is told of programs in Python and Go goes when they end" {
	mkfifo "$T/go"
	exec 8<> "$T/go"
	tracer trace trace --json -- bash -c "for i in {1..20}; do $py -S -c 'open(0, \"rb\", 0).read(1)' < $T/go & done; wait; read -r < $T/go"
	until_ok 20 entries_are "$pid" python_programs 20
	printf '%20s' >&8
	until_ok 20 entries_are "$pid" python_programs 0
	echo >&8
	ends "$pid" 20
	exec 8>&-
	same "exit status" "$status" 0
}

# tell PID MAP TGID: an entry of zeros, as an agent's whose offsets are unknown.
tell() {
	local id
	id=$(map_id "$1" "$2")
	# shellcheck disable=SC2046
	bpftool map update id "$id" key $(for i in 0 8 16 24; do echo $(($3 >> i & 255)); done) \
		value $(yes 0 | head -n "$(bpftool -j map show id "$id" | jq .bytes_value)")
}

@test "what the kernel is told of programs in Python and Go goes when they exec another" {
	local shell map
	mkfifo "$T/go"
	exec 8<> "$T/go"
	stdin=$T/go spawn shell bash -c 'read -r && exec sleep 60'
	shell=$pid
	tracer trace trace --json --pid "$shell"
	for map in python_programs go_programs; do
		tell "$pid" "$map" "$shell"
		same "entries of $map" "$(entries "$pid" "$map")" 1
	done
	echo >&8
	for map in python_programs go_programs; do until_ok 10 entries_are "$pid" "$map" 0; done
	is_running "$shell"
	# And when it ends.
	for map in python_programs go_programs; do tell "$pid" "$map" "$shell"; done
	kill "$shell"
	for map in python_programs go_programs; do until_ok 10 entries_are "$pid" "$map" 0; done
	exec 8>&-
	stop_tracer trace "$pid"
}

# in_cgroup FOLDER: server a is in it, server b is not; a child of a shell that moves in later is traced.
in_cgroup() {
	local dir name=$1
	dir=$(new_cgroup "$1") || skip "this kernel's hierarchy $1 cannot be written"
	two_servers "$progs/http_server.py" "$progs/http_server.py"
	echo "$pid_a" > "$dir/cgroup.procs"
	tracer trace trace --json --cgroup "$dir"
	trace=$pid
	ask_both 2
	mkdir "$dir/below"
	bash -c "echo \$\$ > '$dir/below/cgroup.procs' && curl -s 'http://127.0.0.1:$port_a/below'"
	until_ok 5 rmdir "$dir/below"
	stop_tracer trace "$trace"
	same "calls from the folder below" "$(paths "$T/trace.out" '.kind == 3')" /below
	jq -c 'select(.kind == 2)' "$T/trace.out" > "$T/others"
	only_a "$T/others" 3
}

# hierarchy TYPE: a folder of a mounted hierarchy of this version in which our own process is.
hierarchy() {
	local line
	line=$(awk -v t="$1" '$3 == t && $2 !~ /systemd/ { print $2; exit }' /proc/mounts)
	[ -n "$line" ] || skip "this kernel has no $1 hierarchy mounted"
	echo "$line"
}

@test "--cgroup: processes in a folder of version 2, and below it" {
	[ -n "$(hierarchy cgroup2)" ] || hierarchy cgroup2
	in_cgroup "$(hierarchy cgroup2)"
}

@test "--cgroup: processes in a folder of version 1, and below it" {
	awk '$3 == "cgroup" { print $2 }' /proc/mounts | grep -q pids || hierarchy cgroup
	in_cgroup "$(awk '$3 == "cgroup" { print $2 }' /proc/mounts | grep -m 1 pids)"
}

@test "several selections at once add up" {
	two_servers "$progs/http_server.py" "$progs/http_server.py"
	server c "$progs/http_server.py"
	tracer trace trace --json --pid "$pid_a" --port "$port_b"
	trace=$pid
	ask_both 2
	get "http://127.0.0.1:$port/c"
	stop_tracer trace "$trace"
	same "requests of a" "$(served "$T/trace.out" "$port_a")" 2
	same "requests of b" "$(served "$T/trace.out" "$port_b")" 2
	same "all spans" "$(wc -l < "$T/trace.out")" 4
}

@test "IPv6, and IPv4 at a server that listens on both: addresses as people write them" {
	server server "$progs/http_server.py" --both
	tracer trace trace --json --pid "$pid" -- bash -c "curl -s -o /dev/null http://127.0.0.1:$port/four; curl -s -o /dev/null 'http://[::1]:$port/six'"
	ends "$pid" 20
	balanced "$T/trace.err"
	"$py" "$root/tests/e2e/check_spans.py" "$T/trace.out"
	same "addresses" "$(jq -r '.attributes | [."network.local.address", ."network.peer.address", ."server.address"] | join(" ")' "$T/trace.out" | sort | uniq -c | tr -s ' ')" \
" 2 127.0.0.1 127.0.0.1 127.0.0.1
 2 ::1 ::1 ::1"
}

# --- agents -----------------------------------------------------------------------------------

@test "ready means ready: the first request after that line is seen" {
	server server "$progs/http_server.py"
	server_pid=$pid
	for n in 1 2 3; do
		spawn trace "$wirespan" trace --json --pid "$server_pid"
		trace=$pid
		until_ok 20 grep -q '^wirespan: ready' "$T/trace.err"
		curl -s "http://127.0.0.1:$port/first/$n" > "$T/answer"
		stop_tracer trace "$trace"
		same "round $n" "$(paths "$T/trace.out" .kind)" "/first/$n"
	done
}

@test "spans appear as requests complete, also in a pipe" {
	server server "$progs/http_server.py"
	spawn trace bash -c "exec '$wirespan' trace --json --pid $pid | cat"
	until_ok 20 grep -q '^wirespan: ready' "$T/trace.err"
	get "http://127.0.0.1:$port/now"
	until_ok 5 grep -q /now "$T/trace.out"
}

@test "trees appear as requests complete" {
	server server "$progs/http_server.py"
	tracer trace trace --pid "$pid"
	get "http://127.0.0.1:$port/now"
	until_ok 5 grep -q '^GET ' "$T/trace.out"
	until_ok 5 grep -Eq '^http_server +GET .* root$' "$T/trace.out"
}

@test "a reader that goes away ends the tracer" {
	server server "$progs/http_server.py"
	spawn pipe bash -c "'$wirespan' trace --json --pid $pid 2> '$T/trace.err' | head -n 1"
	pipe=$pid
	until_ok 20 grep -q '^wirespan: ready' "$T/trace.err"
	spawn load "$progs/http_load.py" 1 5 "$port"
	ends "$pipe" 20
	same "lines" "$(wc -l < "$T/pipe.out")" 1
}

@test "output that cannot be written is a failure" {
	server server "$progs/http_server.py"
	run -1 bash -c "'$wirespan' trace --json -- curl -s -o /dev/null http://127.0.0.1:$port/x > /dev/full"
	[[ $output == *"No space left"* ]]
	run -1 bash -c "'$wirespan' trace --summary -- curl -s -o /dev/null http://127.0.0.1:$port/x > /dev/full"
}

@test "SIGTERM and SIGINT flush: what was just done is in the output, exit status 0" {
	server server "$progs/http_server.py"
	server_pid=$pid
	for signal in TERM INT; do
		tracer trace trace --json --pid "$server_pid"
		trace=$pid
		for n in 1 2 3 4 5; do get "http://127.0.0.1:$port/$signal/$n"; done
		kill "-$signal" "$trace"
		ends "$trace" 10
		same "exit status" "$status" 0
		same "$signal" "$(paths "$T/trace.out" .kind)" "$(seq -f "/$signal/%g" 5 | xargs)"
		balanced "$T/trace.err"
	done
}

@test "a traced command's failure is the tracer's exit status, and its children see no signal of ours" {
	run -1 "$wirespan" trace --json -- bash -c 'exit 3'
	run -0 "$wirespan" trace --json -- true
	run -1 --separate-stderr "$wirespan" trace --json -- "$T/is-not-there"
	[[ $stderr == *"$T/is-not-there"* ]]
}

@test "SIGTERM to \`trace -- CMD\` ends the command too" {
	tracer trace trace --json -- sleep 600
	trace=$pid
	below=($(descendants "$trace"))
	same "processes" "${#below[@]}" 2
	kill "$trace"
	ends "$trace" 10
	same "left" "$(running "${below[@]}")" ""
}

@test "an agent killed under load leaves nothing in the kernel; the next one picks up the running connections" {
	joined=--joined   # it starts in the middle of responses
	local server_pid load ports
	server server "$progs/http_server.py"
	server_pid=$pid
	spawn load "$progs/http_load.py" 4 5 "$port"
	load=$pid
	until_ok 10 grep -q started "$T/load.out"
	for round in 1 2 3; do
		tracer "killed-$round" trace --json --pid "$server_pid"
		kernel_objects "$pid" > "$T/objects-$round"
		same "it holds programs" "$(($(grep -c prog "$T/objects-$round") > 3))" 1
		same "and they are there" "$(still_there "$T/objects-$round" | wc -l)" "$(wc -l < "$T/objects-$round")"
		kill -9 "$pid"
		ends "$pid" 5
		until_ok 10 all_gone "$T/objects-$round"
	done
	tracer trace trace --json --pid "$server_pid"
	trace=$pid
	kernel_objects "$trace" > "$T/objects"
	until_ok 20 lines_at_least "$T/load.out" $(($(wc -l < "$T/load.out") + 4))
	kill "$load"
	ends "$load" 10
	same "errors of the load" "$status" 0
	stop_tracer trace "$trace"
	until_ok 10 all_gone "$T/objects"
	same "errors that it counted" "$(tail -n 1 "$T/load.out" | jq .errors)" 0
	# Every one of its connections, all older than this agent.
	same "connections seen" "$(jq '.attributes["network.peer.port"]' "$T/trace.out" | sort -u | xargs)" \
		"$(tail -n 1 "$T/load.out" | jq -r '.ports | sort | join(" ")')"
	same "roles" "$(jq .kind "$T/trace.out" | sort -u)" 2
	"$py" "$root/tests/e2e/check_spans.py" "$T/trace.out" keys ids times network names why
}

@test "an agent that is stopped under load has made = seen + lost too, and lost nothing" {
	joined=--joined   # it starts in the middle of responses
	server server "$progs/http_server.py"
	server_pid=$pid
	spawn load "$progs/http_load.py" 4 2 "$port"
	load=$pid
	until_ok 10 grep -q started "$T/load.out"
	for round in 1 2 3; do
		tracer trace trace --json --pid "$server_pid"
		trace=$pid
		until_ok 20 lines_at_least "$T/load.out" $(($(wc -l < "$T/load.out") + 2))
		stop_tracer trace "$trace"
		same "spans of round $round" "$("$py" "$root/tests/e2e/ledger.py" "$T/trace.err" --print spans.made)" "$(wc -l < "$T/trace.out")"
	done
}

@test "an agent pins nothing" {
	server server "$progs/http_server.py"
	server_pid=$pid
	# A /sys/fs/bpf of its own, so that nobody else's is looked at.
	spawn trace unshare --mount bash -c "mount -t bpf bpf /sys/fs/bpf && exec '$wirespan' trace --json --pid $server_pid"
	trace=$pid
	until_ok 20 grep -q '^wirespan: ready' "$T/trace.err"
	same "file system" "$(stat -f -c %T "/proc/$trace/root/sys/fs/bpf")" bpf_fs
	get "http://127.0.0.1:$port/1"
	# The kernel itself puts two iterators there.
	same "pinned" "$(find "/proc/$trace/root/sys/fs/bpf" -mindepth 1 ! -name '*.debug')" ""
	stop_tracer trace "$trace"
	same "spans" "$(wc -l < "$T/trace.out")" 1
}

@test "two agents at once see the same requests, under the same ids" {
	server server "$progs/http_server.py"
	server_pid=$pid
	tracer one trace --json --pid "$server_pid"
	one=$pid
	tracer two trace --json --pid "$server_pid"
	two=$pid
	for n in 1 2 3 4 5; do get "http://127.0.0.1:$port/$n"; done
	stop_tracer one "$one"
	get "http://127.0.0.1:$port/6"
	stop_tracer two "$two"
	same "the first" "$(paths "$T/one.out" .kind)" "/1 /2 /3 /4 /5"
	same "the second, which went on" "$(paths "$T/two.out" .kind)" "/1 /2 /3 /4 /5 /6"
	same "ids" "$(jq -r .spanId "$T/one.out")" "$(jq -r 'select(.attributes["url.path"] != "/6") | .spanId' "$T/two.out")"
}

@test "an agent does not trace itself or its export, even when its own name is selected" {
	local name=ws${T##*.}
	cp "$wirespan" "$T/$name"
	cp "$progs/http_server.py" "$T/server-$name"
	sink
	server server "$T/server-$name"
	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$sink_port OTEL_BSP_SCHEDULE_DELAY=100 \
		spawn agent "$T/$name" agent --comm "$name" --pid "$pid"
	agent=$pid
	until_ok 20 grep -q '^wirespan: ready' "$T/agent.err"
	for n in 1 2 3; do
		get "http://127.0.0.1:$port/$n"
		until_ok 10 lines_at_least "$T/spans" "$n"
	done
	stop_tracer agent "$agent"
	same "spans" "$(paths "$T/spans" .kind)" "/1 /2 /3"
}
