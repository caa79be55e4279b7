# SPDX-License-Identifier: Apache-2.0
# make bench [BENCH_SECONDS=600]: the figures, with their spread; beside them those of bench_pair.py
# on the same binary where that script is at hand (BENCH_PAIR=...).
BENCH_SECONDS ?= 600
BENCH_PAIR    ?= $(wildcard ../shared/tools/bench_pair.py)

bench: all
	@echo "== nginx, static page"; /usr/bin/python3 tests/bench/bench.py pair
	@echo "== nginx in front of nginx"; /usr/bin/python3 tests/bench/bench.py pair --proxy --pairs 4
	@echo "== 5,000 requests/s for $(BENCH_SECONDS) s"; /usr/bin/python3 tests/bench/bench.py soak --seconds $(BENCH_SECONDS)
	@[ -z "$(BENCH_PAIR)" ] || { echo "== bench_pair.py, nginx, static page"; \
	  /usr/bin/python3 $(BENCH_PAIR) pair --pairs 8 --warm 3 --port 28080 --otlp 24318 -- \
	  env OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{otlp} $(B)/wirespan agent --pid {pids}; }

.PHONY: bench
