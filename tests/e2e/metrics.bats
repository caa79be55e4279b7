#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The agent's own endpoint: what it tells is Prometheus text, agrees with the ledger that is logged at the
# end and with the spans that a collector got; probes; where it listens and where not.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

# serving ARGUMENT...: an agent on a server of its own, sending to the sink; $agent, $port, $url of its endpoint.
serving() {
	server server "$progs/http_server.py"
	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$sink_port OTEL_BSP_SCHEDULE_DELAY=100 \
		tracer agent agent --pid "$pid" "$@"
	agent=$pid
	url=$(sed -n 's|^wirespan: metrics: \(http://.*\)/metrics$|\1|p' "$T/agent.err")
}

# ask N: that many requests to the server.
ask() { seq -f "url = http://127.0.0.1:$port/%g" 1 "$1" | curl -sS --max-time 20 -K - > "$T/answers"; }
# scrape [NAME...]: /metrics is well formed; the values of these.
scrape() {
	curl -sS --fail --max-time 10 -o "$T/metrics" "$url/metrics"
	"$py" "$root/tests/e2e/prometheus.py" "$T/metrics" "$@"
}
metric_is() { [ "$(scrape "$1")" = "$2" ]; }
book() { "$py" "$root/tests/e2e/ledger.py" "$T/agent.err" --print "$1"; }
# listening PID: inodes of its sockets that listen.
listening() {
	awk '$4 == "0A" { print "socket:[" $10 "]" }' /proc/net/tcp /proc/net/tcp6 | sort > "$T/listen"
	find "/proc/$1/fd" -type l -printf '%l\n' | sort | comm -12 - "$T/listen"
}
answer() { curl -sS --max-time 10 -o /dev/null -w '%{http_code}' "$@"; }

@test "metrics: figures agree with the ledger of the log and with the spans at the collector" {
	sink
	serving --metrics 127.0.0.1:0
	ask 40
	until_ok 10 metric_is 'wirespan_export_outcome_total{outcome="exported"}' 40
	until_ok 10 metric_is wirespan_connections_closed_total 1
	scrape wirespan_records_made_total wirespan_records_seen_total wirespan_exchanges_made_total \
		wirespan_spans_made_total > "$T/figures"
	scrape 'wirespan_bytes_total{outcome="understood"}' > "$T/bytes"
	same "captured, understood" "$(scrape wirespan_wire_bytes_total)" "$(cat "$T/bytes")"
	stop_tracer agent "$agent"
	same "records, exchanges, spans" "$(xargs < "$T/figures")" "$(book made) $(book seen) $(book exchanges) $(book spans.made)"
	same "spans at the collector" "$(wc -l < "$T/spans")" 40
	same "exported" "$(book exported)" 40
}

@test "metrics: made = what became of it, while requests are under way" {
	sink
	serving --metrics 127.0.0.1:0
	for i in 1 2 3 4 5; do
		ask 20
		scrape wirespan_exchanges_made_total wirespan_exchanges_ended_total wirespan_exchanges_open wirespan_exchanges_waiting \
			wirespan_export_spans_total wirespan_export_outcome_total wirespan_export_queued_spans | xargs > "$T/sums"
		log "$(cat "$T/sums")"
		awk '$1 != $2 + $3 + $4 || $5 != $6 + $7 { exit 1 }' "$T/sums"
	done
	stop_tracer agent "$agent"
}

@test "metrics: an endpoint that the collector refuses shows as errors and queued spans" {
	sink 503 503 503 200
	serving --metrics 127.0.0.1:0
	ask 5
	until_ok 20 metric_is 'wirespan_export_outcome_total{outcome="exported"}' 5
	same "errors, retries, queued" "$(scrape wirespan_export_errors_total wirespan_export_retries_total wirespan_export_queued_spans | xargs)" "3 3 0"
	stop_tracer agent "$agent"
}

@test "metrics: CPU, memory, ring; nothing of what is traced" {
	sink
	serving --metrics 127.0.0.1:0
	ask 3
	until_ok 10 metric_is wirespan_spans_made_total 3
	awk '$1 <= 0 { exit 1 }' <(scrape wirespan_agent_cpu_seconds_total)
	awk '$1 < 1048576 || $1 > 268435456 { exit 1 }' <(scrape wirespan_agent_resident_memory_bytes)
	same "ring" "$(scrape wirespan_ring_size_bytes)" 8388608
	scrape wirespan_ring_fill_bytes
	scrape wirespan_bpf_map_memory_bytes
	awk -v now="$(date +%s)" '$1 < now - 60 || $1 > now + 1 { exit 1 }' <(scrape wirespan_agent_start_time_seconds)
	lacks "$T/metrics" "$port" 127.0.0.1 http_server
	stop_tracer agent "$agent"
}

@test "metrics: probes, other paths, other methods" {
	sink
	serving --metrics 127.0.0.1:0
	same "healthz" "$(answer "$url/healthz")" 200
	same "readyz" "$(answer "$url/readyz")" 200
	same "other path" "$(answer "$url/")" 404
	same "POST" "$(answer -d x "$url/metrics")" 405
	same "HEAD" "$(answer -I "$url/metrics")" 200
	ask 1
	same "type" "$(curl -sS -o /dev/null -w '%{content_type}' "$url/metrics")" "text/plain; version=0.0.4; charset=utf-8"
	stop_tracer agent "$agent"
}

@test "metrics: thirty clients at once, some that never ask, and the agent goes on" {
	local clients=() fds=() fd
	sink
	serving --metrics 127.0.0.1:0
	for _ in 1 2 3 4 5 6 7 8; do
		exec {fd}<> "/dev/tcp/127.0.0.1/${url##*:}"
		fds+=("$fd")
	done
	for _ in {1..30}; do
		curl -s --max-time 20 -o /dev/null "$url/metrics" 3>&- &
		clients+=($!)
	done
	ask 10
	for pid in "${clients[@]}"; do wait "$pid" || true; done
	for fd in "${fds[@]}"; do exec {fd}>&-; done
	until_ok 10 metric_is wirespan_spans_made_total 10
	stop_tracer agent "$agent"
}

@test "metrics: --metrics off listens nowhere; a taken default is told and no failure" {
	local first
	sink
	serving --metrics off
	same "endpoint" "$url" ""
	same "sockets that listen" "$(listening "$agent")" ""
	ask 1
	stop_tracer agent "$agent"
	serving
	first=$agent
	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$sink_port tracer second agent --pid $$
	# Whoever came first has it: the first of the two, or an agent of somebody else on this machine.
	ask 1
	holds "$T/second.err" "no metrics: 127.0.0.1:9465 is taken"
	kill "$pid"
	ends "$pid" 20
	same "exit status" "$status" 0
	stop_tracer agent "$first"
}

@test "metrics: an address that is none, and one that is taken, are told with the exit status" {
	for bad in 9465 localhost:1 127.0.0.1 127.0.0.1:x 127.0.0.1:70000 ::1:9465 "[::1]"; do
		run -2 bounded 20 "$wirespan" agent --pid $$ --metrics "$bad"
		[[ $output == *"--metrics '$bad' is no ADDRESS:PORT"* ]]
	done
	sink
	run -1 bounded 20 "$wirespan" agent --pid $$ --metrics "127.0.0.1:$sink_port"
	[[ $output == *"Address already in use"* ]]
	run -1 bounded 20 "$wirespan" trace --pid $$ --metrics "127.0.0.1:$sink_port"
}
