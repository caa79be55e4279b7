# SPDX-License-Identifier: Apache-2.0
# Tests. A unit test is tests/unit/test_X.c: cmocka, linked with every object of user/ but main.
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/%)

$(B)/tests/%: tests/unit/%.c $(LIBOBJ) $(wildcard tests/unit/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) $(CPPFLAGS) -Itests/unit -std=gnu11 -o $@ $< $(LIBOBJ) $(LIBS) -lcmocka $(EXTRA_$(@F))

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
DECODE_TESTED := $(filter-out %/table.c,$(wildcard user/decode/*.c)) $(wildcard user/util/*.c)
$(B)/tests/test_decode: tests/unit/test_decode.c $(DECODE_TESTED:%.c=$(B)/%.o)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) $(CPPFLAGS) -Itests/unit -std=gnu11 -o $@ $^ -lcmocka

# Parsers under ASan and UBSan. make fuzz [TIME=60]; fuzz-short: some seconds a protocol;
# malformed: the same 100,000 messages a protocol every time. What was found stays in FUZZ/found.
TIME     ?= 60
FUZZ     := $(B)/tests/fuzz
FUZZ_SRC := $(DECODE_TESTED) tests/fuzz/drive.c tests/fuzz/seeds.c
FUZZ_DEP := $(FUZZ_SRC) $(wildcard user/*/*.h tests/fuzz/*.h) $(FUZZ)/table.o
SANITIZE := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined
FUZZ_CC   = $(CLANG) $(SANITIZE) $(WARN) $(CPPFLAGS) -Itests/fuzz -std=gnu11

$(FUZZ)/table.o: user/decode/table.c user/decode/decode.h
	@mkdir -p $(@D)
	$(FUZZ_CC) -fsanitize=address,undefined -Dprotocols=real_protocols -c -o $@ $<
$(FUZZ)/malformed: tests/fuzz/malformed.c $(FUZZ_DEP)
	$(FUZZ_CC) -fsanitize=address,undefined -o $@ $< $(FUZZ_SRC) $(FUZZ)/table.o
$(FUZZ)/fuzz_protocols: tests/fuzz/fuzz_protocols.c $(FUZZ_DEP)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $< $(FUZZ_SRC) $(FUZZ)/table.o

malformed: $(FUZZ)/malformed
	$<
fuzz-short: $(FUZZ)/fuzz_protocols $(FUZZ)/malformed
	tests/fuzz/short.sh $^ tests/fuzz/corpus $(FUZZ)/found
fuzz: $(FUZZ)/fuzz_protocols
	@mkdir -p $(FUZZ)/found/corpus
	$< -max_total_time=$(TIME) -max_len=4096 -timeout=5 -dict=tests/fuzz/protocols.dict \
		-artifact_prefix=$(FUZZ)/found/ $(FUZZ)/found/corpus tests/fuzz/corpus
# What a request costs in decode, ns.
$(FUZZ)/speed: tests/fuzz/speed.c $(DECODE_TESTED) user/decode/table.c $(wildcard user/*/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) $(CPPFLAGS) -std=gnu11 -o $@ $(filter %.c,$^)
decode-speed: $(FUZZ)/speed
	$<

.PHONY: fuzz fuzz-short malformed decode-speed

# End to end, as root, on loopback; one file: make e2e E2E=tests/e2e/life.bats. See tests/e2e/helper.bash.
E2E ?= $(wildcard tests/e2e/*.bats)
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

# Everything, one after the other, to the end whatever fails; tools/test counts what they print.
CHECKS := layout unit truth-unit malformed fuzz-short replay conformance e2e
check: all
	@failed=; for t in $(CHECKS); do \
		echo "# $$t"; $(MAKE) --no-print-directory $$t || failed="$$failed $$t"; \
	done; [ -z "$$failed" ] || { echo "# failed:$$failed"; exit 1; }

.PHONY: e2e replay layout truth-unit check

# Stock Debian kernels under QEMU; suites to choose some: make test-kernels KERNELS="trixie forky".
KERNELS ?=
test-kernels: all
	@tests/kernels/run $(KERNELS)

.PHONY: test-kernels

# Every way to move bytes, with both capture plans.
conformance: all
	@tests/conformance/run --capture sock
	@tests/conformance/run --capture syscall
.PHONY: conformance
