# SPDX-License-Identifier: Apache-2.0
# Tests. A unit test is tests/unit/test_X.c: cmocka, linked with every object of user/ but main.
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/%)

$(B)/tests/%: tests/unit/%.c $(LIBOBJ) $(wildcard tests/unit/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fno-lto $(WARN) $(CPPFLAGS) -Itests/unit -std=gnu11 -o $@ $< $(LIBOBJ) $(LIBS) -lcmocka $(EXTRA_$(@F))

# OTLP is read back by somebody else's decoder.
$(B)/tests/otlp.pb-c.c: tests/unit/otlp.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=tests/unit --c_out=$(@D) $<
$(B)/tests/test_otlp: $(B)/tests/otlp.pb-c.c
EXTRA_test_otlp := -I$(B)/tests $(B)/tests/otlp.pb-c.c -lprotobuf-c

unit: $(UNIT_BIN)
	@failed=; for t in $^; do CMOCKA_MESSAGE_OUTPUT=TAP $$t || failed=1; done; [ -z "$$failed" ]

.PHONY: unit

# decode is tested alone: its test stands in for the stages after it, and for the table.
DECODE_TESTED := $(filter-out %/table.c,$(wildcard user/decode/*.c)) $(filter-out %/config.c,$(wildcard user/util/*.c))
$(B)/tests/test_decode: tests/unit/test_decode.c $(DECODE_TESTED:%.c=$(B)/%.o)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fno-lto $(WARN) $(CPPFLAGS) -Itests/unit -std=gnu11 -o $@ $^ -lcmocka

# test_chooser stands in for the kernel: its own attach__*() and cgroup__of_pid() come first.
EXTRA_test_chooser := -Wl,-z,muldefs
# Likewise test_gap.
EXTRA_test_gap := -Wl,-z,muldefs

# What the spool costs a batch, us, and what fsync would add. make spool-speed SPOOL=DIR: on that file system.
SPOOL ?= $(B)
$(B)/tests/spool_speed: tests/bench/spool_speed.c $(LIBOBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fno-lto $(WARN) $(CPPFLAGS) -std=gnu11 -o $@ $^ $(LIBS)
spool-speed: $(B)/tests/spool_speed
	@$< $(SPOOL)
.PHONY: spool-speed

# Connections, processes and idle connections by the million: the figures are tests/e2e/endurance.bats's, larger.
endurance: all
	@CONNECTIONS=$${CONNECTIONS:-1000000} PROCESSES=$${PROCESSES:-50000} IDLE=$${IDLE:-10000} bats --tap tests/e2e/endurance.bats
.PHONY: endurance

# End to end, as root, on loopback; one file: make e2e E2E=tests/e2e/life.bats. See tests/e2e/helper.bash.
E2E ?= $(filter-out %/kubernetes.bats %/kubernetes_shop.bats,$(wildcard tests/e2e/*.bats))
e2e: all
	@tests/progs/shop/build
	@bats --tap $(E2E)

# Recordings and the spans that they must give. See tests/replay/README.
replay: all
	@tests/replay/run

layout:
	@tools/check-layout
truth-unit:
	@/usr/bin/python3 tests/truth/test_check.py

# The parents that are found in every runtime, against the true ones; make truth ROWS="submit tokio".
truth: all
	@tests/truth/rows.py $(ROWS)
# Rows of Go, built by each of its versions: make truth-go-versions [VERSIONS="1.19.13 1.26.8"] [ROWS="go go-sql"] [AT=16].
truth-go-versions: all
	@AT="$(if $(filter command line environment,$(origin AT)),$(AT),16,sat)" VERSIONS="$(VERSIONS)" tests/truth/go-versions $(ROWS)
# Rows of Python, with each of its versions that this machine has: make truth-python-versions [VERSIONS="3.8 3.13"] [ROWS=...] [AT=16].
truth-python-versions: all
	@AT="$(if $(filter command line environment,$(origin AT)),$(AT),16,sat)" VERSIONS="$(VERSIONS)" tests/truth/python-versions $(ROWS)
# Each rule, switched off: a row fails.
mutate: all
	@tests/truth/mutate
# The tree that is inferred, against that of an SDK inside the server: make oracle ROWS="flask go-http" AT=16.
AT ?= 1,16,64
oracle: all
	@tests/truth/oracle.py --at $(AT) $(ROWS)
.PHONY: truth truth-go-versions truth-python-versions mutate oracle

# Everything, one after the other, to the end whatever fails; tools/test counts what they print.
CHECKS := layout unit truth-unit malformed fuzz-short replay conformance e2e test-kernels
check: all
	@failed=; for t in $(CHECKS); do \
		echo "# $$t"; $(MAKE) --no-print-directory $$t || { failed=1; echo "# failed: $$t"; }; \
	done; [ -z "$$failed" ]

.PHONY: e2e replay layout truth-unit check

# Stock Debian kernels under QEMU; suites to choose some: make test-kernels KERNELS="trixie forky".
KERNELS ?=
test-kernels: all
	@tests/kernels/run $(KERNELS)

.PHONY: test-kernels

# Every way to move bytes, with the capture plans that this kernel allows, and by perf buffers.
$(B)/tests/iopaths: $(wildcard tests/progs/iopaths*.[ch])
	@mkdir -p $(@D)
	$(CC) -O2 -g -Wall -D_GNU_SOURCE -pthread -o $@ $(filter %.c,$^)
$(B)/tests/exchanges: tests/progs/exchanges.c
	@mkdir -p $(@D)
	$(CC) -O2 -g -Wall -Wextra -D_GNU_SOURCE -o $@ $<
$(B)/tests/recorder: tests/conformance/recorder.c $(LIBOBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fno-lto $(WARN) $(CPPFLAGS) -std=gnu11 -o $@ $^ $(LIBS)
conformance: all
	@tests/conformance/run --capture sock
	@tests/conformance/run --capture syscall
	@tests/conformance/run --capture sock,perf
.PHONY: conformance
