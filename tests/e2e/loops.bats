# SPDX-License-Identifier: Apache-2.0
# Calls of event loops: never a wrong parent. Where callbacks and promises of the read send them, all
# right; where timers and queues of the program do, unknown. Truth: the order's number in the query.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

# loop MODE CONCURRENCY: traces the workload, prints right, wrong, unknown.
loop() {
	"$wirespan" trace --json -- "$root/tests/progs/loops/run" "$1" 1000 "$2" > "$T/spans" 2> "$T/trace.err"
	"$root/tests/progs/loops/check.py" "$T/spans"
}

# proved MODE CALLS [SHARE]: at 1, 16 and 64 at a time none is wrong, and at least 99 % are right, or that share.
proved() {
	local c share=${3:-0.99}
	for c in 1 16 64; do
		run -0 --separate-stderr loop "$1" "$c"
		echo "# $1 at $c: $output"
		jq -e --argjson calls "$2" --argjson share "$share" '.wrong == 0 and .right >= $share * $calls and .right + .unknown == $calls' <<< "$output"
	done
}

# honest MODE CALLS: none is wrong, whatever is known.
honest() {
	local c
	for c in 16 64; do
		run -0 --separate-stderr loop "$1" "$c"
		echo "# $1 at $c: $output"
		jq -e --argjson calls "$2" '.wrong == 0 and .right + .unknown == $calls' <<< "$output"
	done
}

@test "loop: one call in the read's callback" { proved plain 1000; }
@test "loop: three calls, each because of the last one's reply" { proved sequence 3000; }
@test "loop: awaited promises" { proved promises 2000; }
# One of the three is known by its reply, which leads to the answer; all are as soon as callbacks are followed.
@test "loop: three calls at once" { proved parallel 3000 0.75; }
@test "loop: a timer sends the call" { honest timer 1000; }
@test "loop: timers before the call and before the answer" { honest timers 1000; }
@test "loop: setImmediate sends the call" { honest immediate 1000; }
@test "loop: calls queue for four sockets" { honest queue 1000; }
@test "loop: one request in two is handled by timers" { honest mixed 1000; }
@test "loop: asyncio's tasks run later than the read" { honest asyncio 1000; }
