#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Load shedding: an agent over its budget leaves out what it says it does, whole traces or none, counts it
# as sampled out and not as lost, and traces everything again when it may. The controller itself is a
# table: tests/unit/test_shed.c. At length: make overload TIME=300.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

@test "shed: the shop over a budget: of the orders that are kept every call is there" {
	local status=0 kept
	"$shop/build"
	bounded 170 "$wirespan" trace --json --max-cpu 0.3 -- "$shop/run" --orders 3000 --concurrency 16 --truth "$T/truth" \
		> "$T/json" 2> "$T/trace.err" 3>&- || status=$?
	same "exit status" "$status" 0
	holds "$T/trace.err" "% of a core, more than 0.3: step" "raise --max-cpu"
	"$py" "$root/tests/e2e/ledger.py" "$T/trace.err"
	kept=$("$py" "$root/tests/truth/sampled.py" "$T/json" "$T/truth" "$T/kept")
	log "$kept"
	"$py" "$root/tests/truth/check.py" "$T/json" "$T/kept" | tee "$T/verdict"
	# right, wrong, unknown, missing, extra
	same "calls missing, extra" "$(awk '$1 == "all" { print $6, $7 }' "$T/verdict")" "0 0"
	same "spans" "$(wc -l < "$T/json")" "$(sed -n 's/.*sampled out: spans kept \([0-9]*\),.*/\1/p' "$T/trace.err")"
}

@test "shed: nginx at four times the budget: the ledger balances to the last request, the budget holds" {
	bounded 150 "$py" "$root/tests/bench/overload.py" --seconds 24
}

@test "shed: trace, record and replay have no budget unless they are given one; wrong ones are told" {
	for bad in 0 -1 x 5% "" 0.05; do
		run -2 "$wirespan" agent --pid $$ --max-cpu "$bad"
		[[ $output == *"--max-cpu '$bad' is no percentage"* ]]
	done
	for bad in 0 31 -5 12MiB x; do
		run -2 "$wirespan" agent --pid $$ --max-memory "$bad"
		[[ $output == *"--max-memory '$bad' is not from 32"* ]]
	done
	server server "$progs/http_server.py"
	tracer trace trace --json --pid "$pid" --metrics 127.0.0.1:0
	trace=$pid
	curl -sS -o "$T/metrics" "$(sed -n 's|^wirespan: metrics: ||p' "$T/trace.err")"
	same "budgets of trace" "$("$py" "$root/tests/e2e/prometheus.py" "$T/metrics" wirespan_cpu_budget_cores wirespan_memory_budget_bytes | xargs)" "0 0"
	get "http://127.0.0.1:$port/"
	stop_tracer trace "$trace"
	tracer agent agent --pid "$pid" --metrics 127.0.0.1:0
	curl -sS -o "$T/metrics" "$(sed -n 's|^wirespan: metrics: ||p' "$T/agent.err")"
	same "budgets of agent" "$("$py" "$root/tests/e2e/prometheus.py" "$T/metrics" wirespan_cpu_budget_cores wirespan_memory_budget_bytes | xargs)" "0.05 268435456"
	kill "$pid"
	ends "$pid" 20
}
