# SPDX-License-Identifier: Apache-2.0
# make bench [BENCH_SECONDS=600]: the figures, with their spread; beside them those of bench_pair.py
# on the same binary where that script is at hand (BENCH_PAIR=...).
BENCH_SECONDS ?= 600
BENCH_PAIR    ?= $(wildcard ../shared/tools/bench_pair.py)

bench: all
	@echo "== nginx, static page"; /usr/bin/python3 tests/bench/bench.py pair
	@echo "== nginx in front of nginx"; /usr/bin/python3 tests/bench/bench.py pair --proxy --pairs 4
	@echo "== nginx, static page, by system calls"; /usr/bin/python3 tests/bench/bench.py pair --capture syscall
	@echo "== a process that is not traced"; for plan in sock syscall; do echo "-- $$plan"; \
	  /usr/bin/python3 tests/bench/bench.py others --capture $$plan; done
	@echo "== 20,000 requests/s, two nginx"; /usr/bin/python3 tests/bench/bench.py soak --proxy --rate 20000 --seconds 60
	@echo "== 5,000 requests/s for $(BENCH_SECONDS) s"; /usr/bin/python3 tests/bench/bench.py soak --seconds $(BENCH_SECONDS)
	@[ -z "$(BENCH_PAIR)" ] || { echo "== bench_pair.py, nginx, static page"; \
	  /usr/bin/python3 $(BENCH_PAIR) pair --pairs 8 --warm 3 --port 28080 --otlp 24318 -- \
	  env OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{otlp} $(B)/wirespan agent --pid {pids}; }

.PHONY: bench

# The agent with a quarter of the CPU that it wants: make overload [TIME=300]; PAIRS=4: latency as well.
PAIRS ?= 0
overload: all
	@/usr/bin/python3 tests/bench/overload.py --seconds $(if $(filter command line environment,$(origin TIME)),$(TIME),30) --pairs $(PAIRS)
.PHONY: overload

# What following each runtime costs the traced server, us a request: make bench-runtimes [ROWS="go asyncio"].
bench-runtimes: all
	@/usr/bin/python3 tests/bench/runtimes.py $(ROWS)
.PHONY: bench-runtimes

# From exec to "ready", with 500 processes and 5,000 connections to be found.
bench-start: all
	@/usr/bin/python3 tests/bench/start.py
.PHONY: bench-start
