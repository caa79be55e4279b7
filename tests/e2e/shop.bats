#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The shop end to end: `wirespan trace --json -- shop` at concurrency 1, 16 and 64 against the truth that
# the shop's load writes down; what --json and --summary print.
load helper

# shop_traced CONCURRENCY ORDERS: spans in $F/C.json, the truth in $F/C.truth.
shop_traced() {
	local status=0
	log "trace --json -- shop, $2 orders, $1 at a time"
	bounded 300 "$wirespan" trace --json -- "$shop/run" --orders "$2" --concurrency "$1" --truth "$F/$1.truth" \
		> "$F/$1.json" 2> "$F/$1.err" 3>&- || status=$?
	cat "$F/$1.err"
	same "exit status" "$status" 0
}

setup_file() {
	e2e_setup_file
	"$shop/build"
	shop_traced 1 200
	shop_traced 16 200
	shop_traced 64 400
	bounded 300 "$wirespan" trace --summary -- "$shop/run" --orders 60 --concurrency 4 > "$F/summary.out" 2> "$F/summary.err" 3>&-
}

teardown_file() { e2e_teardown_file; }

# right CONCURRENCY ORDERS
right() {
	cat "$F/$1.err"
	same "orders" "$(jq '.orders | length' "$F/$1.truth")" "$2"
	"$py" "$root/tests/truth/check.py" "$F/$1.json" "$F/$1.truth"
}

adds_up() {
	cat "$F/$1.err"
	"$py" "$root/tests/e2e/ledger.py" "$F/$1.err" --nothing-lost --spans "$(wc -l < "$F/$1.json")"
}

@test "shop, 1 at a time: no parent is wrong, 99 % are right, lost and slow orders are whole" { right 1 200; }
@test "shop, 16 at a time: no parent is wrong, 99 % are right, lost and slow orders are whole" { right 16 200; }
@test "shop, 64 at a time: no parent is wrong, 99 % are right, lost and slow orders are whole" { right 64 400; }

@test "shop, 1 at a time: made = seen + lost, and nothing was lost" { adds_up 1; }
@test "shop, 16 at a time: made = seen + lost, and nothing was lost" { adds_up 16; }
@test "shop, 64 at a time: made = seen + lost, and nothing was lost" { adds_up 64; }

each() { for c in 1 16 64; do log "$c at a time"; "$py" "$root/tests/e2e/check_spans.py" "$F/$c.json" "$1"; done; }

@test "json: OTLP/JSON's names are there, attributes and resource are plain objects" { each keys; }
@test "json: ids are hex of the right length, none is there twice" { each ids; }
@test "json: no span ends before it starts" { each times; }
@test "json: every parent is a span of the same output and trace" { each parents; }
@test "json: spans lie within their parents, the two ends of a call within each other" { each nesting; }
@test "json: network.local and network.peer on every span, mirrored at both ends" { each network; }
@test "json: names, attributes and status follow the semantic conventions" { each names; }
@test "json: every span says why its parent is its parent" { each why; }

@test "json: the shop's services go by their own names" {
	for service in nginx frontend order inventory payment mail load; do
		same "spans of $service" "$(($(spans "$F/16.json" ".resource[\"service.name\"] == \"$service\"") > 0))" 1
	done
	for system in redis postgresql; do
		same "calls of $system" "$(($(spans "$F/16.json" ".kind == 3 and .attributes[\"db.system.name\"] == \"$system\"") > 0))" 1
	done
}

@test "json: a lost order is 200 to the customer and carries SQLSTATE 23505 inside" {
	local lost trace
	lost=$(jq -r 'select(.kind == 3 and .attributes["db.response.status_code"] == "23505" and
		(.attributes["db.query.text"] | contains("o_000010"))) | .traceId' "$F/1.json")
	[ -n "$lost" ]
	jq -c "select(.traceId == \"$lost\")" "$F/1.json" > "$BATS_TEST_TMPDIR/trace"
	trace=$BATS_TEST_TMPDIR/trace
	same "nginx" "$(jq -c 'select(.resource["service.name"] == "nginx" and .kind == 2) |
		[.attributes["http.response.status_code"], .status.code // 0]' "$trace")" "[200,0]"
	same "payment" "$(jq -c 'select(.resource["service.name"] == "payment" and .kind == 2) |
		[.attributes["http.response.status_code"], .status.code, .attributes["error.type"]]' "$trace")" '[500,2,"500"]'
	same "its INSERT" "$(jq -c 'select(.resource["service.name"] == "payment" and .name == "INSERT payments") |
		[.attributes["db.system.name"], .status.code, .attributes["error.type"]]' "$trace")" '["postgresql",2,"23505"]'
	same "mail" "$(spans "$trace" '.resource["service.name"] == "mail"')" 0
}

@test "json: the slowest orders wait in an UPDATE of accounts" {
	jq -r 'select(.kind == 3 and .attributes["db.system.name"] == "postgresql" and
		.resource["service.name"] == "payment" and
		((.endTimeUnixNano[5:] | tonumber) - (.startTimeUnixNano[5:] | tonumber)) > 1e9) | .name' "$F/1.json" |
		sort | uniq -c > "$BATS_TEST_TMPDIR/slow"
	cat "$BATS_TEST_TMPDIR/slow"
	same "calls over a second" "$(cat "$BATS_TEST_TMPDIR/slow" | tr -s ' ')" " 10 UPDATE accounts"
}

@test "summary: not on a terminal, so no escape sequence" {
	[ -s "$F/summary.out" ]
	run ! grep -aq $'\033\|\r' "$F/summary.out"
}

# tree LABEL: that tree, from its title to the empty line.
tree() { sed -n "/^$1 /,/^\$/p" "$F/summary.out"; }

@test "summary: services with counts, errors and percentiles" {
	holds "$F/summary.out" "service" "p50 ms" "p95 ms" "p99 ms"
	for service in nginx frontend order inventory payment mail; do
		grep -Eq "^$service +[0-9]+ +[0-9]+ +[0-9.]+ +[0-9.]+ +[0-9.]+\$" "$F/summary.out"
	done
	grep -Eq "^nginx +60 +0 " "$F/summary.out"
	grep -Eq "^payment +60 +6 " "$F/summary.out"
	grep -Eq "^mail +54 +0 " "$F/summary.out"
}

@test "summary: the LOST tree from nginx to PostgreSQL, with the reason and what was not called" {
	tree LOST > "$BATS_TEST_TMPDIR/lost"
	cat "$BATS_TEST_TMPDIR/lost"
	holds "$BATS_TEST_TMPDIR/lost" "POST /orders" "200 to the customer, 500 inside" "23505" \
		"duplicate key value violates unique constraint" "mail was not called (called in 54 of 60"
	for row in nginx frontend order inventory redis payment postgres; do
		grep -Eq "^[ │├└]*$row" "$BATS_TEST_TMPDIR/lost"
	done
	run ! grep -Eq '^[ │├└]*mail +POST' "$BATS_TEST_TMPDIR/lost"
	for evidence in event-loop thread goroutine; do
		grep -Eq " $evidence\$" "$BATS_TEST_TMPDIR/lost"
	done
	same "rows whose parent is not known" "$(grep -c ' unknown$' "$BATS_TEST_TMPDIR/lost")" 0
	grep -Eq 'trace [0-9a-f]{32}$' "$BATS_TEST_TMPDIR/lost"
}

@test "summary: the SLOWEST tree shows the UPDATE that waited" {
	tree SLOWEST > "$BATS_TEST_TMPDIR/slowest"
	cat "$BATS_TEST_TMPDIR/slowest"
	holds "$BATS_TEST_TMPDIR/slowest" "UPDATE accounts"
	# total and own time of that row: over a second, all of it its own
	grep 'UPDATE accounts' "$BATS_TEST_TMPDIR/slowest" | awk '{ if ($(NF-2) > 1000 && $(NF-1) > 1000) found = 1 } END { exit !found }'
}

@test "summary: the truth about the capture" {
	tail -n 1 "$F/summary.out"
	tail -n 1 "$F/summary.out" | grep -Eq '^capture: [0-9]{3,} exchanges, 0 lost, 0 truncated, 0 unlinked; records ([0-9]{4,}) made = \1 seen \+ 0 lost; agent [0-9.]+ us CPU an exchange, [0-9]+ MiB \+ [0-9]+ MiB in the kernel$'
}
