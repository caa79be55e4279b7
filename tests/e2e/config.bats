#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The configuration file: what counts of file, environment and command line; mistakes; reload on SIGHUP.
load helper
load containers

setup() { e2e_setup; }
teardown() {
	containers_teardown
	e2e_teardown
}

# second_sink: another collector; $second_port, its spans in $T/second/spans.
second_sink() {
	second_port=$(free_port)
	mkdir "$T/second"
	spawn second "$root/tests/e2e/sink.py" "$T/second" "$second_port"
	until_ok 10 listens "$second_port"
}

# config LINE...: the file.
config() { printf '%s\n' "$@" > "$T/wirespan.yaml"; }

paths() { jq -r '.attributes["url.path"]' "$1" 2> /dev/null | sort -V | xargs; }
arrived() { [ "$(paths "$1")" = "$2" ]; }

# reload: SIGHUP, and the answer to it.
reload() {
	: > "$T/agent.err"
	kill -HUP "$agent"
	until_ok 10 grep -qE "configuration reloaded|nothing was changed" "$T/agent.err"
}

# ask FD NAME PATH: a request by that client, answered when this returns.
ask() {
	local before
	before=$(wc -l < "$T/$2-client.out")
	echo "GET $3" >&"$1"
	until_ok 10 lines_at_least "$T/$2-client.out" $((before + 1))
}

@test "a file configures the agent; the environment wins over it, the command line over both" {
	sink
	second_sink
	server server "$progs/http_server.py"
	config "pid: [$pid]" "otel.exporter.otlp:" "  endpoint: http://127.0.0.1:$sink_port" "otel.bsp.schedule.delay: 100"
	tracer agent agent --config "$T/wirespan.yaml"
	get "http://127.0.0.1:$port/file"
	until_ok 10 arrived "$T/spans" /file
	stop_tracer agent "$pid"

	export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$second_port
	tracer agent agent --config "$T/wirespan.yaml"
	get "http://127.0.0.1:$port/environment"
	until_ok 10 arrived "$T/second/spans" /environment
	stop_tracer agent "$pid"
	same "the first collector's" "$(paths "$T/spans")" /file

	# Nobody of that pid list: what the command line says of pids stands in place of the file's list.
	spawn idle sleep 60
	tracer agent agent --config "$T/wirespan.yaml" --pid "$pid"
	get "http://127.0.0.1:$port/nobody"
	kill -TERM "$pid" # nothing was made that could be balanced
	ends "$pid" 20
	same "the second collector's" "$(paths "$T/second/spans")" /environment
}

@test "--print-config: values, origins, no secret; what it prints is a configuration" {
	config "ring-size: 16" "comm: [a, b]" "otel.exporter.otlp:" "  headers: {authorization: Bearer hunter2}" \
		"  endpoint: http://me:hunter2@c:4318"
	WIRESPAN_VERBOSE=true OTEL_BSP_SCHEDULE_DELAY=7 "$wirespan" agent --config "$T/wirespan.yaml" --print-config --comm c > "$T/out"
	lacks "$T/out" hunter2
	holds "$T/out" "ring-size: 16 # $T/wirespan.yaml:1" "comm: [c] # command line" "all: false # default" \
		"verbose: true # environment WIRESPAN_VERBOSE" "otel.bsp.schedule.delay: 7 # environment OTEL_BSP_SCHEDULE_DELAY" \
		"otel.exporter.otlp.headers: REDACTED # $T/wirespan.yaml:4" \
		"otel.exporter.otlp.endpoint: \"http://REDACTED@c:4318\" # $T/wirespan.yaml:5" "capture: auto # default"
	grep -v headers "$T/out" > "$T/again.yaml"
	"$wirespan" agent --config "$T/again.yaml" --print-config | grep -v headers > "$T/again"
	same "values" "$(sed '1d; s/ # .*//; s/(not set)//' "$T/again")" "$(grep -v headers "$T/out" | sed '1d; s/ # .*//; s/(not set)//')"
}

@test "--print-config lists every setting, also those of --help" {
	"$wirespan" agent --print-config | sed -n 's/^#\{0,1\} \{0,1\}\([a-z.-]*\): .*/\1/p' | sort > "$T/printed"
	"$wirespan" agent --help | sed -n 's/^ .*--\([a-z-]*\) .*/\1/p' | grep -vx -e config -e print-config | sort > "$T/helped"
	[ -s "$T/helped" ]
	same "settings" "$(grep -v '^otel\.' "$T/printed")" "$(cat "$T/helped")"
}

@test "mistakes in the file: the line, the nearest name, status 2; no secret in a message" {
	check() {
		local status=0
		printf '%b' "$1" > "$T/bad.yaml"
		bounded 20 "$wirespan" agent --config "$T/bad.yaml" --comm nobody-here > "$T/bad.out" 2> "$T/bad.err" || status=$?
		same "status of $1" "$status" 2
		holds "$T/bad.err" "$T/bad.yaml:$2"
		[ -z "${3-}" ] || holds "$T/bad.err" "$3"
		lacks "$T/bad.err" hunter2 ready
	}
	check 'ring-size: 8\nrign-size: 8\n' 2 "did you mean 'ring-size'?"
	check 'otel:\n  exporter:\n    otlp:\n      endpont: x\n' 4 "'otel.exporter.otlp.endpoint'"
	check 'ring-size: 7\n' 1 "'7'"
	check '# x\notel.exporter.otlp.protocol: gopher\n' 2 "'gopher'"
	check 'otel.exporter.otlp.headers: hunter2\n' 1 "otel.exporter.otlp.headers"
	check 'otel.exporter.otlp.endpoint: ftp://me:hunter2@c\n' 1 "REDACTED@c"
	check 'pid: [1, x]\n' 1 '"x"'
	check 'comm: [a\n' 2 "no YAML"
}

@test "SIGHUP: the selection grows, the collector changes, no connection and no span is lost" {
	sink
	second_sink
	server one "$progs/http_server.py"
	one=$pid one_port=$port
	server two "$progs/http_server.py"
	two=$pid two_port=$port
	config "pid: $one" "otel.exporter.otlp.endpoint: http://127.0.0.1:$sink_port" "otel.bsp.schedule.delay: 100"
	tracer agent agent --config "$T/wirespan.yaml"
	agent=$pid
	# A connection to each, opened before.
	for n in one two; do
		port=${n}_port
		mkfifo "$T/$n.in"
		stdin=$T/$n.in spawn "$n-client" "$progs/http_client.py" "${!port}"
	done
	exec 5> "$T/one.in" 6> "$T/two.in"
	ask 5 one /1; ask 6 two /unseen
	until_ok 10 arrived "$T/spans" /1

	config "pid: [$one, $two]" "otel.exporter.otlp.endpoint: http://127.0.0.1:$second_port" "otel.bsp.schedule.delay: 100"
	reload
	holds "$T/agent.err" "'pid' has changed" "'otel.exporter.otlp.endpoint' has changed" "configuration reloaded"
	ask 5 one /2; ask 6 two /3
	until_ok 10 arrived "$T/second/spans" "/2 /3"
	same "the first collector's" "$(paths "$T/spans")" /1

	# Another protocol and gzip, from the next batch on.
	config "pid: [$one, $two]" "otel.exporter.otlp:" "  endpoint: http://127.0.0.1:$second_port" "  protocol: http/json" \
		"  compression: gzip" "otel.bsp.schedule.delay: 100"
	reload
	ask 5 one /4
	until_ok 10 arrived "$T/second/spans" "/2 /3 /4"
	same "headers" "$(jq -r '.headers | "\(.["content-type"]) \(.["content-encoding"])"' "$T/second/posts" | tail -n 1)" "application/json gzip"
	exec 5>&- 6>&-
	kill "$agent"
	ends "$agent" 20
	same "exit status" "$status" 0
	joined=--joined balanced "$T/agent.err"
}

# open_exchanges N: that many are under way.
open_exchanges() {
	curl -sS --fail -o "$T/metrics" "$url" && [ "$("$py" "$root/tests/e2e/prometheus.py" "$T/metrics" wirespan_exchanges_open)" = "$1" ]
}

@test "SIGHUP: what the file names no longer leaves when its requests are over, and may come back" {
	sink
	server one "$progs/http_server.py"
	one=$pid one_port=$port
	server two "$progs/http_server.py"
	two=$pid two_port=$port
	rest=("otel.exporter.otlp.endpoint: http://127.0.0.1:$sink_port" "otel.bsp.schedule.delay: 100")
	config "pid: [$one, $two]" "${rest[@]}"
	tracer agent agent --config "$T/wirespan.yaml" --metrics 127.0.0.1:0
	agent=$pid
	url=$(sed -n 's|^wirespan: metrics: \(http://.*\)$|\1|p' "$T/agent.err")
	for n in one two slow; do
		mkfifo "$T/$n.in"
		[ $n = one ] && port=$one_port || port=$two_port
		stdin=$T/$n.in spawn "$n-client" "$progs/http_client.py" "$port"
	done
	exec 5> "$T/one.in" 6> "$T/two.in" 7> "$T/slow.in"
	ask 5 one /1; ask 6 two /2
	echo "GET /slow?until=$T/go" >&7
	until_ok 10 open_exchanges 1

	config "pid: $one" "${rest[@]}"
	reload
	holds "$T/agent.err" "1 process is no longer selected"
	ask 6 two /unseen; ask 5 one /3
	touch "$T/go"
	until_ok 10 lines_at_least "$T/slow-client.out" 2
	until_ok 10 arrived "$T/spans" "/1 /2 /3 /slow"
	ask 7 slow /unseen; ask 6 two /unseen

	# Named again while the kernel still knows it as one that leaves, and below when it knows it no more.
	config "pid: [$one, $two]" "${rest[@]}"
	reload
	ask 6 two /4; ask 5 one /5; ask 7 slow /6
	until_ok 10 arrived "$T/spans" "/1 /2 /3 /4 /5 /6 /slow"

	# And for good: it is forgotten when it is through.
	config "pid: $one" "${rest[@]}"
	reload
	sleep 1.2
	ask 6 two /unseen; ask 5 one /7
	until_ok 10 arrived "$T/spans" "/1 /2 /3 /4 /5 /6 /7 /slow"
	config "pid: [$one, $two]" "${rest[@]}"
	reload
	ask 6 two /8
	until_ok 10 arrived "$T/spans" "/1 /2 /3 /4 /5 /6 /7 /8 /slow"
	exec 5>&- 6>&- 7>&-
	kill "$agent"
	ends "$agent" 20
	same "exit status" "$status" 0
	same "paths" "$(paths "$T/spans")" "/1 /2 /3 /4 /5 /6 /7 /8 /slow"
	"$py" "$root/tests/e2e/ledger.py" "$T/agent.err" --nothing-lost --joined --spans 9
}

@test "SIGHUP: containers join the selection and are left out of it; the budget changes" {
	containers_setup
	sink
	port=$(free_port)
	id=$(random_id)
	bundle "$id" "/$tag/docker/$id" host "$progs/http_server.py" "$port"
	as_docker "$id" shop-order-1 shop/order:1
	container_run "$id"
	until_ok 20 listens "$port"
	rest=("otel.exporter.otlp.endpoint: http://127.0.0.1:$sink_port" "otel.bsp.schedule.delay: 100")
	config "comm: [no-such-$$]" "${rest[@]}"
	tracer agent agent --config "$T/wirespan.yaml" --metrics 127.0.0.1:0
	agent=$pid
	url=$(sed -n 's|^wirespan: metrics: \(http://.*\)$|\1|p' "$T/agent.err")
	get "http://127.0.0.1:$port/unseen"
	same "budgets" "$(budgets)" "0.05 268435456"

	config "comm: [no-such-$$]" "container: [shop-order-*, other-*]" "max-cpu: 25" "max-memory: off" "${rest[@]}"
	reload
	holds "$T/agent.err" "'container' has changed" "'max-cpu' has changed" "'max-memory' has changed" "--container other-*: there is none yet"
	lacks "$T/agent.err" "shop-order-*: there is none"
	same "budgets" "$(budgets)" "0.25 0"
	get "http://127.0.0.1:$port/1"
	until_ok 10 arrived "$T/spans" /1
	same "container" "$(jq -r '.resource["container.name"]' "$T/spans" | sort -u)" shop-order-1

	# No rule names it any more, and then one does again.
	config "comm: [no-such-$$]" "container: [other-*]" "max-cpu: 25" "max-memory: off" "${rest[@]}"
	reload
	holds "$T/agent.err" "1 process is no longer selected"
	get "http://127.0.0.1:$port/unseen-meanwhile"
	config "comm: [no-such-$$]" "container: [other-*, shop-order-*]" "max-cpu: 25" "max-memory: off" "${rest[@]}"
	reload
	lacks "$T/agent.err" "shop-order-*: there is none"
	get "http://127.0.0.1:$port/2"
	until_ok 10 arrived "$T/spans" "/1 /2"

	# The leaving out goes before, and at once.
	config "comm: [no-such-$$]" "container: [shop-order-*, other-*]" "not: [container=shop-order-1]" "max-cpu: off" "${rest[@]}"
	reload
	same "budgets" "$(budgets)" "0 268435456"
	get "http://127.0.0.1:$port/unseen-too"
	config "comm: [no-such-$$]" "label: [a=b]" "${rest[@]}"
	reload
	holds "$T/agent.err" "--label a=b: there is none yet"
	kill "$agent"
	ends "$agent" 20
	same "exit status" "$status" 0
	same "paths" "$(paths "$T/spans")" "/1 /2"
}
budgets() {
	curl -sS --fail -o "$T/metrics" "$url"
	"$py" "$root/tests/e2e/prometheus.py" "$T/metrics" wirespan_cpu_budget_cores wirespan_memory_budget_bytes | xargs
}

@test "SIGHUP: a wrong file changes nothing; what needs a restart is named" {
	sink
	server server "$progs/http_server.py"
	config "pid: [$pid]" "otel.exporter.otlp.endpoint: http://127.0.0.1:$sink_port" "otel.bsp.schedule.delay: 100" "ring-size: 8"
	good=$(< "$T/wirespan.yaml")
	tracer agent agent --config "$T/wirespan.yaml"
	agent=$pid
	echo "$good" | sed 's/ring-size/ring-syze/; s|http://.*|http://127.0.0.1:1|' > "$T/wirespan.yaml"
	reload
	holds "$T/agent.err" "$T/wirespan.yaml:4" "'ring-size'" "nothing was changed"
	get "http://127.0.0.1:$port/1"
	until_ok 10 arrived "$T/spans" /1
	echo "$good" | sed 's|http://.*|gopher://c|' > "$T/wirespan.yaml"
	reload
	holds "$T/agent.err" "$T/wirespan.yaml:2" "gopher://c" "nothing was changed"
	rm "$T/wirespan.yaml"
	reload
	holds "$T/agent.err" "No such file" "nothing was changed"
	echo "$good" | sed 's/ring-size: 8/ring-size: 16/; s/^pid: .*/pid: []/' > "$T/wirespan.yaml"
	reload
	holds "$T/agent.err" "'ring-size' has changed, which takes effect at a restart only" "the file selects nothing; what is selected stays"
	get "http://127.0.0.1:$port/2"
	until_ok 10 arrived "$T/spans" "/1 /2"
	: > "$T/agent.err"
	kill "$agent"
	ends "$agent" 20
	same "exit status" "$status" 0
}

@test "variables of the file do not reach the command that is run; an unknown WIRESPAN_ variable is named" {
	config "otel.exporter.otlp.headers: {authorization: secret}" "otel.exporter.otlp.endpoint: http://127.0.0.1:1" "otel.bsp.export.timeout: 100"
	WIRESPAN_RINGSIZE=3 bounded 60 "$wirespan" agent --config "$T/wirespan.yaml" -- env > "$T/out" 2> "$T/err"
	lacks "$T/out" OTEL_
	holds "$T/err" "WIRESPAN_RINGSIZE is no setting; did you mean WIRESPAN_RING_SIZE?"
}
