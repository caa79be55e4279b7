# SPDX-License-Identifier: Apache-2.0
# Rows of `make truth`, each with fewer calls: none wrong, and almost as many right as tests/progs/runtimes/rows demands. A machine
# that is half as fast takes twice as long to attach what a row needs; what does not work at all is further off than that.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

# row NAME...: at 16 requests at a time and saturated.
row() { bounded 400 "$root/tests/truth/rows.py" --again --slack 10 --calls 400 --at 16,sat "$@"; }

@test "truth: a thread a connection; pools that complete by a wake, or answer" { row thread submit handoff; }
@test "truth: where tasks differ, or share a condition, nothing is claimed" { row shared-condition mixed-tasks forget join; }
@test "truth: what is called again, and what works by the clock beside requests" { row retry cron cron-pool go-cron asyncio-cron; }
@test "truth: a call for several requests has links to these, and where it is not known whether it was, none" {
	row go-batch go-prefetch go-prefetch-late go-ahead
}
@test "truth: goroutines" { row go go-queue; }
@test "truth: proxies" { row nginx-keep nginx-close haproxy-shared haproxy-close; }
@test "truth: threads and pools of Java" { row java-thread java-submit java-future java-hop java-join; }
@test "truth: threads, pools and gunicorn's workers of Python" { row python-thread python-submit gunicorn-sync gunicorn-gthread; }
@test "truth: a program with few requests a second is followed as well" {
	WARM_UP=8 PAUSE_US=200000 bounded 200 "$root/tests/truth/rows.py" --calls 40 --at 1 node-timer
}
@test "truth: Node.js: what is called at once, and who waits for a socket or a lock" { row node-fetches node-agent-sleep node-guarded node-forget; }
@test "truth: Puma" { row puma; }
@test "truth: PHP-FPM behind nginx" { row php-fpm; }
@test "truth: tokio's tasks" { row tokio tokio-spawn; }
@test "oracle: the inferred tree is that of an SDK in the process; with headers no conflict" {
	bounded 400 "$root/tests/truth/oracle.py" --calls 400 --at 16 flask flask-pool
}
@test "truth: no rule is idle: without it a row fails" { bounded 1200 "$root/tests/truth/mutate"; }
