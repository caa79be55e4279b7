#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What must not leave the machine: progs/secrets.py sends a secret in every place where programs have
# them. The recording proves that each was captured; no output may hold one.
load helper

setup_file() {
	local status=0
	e2e_setup_file
	hold_shop
	bounded 300 "$wirespan" record -o "$F/recording" -- "$progs/secrets.py" "$(jq .ports.redis "$F/shop.json")" \
		"$(jq .ports.postgres "$F/shop.json")" 2> "$F/record.err" 3>&- || status=$?
	cat "$F/record.err"
	end_all "$F"
	same "exit status of record" "$status" 0
	bounded 300 "$wirespan" replay --json "$F/recording" > "$F/json" 2> "$F/json.err"
	bounded 300 "$wirespan" replay "$F/recording" > "$F/trees" 2> "$F/trees.err"
	bounded 300 "$wirespan" replay --summary "$F/recording" > "$F/summary" 2> "$F/summary.err"
	cat "$F"/{record,json,trees,summary}.err > "$F/said"
}

teardown_file() { e2e_teardown_file; }

@test "the recording holds every secret, so there was something to hide" {
	for n in {01..02} {05..50}; do   # 03 is at a body's end, 04 in base64
		grep -aq "hunter$n" "$F/recording" || { echo "hunter$n was not captured"; false; }
	done
	grep -aq dXNlcjpodW50ZXI "$F/recording"
	grep -aq 7355608 "$F/recording"
	holds "$F/json" visible redis postgresql
	"$py" "$root/tests/e2e/check_spans.py" "$F/json" keys ids
}

# hidden NUMBER...: none of these secrets is in any output.
hidden() {
	local out n status=0
	for out in json trees summary said; do
		for n; do
			lacks "$F/$out" "hunter$n" || status=1
		done
	done
	return $status
}

@test "HTTP: Authorization, Cookie, Set-Cookie and other headers with credentials" {
	hidden 01 02 14 15 16 17
	lacks "$F/json" dXNlcjpodW50ZXI
}
@test "HTTP: values of the query that are secrets, also where names are percent-encoded" { hidden 05 06 07 08 09 10 11 12 18 20 21; }
@test "HTTP: bodies" { hidden 03 13; }
@test "HTTP: user and password in a URL" { hidden 04 19; }
@test "Redis: values" { hidden 22 23 24 25 26 27 28 36; }
@test "Redis: scripts" { hidden 29; }
@test "Redis: passwords of AUTH, HELLO, CONFIG and ACL" { hidden 30 31 32 33 34; }
@test "Redis: an error's message that repeats the arguments" { hidden 35; }
@test "SQL: literals of every kind, and comments" {
	hidden 37 38 39 40 41 42 44 46 47 49 50
	for out in json trees summary said; do lacks "$F/$out" 7355608; done
}
@test "SQL: a literal without an end" { hidden 45; }
@test "SQL: an error's message that repeats a literal" { hidden 43; }
@test "SQL: parameters of prepared statements" { hidden 48; }
