#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Export against a collector that misbehaves (sink.py): whatever it answers, each span is exported, rejected,
# dropped or queued, and the agent says so; what arrives is whole and arrives once.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

# all_arrived N: requests 1 to N, each once and whole, and the agent says the same.
all_arrived() {
	same "what arrived" "$(arrived)" "$(expected 1 "$1")"
	same "exported" "$(book exported)" "$1"
	same "rejected, dropped" "$(book rejected) $(book full) $(book gave_up)" "0 0 0"
	"$py" "$root/tests/e2e/check_spans.py" "$T/spans" ids times network why
}

# --- what arrives -----------------------------------------------------------------------------

@test "HTTP/protobuf: the default; path, headers, body" {
	sink
	exporting
	ask 1 20
	stop_tracer agent "$agent"
	all_arrived 20
	same "paths" "$(posts .path | sort -u)" /v1/traces
	same "headers" "$(posts '.headers | [.["content-type"], .["content-encoding"]] | @csv' | sort -u)" '"application/x-protobuf",'
	[[ $(posts '.headers["user-agent"]' | sort -u) == OTel-OTLP-Exporter-*/* ]]
}

@test "HTTP/JSON: what arrives is the same" {
	sink
	exporting OTEL_EXPORTER_OTLP_PROTOCOL=http/json
	ask 1 20
	stop_tracer agent "$agent"
	all_arrived 20
	same "headers" "$(posts '.headers | [.["content-type"], .["content-encoding"]] | @csv' | sort -u)" '"application/json",'
	"$py" "$root/tests/e2e/check_spans.py" "$T/spans" keys names
}

@test "gzip, with both protocols" {
	sink
	for protocol in http/json http/protobuf; do
		rm -f "$T/spans" "$T/posts"
		exporting OTEL_EXPORTER_OTLP_COMPRESSION=gzip OTEL_EXPORTER_OTLP_PROTOCOL=$protocol
		ask 1 20
		stop_tracer agent "$agent"
		all_arrived 20
		same "encoding" "$(posts '.headers["content-encoding"]' | sort -u)" gzip
	done
}

@test "JSON and protobuf say the same of the same requests" {
	server server "$progs/http_server.py"
	bounded 60 "$wirespan" record -o "$T/recording" -- bash -c "seq -f 'url = http://127.0.0.1:$port/%g' 30 | curl -sS -K -" > "$T/answers" 2> "$T/record.err"
	sink
	for protocol in json protobuf; do
		OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$sink_port OTEL_EXPORTER_OTLP_PROTOCOL=http/$protocol \
			bounded 60 "$wirespan" replay --json --otlp "$T/recording" > "$T/lines"
		jq -cS '{traceId, spanId, parentSpanId, name, kind, startTimeUnixNano, endTimeUnixNano, attributes, resource,
			status: {code: (.status.code // 0), message: (.status.message // "")}}' "$T/spans" | sort > "$T/$protocol"
		rm "$T/spans"
	done
	jq -cS '{traceId, spanId, parentSpanId, name, kind, startTimeUnixNano, endTimeUnixNano, attributes, resource,
		status: {code: (.status.code // 0), message: (.status.message // "")}}' "$T/lines" | sort > "$T/plain"
	same "spans" "$(wc -l < "$T/json")" 30
	diff "$T/json" "$T/protobuf"
	diff "$T/json" "$T/plain"
}

@test "--json and --otlp give both, in either order" {
	server server "$progs/http_server.py"
	bounded 60 "$wirespan" record -o "$T/recording" -- curl -sS "http://127.0.0.1:$port/x" > "$T/answers" 2> "$T/record.err"
	sink
	for options in "--json --otlp" "--otlp --json"; do
		log "replay $options"
		# shellcheck disable=SC2086
		OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$sink_port "$wirespan" replay $options "$T/recording" > "$T/lines"
		same "lines" "$(wc -l < "$T/lines")" 1
		same "spans at the sink" "$(cat "$T/spans" | wc -l)" 1
		rm "$T/spans"
	done
}

@test "OTEL_EXPORTER_OTLP_HEADERS arrive, percent-decoded; those of the traces signal win" {
	sink
	exporting "OTEL_EXPORTER_OTLP_HEADERS=x-key=a%20b%2Cc, authorization=Basic dTpw=="
	ask 1 1
	stop_tracer agent "$agent"
	same "headers" "$(posts '.headers | [.["x-key"], .authorization] | @csv')" '"a b,c","Basic dTpw=="'
	export OTEL_EXPORTER_OTLP_TRACES_HEADERS=x-key=traces
	exporting
	ask 1 1
	stop_tracer agent "$agent"
	same "header" "$(posts '.headers["x-key"]' | tail -n 1)" traces
}

@test "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is taken as it is" {
	sink
	exporting "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:$sink_port/some/where?else=1"
	ask 1 1
	stop_tracer agent "$agent"
	same "path" "$(posts .path)" "/some/where?else=1"
}

@test "a path of OTEL_EXPORTER_OTLP_ENDPOINT comes before /v1/traces" {
	sink
	exporting "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$sink_port/below/"
	ask 1 1
	stop_tracer agent "$agent"
	same "path" "$(posts .path)" /below/v1/traces
}

@test "OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME: the agent's, and the process's own, which win" {
	sink
	export OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test,team=a%20b OTEL_SERVICE_NAME=agents-word
	OTEL_RESOURCE_ATTRIBUTES="" OTEL_SERVICE_NAME="" server plain "$progs/http_server.py"
	plain=$pid plain_port=$port
	OTEL_RESOURCE_ATTRIBUTES=team=own OTEL_SERVICE_NAME=own-name server own "$progs/http_server.py"
	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$sink_port tracer agent agent --pid "$plain,$pid"
	agent=$pid
	get "http://127.0.0.1:$plain_port/plain"
	get "http://127.0.0.1:$port/own"
	stop_tracer agent "$agent"
	same "resources" "$(jq -r '[.attributes["url.path"], .resource["service.name"], .resource.team,
		.resource["deployment.environment.name"]] | join(" ")' "$T/spans" | sort)" \
"/own own-name own test
/plain agents-word a b test"
}

@test "OTEL_BSP_MAX_EXPORT_BATCH_SIZE bounds a batch; OTEL_BSP_SCHEDULE_DELAY says when one goes" {
	sink
	exporting OTEL_BSP_MAX_EXPORT_BATCH_SIZE=8 OTEL_BSP_SCHEDULE_DELAY=60000
	ask 1 20
	until_ok 10 lines_at_least "$T/posts" 2   # full ones go at once
	same "sizes" "$(posts '.spans | length' | xargs)" "8 8"
	stop_tracer agent "$agent"
	same "sizes" "$(posts '.spans | length' | xargs)" "8 8 4"
	all_arrived 20
}

@test "a batch that is not full goes after OTEL_BSP_SCHEDULE_DELAY" {
	sink
	exporting OTEL_BSP_SCHEDULE_DELAY=300
	ask 1 3
	until_ok 5 lines_at_least "$T/spans" 3
	stop_tracer agent "$agent"
	all_arrived 3
}

# --- TLS --------------------------------------------------------------------------------------

# certificate NAME: $T/NAME.pem and .key, signed by itself, for 127.0.0.1.
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$T/$1.key" -out "$T/$1.pem" 2> "$T/openssl.err"
}

tls_sink() {
	sink_port=$(free_port)
	spawn sink "$root/tests/e2e/sink.py" "$T" "$sink_port" "$@"
	until_ok 10 listens "$sink_port"
}

@test "https with OTEL_EXPORTER_OTLP_CERTIFICATE" {
	certificate server
	tls_sink "$T/server.pem" "$T/server.key"
	exporting "OTEL_EXPORTER_OTLP_ENDPOINT=https://127.0.0.1:$sink_port" "OTEL_EXPORTER_OTLP_CERTIFICATE=$T/server.pem"
	ask 1 10
	stop_tracer agent "$agent"
	all_arrived 10
}

@test "https with a client's certificate and key" {
	certificate server
	certificate client
	tls_sink "$T/server.pem" "$T/server.key" "$T/client.pem"
	exporting "OTEL_EXPORTER_OTLP_ENDPOINT=https://127.0.0.1:$sink_port" "OTEL_EXPORTER_OTLP_CERTIFICATE=$T/server.pem" \
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=$T/client.pem" "OTEL_EXPORTER_OTLP_CLIENT_KEY=$T/client.key"
	ask 1 10
	stop_tracer agent "$agent"
	all_arrived 10
}

@test "https with a certificate that nobody vouches for: nothing is sent, and everything is counted" {
	certificate server
	certificate other
	tls_sink "$T/server.pem" "$T/server.key"
	exporting "OTEL_EXPORTER_OTLP_ENDPOINT=https://127.0.0.1:$sink_port" "OTEL_EXPORTER_OTLP_CERTIFICATE=$T/other.pem"
	ask 1 10
	until_ok 10 grep -qi "certificate" "$T/agent.err"
	kill "$agent"
	ends "$agent" 15
	balanced "$T/agent.err"
	same "exported" "$(book exported)" 0
	[ ! -e "$T/posts" ]
}

# --- collectors in trouble --------------------------------------------------------------------

# gap N: seconds between the Nth post and the one before it.
gap() { posts .time | awk -v n="$1" 'NR == n { printf "%.2f\n", $1 - before } { before = $1 }'; }
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }' || { echo "$1 is less than $2" >&2; return 1; }; }

# retried ANSWER: answered so twice, then 200: the batch comes again, the same bytes, and counts once.
retried() {
	sink "$1" "$1" 200
	exporting
	ask 1 5
	until_ok 20 lines_at_least "$T/spans" 5
	stop_tracer agent "$agent"
	all_arrived 5
	same "posts with the bytes of the first" "$(posts .raw | head -n 3 | sort -u | wc -l)" 1
}

@test "503 with Retry-After: not earlier than asked, then once and whole" {
	retried "503 retry-after=1"
	at_least "$(gap 2)" 0.99
	at_least "$(gap 3)" 0.99
}

@test "429 with Retry-After: not earlier than asked, then once and whole" {
	retried "429 retry-after=1"
	at_least "$(gap 2)" 0.99
}

@test "502 and 504 without Retry-After: later each time, then once and whole" {
	retried 502
	at_least "$(gap 2)" 0.2
	at_least "$(gap 3)" "$(gap 2 | awk '{ print $1 / 2 }')"
}

@test "a connection that is closed without an answer: the batch comes again" { retried drop; }

@test "400: rejected, counted and never sent again; the next batch goes" {
	sink 400 200
	exporting
	ask 1 5
	until_ok 10 lines_at_least "$T/posts" 1
	first=$(posts '.spans | length' | head -n 1)
	ask 6 8
	until_ok 10 lines_at_least "$T/posts" 2
	stop_tracer agent "$agent"
	same "rejected" "$(book rejected)" "$first"
	same "exported" "$(book exported)" $((8 - first))
	same "posts with the same bytes" "$(posts .raw | sort | uniq -d)" ""
	same "what arrived" "$(wc -l < "$T/spans")" $((8 - first))
	holds "$T/agent.err" "400"
}

@test "404 and 413 are no reason to try again either" {
	sink 404 413 200
	exporting OTEL_BSP_MAX_EXPORT_BATCH_SIZE=2
	ask 1 6
	until_ok 10 lines_at_least "$T/posts" 3
	stop_tracer agent "$agent"
	same "rejected" "$(book rejected)" 4
	same "exported" "$(book exported)" 2
}

@test "partial success: what was rejected is counted, nothing is sent again" {
	for protocol in http/protobuf http/json; do
		sink "200 partial=3 message=three-too-many" 200
		exporting OTEL_EXPORTER_OTLP_PROTOCOL=$protocol OTEL_BSP_SCHEDULE_DELAY=60000
		ask 1 10
		stop_tracer agent "$agent"
		same "$protocol: rejected" "$(book rejected)" 3
		same "$protocol: exported" "$(book exported)" 7
		same "$protocol: posts" "$(wc -l < "$T/posts")" 1
		rm "$T/posts" "$T/spans"
	done
}

@test "slow: requests go on being captured meanwhile, and everything arrives" {
	sink "200 delay=0.7"
	exporting OTEL_BSP_MAX_EXPORT_BATCH_SIZE=50
	ask 1 200
	stop_tracer agent "$agent"
	all_arrived 200
}

@test "slower than OTEL_EXPORTER_OTLP_TIMEOUT: given up and tried again" {
	sink "503 delay=2" 200
	exporting OTEL_EXPORTER_OTLP_TIMEOUT=300
	ask 1 5
	until_ok 10 lines_at_least "$T/spans" 5
	stop_tracer agent "$agent"
	all_arrived 5
}

@test "down when the agent starts, up later: everything arrives" {
	sink_port=$(free_port)
	exporting
	ask 1 10
	until_ok 10 grep -q "is being retried" "$T/agent.err"
	spawn sink "$root/tests/e2e/sink.py" "$T" "$sink_port"
	until_ok 20 lines_at_least "$T/spans" 10
	stop_tracer agent "$agent"
	all_arrived 10
}

@test "goes down and comes back under load: everything arrives" {
	sink
	exporting
	ask 1 10
	until_ok 10 lines_at_least "$T/spans" 10
	kill "$sink_pid"
	ends "$sink_pid" 10
	ask 11 60
	until_ok 10 grep -q "is being retried" "$T/agent.err"
	spawn sink "$root/tests/e2e/sink.py" "$T" "$sink_port"
	ask 61 70
	until_ok 20 lines_at_least "$T/spans" 70
	stop_tracer agent "$agent"
	all_arrived 70
}

@test "down for good: the agent ends in time and says what it dropped" {
	sink_port=$(free_port)
	exporting
	ask 1 10
	kill "$agent"
	ends "$agent" 15
	balanced "$T/agent.err"
	same "exported" "$(book exported)" 0
	same "gave up" "$(book gave_up)" 10
	holds "$T/agent.err" "could not be exported"
}

another_batch() { [ "$(posts .raw | sort -u | wc -l)" -ge 2 ]; }

@test "OTEL_BSP_EXPORT_TIMEOUT: a batch that is never taken is given up, the next ones are not" {
	sink 503
	exporting OTEL_BSP_EXPORT_TIMEOUT=1000
	ask 1 5
	until_ok 10 lines_at_least "$T/posts" 1
	ask 6 10
	until_ok 20 another_batch   # the oldest goes first, so it has been given up
	sink_answers 200
	until_ok 20 lines_at_least "$T/spans" 1
	stop_tracer agent "$agent"
	same "exported and given up" $(($(book exported) + $(book gave_up))) 10
	at_least "$(book gave_up)" 1
	at_least "$(book exported)" 1
	same "what arrived" "$(wc -l < "$T/spans")" "$(book exported)"
}

@test "a full queue drops what comes, counts it, and keeps what is in it" {
	sink 503
	exporting OTEL_BSP_MAX_QUEUE_SIZE=16 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=4
	ask 1 60
	until_ok 10 lines_at_least "$T/posts" 3   # by then all of them have come to the queue
	sink_answers 200
	until_ok 20 lines_at_least "$T/spans" 16
	stop_tracer agent "$agent"
	same "dropped" "$(book full)" 44
	same "exported" "$(book exported)" 16
	same "what arrived" "$(arrived)" "$(expected 1 16)"
}

@test "SIGTERM flushes what waits for a later moment" {
	sink
	exporting OTEL_BSP_SCHEDULE_DELAY=60000
	ask 1 7
	same "posts so far" "$(cat "$T/posts" 2> /dev/null | wc -l)" 0
	stop_tracer agent "$agent"
	all_arrived 7
}

# --- settings ---------------------------------------------------------------------------------

# refused NAME VALUE: exit status 2, one line that quotes the variable and its value.
refused() {
	log "$1=$2"
	run -2 --separate-stderr timeout 10 env "$1=$2" "$wirespan" agent --pid $$
	[[ $stderr == *"$1"* && $stderr == *"$2"* ]] || { echo "$1=$2: $stderr"; return 1; }
	same "output" "$output" ""
}

@test "bad endpoints: exit status 2, and the message quotes the variable" {
	refused OTEL_EXPORTER_OTLP_ENDPOINT ftp://127.0.0.1
	refused OTEL_EXPORTER_OTLP_ENDPOINT localhost:4318
	refused OTEL_EXPORTER_OTLP_TRACES_ENDPOINT nowhere
}

@test "unknown protocols and compressions: exit status 2, and the message quotes the variable" {
	refused OTEL_EXPORTER_OTLP_PROTOCOL grpc
	refused OTEL_EXPORTER_OTLP_TRACES_PROTOCOL http/xml
	refused OTEL_EXPORTER_OTLP_COMPRESSION zstd
	refused OTEL_EXPORTER_OTLP_TRACES_COMPRESSION lz4
}

@test "bad numbers: exit status 2, and the message quotes the variable" {
	refused OTEL_EXPORTER_OTLP_TIMEOUT 10s
	refused OTEL_EXPORTER_OTLP_TRACES_TIMEOUT soon
	refused OTEL_BSP_SCHEDULE_DELAY -5
	refused OTEL_BSP_EXPORT_TIMEOUT 1e3
	refused OTEL_BSP_MAX_QUEUE_SIZE many
	refused OTEL_BSP_MAX_EXPORT_BATCH_SIZE 0
	refused OTEL_BSP_MAX_EXPORT_BATCH_SIZE 99999999
}

@test "certificates and keys that cannot be read: exit status 2, and the message quotes the variable" {
	refused OTEL_EXPORTER_OTLP_CERTIFICATE /nowhere/ca.pem
	refused OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE /nowhere/client.pem
	refused OTEL_EXPORTER_OTLP_CLIENT_KEY /nowhere/client.key
}

@test "bad headers: exit status 2, the message quotes the variable, but no value: it may be a secret" {
	run -2 --separate-stderr timeout 10 env OTEL_EXPORTER_OTLP_HEADERS=ok=1,hunter2 "$wirespan" agent --pid $$
	[[ $stderr == *OTEL_EXPORTER_OTLP_HEADERS* && $stderr != *hunter2* ]]
}

@test "empty variables count as unset" {
	sink
	exporting OTEL_EXPORTER_OTLP_PROTOCOL= OTEL_EXPORTER_OTLP_COMPRESSION= OTEL_EXPORTER_OTLP_TIMEOUT= OTEL_EXPORTER_OTLP_HEADERS=
	ask 1 1
	stop_tracer agent "$agent"
	all_arrived 1
}
