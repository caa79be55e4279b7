# SPDX-License-Identifier: Apache-2.0
# make fuzz [TIME=60]  every target in turn, TIME seconds each; fuzz-short: some seconds each
# make malformed       the same 100,000 messages a protocol every time
# make coverage        lines of user/ that unit tests and corpora reach
# Two builds of each target: fast finds inputs, sanitizers (ASan, UBSan, leaks) judge them.
TIME         ?= 60
FUZZ         := $(B)/tests/fuzz
FUZZ_TARGETS := protocols recording elf config texts
FUZZ_CC       = $(CLANG) $(WARN) $(CPPFLAGS) -Itests/fuzz -std=gnu11
# Comparisons are followed in the slower build only: that alone halves the speed.
FUZZ_fast    := -O2 -g -fsanitize-coverage=inline-8bit-counters,pc-table
FUZZ_asan    := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined -fsanitize=fuzzer-no-link,address,undefined
FUZZ_cov     := -O1 -g -fprofile-instr-generate -fcoverage-mapping
FUZZ_LIBS    := $(LIBS)
FUZZ_ld_fast := -fsanitize=fuzzer
FUZZ_ld_asan := -fsanitize=fuzzer,address,undefined
FUZZ_ld_cov  := -fsanitize=fuzzer -fprofile-instr-generate

# What a target consists of besides its own file and what it takes from user/.
FUZZ_protocols := drive.o border.o seeds.o real_table.o
WRAP           := --wrap=decode__chunk,--wrap=decode__closed,--wrap=exchanges__message,--wrap=exchanges__lost
LINK_protocols := -Wl,$(WRAP)
FUZZ_recording := memory_file.o
UNWAITED       := epoll_create1 epoll_ctl timerfd_create timerfd_settime signalfd sigprocmask signal close fopen
LINK_recording := $(UNWAITED:%=-Wl,--wrap=%)
FUZZ_elf       := memory_file.o
FUZZ_config    := memory_file.o main.o
LINK_config    := -Wl,--wrap=open,--wrap=fopen,--wrap=readlink,--wrap=stat
FUZZ_texts     :=

# $(1): which build.
define fuzz_build
$(FUZZ)/$(1)/user/%.o: user/%.c $(SKEL)
	@mkdir -p $$(@D)
	$$(FUZZ_CC) $(FUZZ_$(1)) -MMD -MP -c -o $$@ $$<
$(FUZZ)/$(1)/%.o: tests/fuzz/%.c
	@mkdir -p $$(@D)
	$$(FUZZ_CC) $(FUZZ_$(1)) -MMD -MP -c -o $$@ $$<
# The targets' own table is around the real one.
$(FUZZ)/$(1)/real_table.o: user/decode/table.c user/decode/decode.h
	@mkdir -p $$(@D)
	$$(FUZZ_CC) $(FUZZ_$(1)) -Dprotocols=real_protocols -c -o $$@ $$<
$(FUZZ)/$(1)/main.o: user/main.c
	@mkdir -p $$(@D)
	$$(FUZZ_CC) $(FUZZ_$(1)) -Wno-missing-prototypes -Dmain=wirespan__main -MMD -MP -c -o $$@ $$<
$(FUZZ)/$(1)/user.a: $(LIBOBJ:$(B)/%=$(FUZZ)/$(1)/%)
	@rm -f $$@
	@$(AR) crs $$@ $$^
$(foreach t,$(FUZZ_TARGETS),$(eval $(FUZZ)/$(1)/fuzz_$(t): $(FUZZ_$(t):%=$(FUZZ)/$(1)/%)))
$(FUZZ_TARGETS:%=$(FUZZ)/$(1)/fuzz_%): $(FUZZ)/$(1)/fuzz_%: $(FUZZ)/$(1)/fuzz_%.o $(FUZZ)/$(1)/quiet.o $(FUZZ)/$(1)/user.a
	$(CLANG) $(FUZZ_ld_$(1)) -o $$@ $$(filter %.o,$$^) $(FUZZ)/$(1)/user.a $$(LINK_$$*) $(FUZZ_LIBS)
-include $(wildcard $(FUZZ)/$(1)/*.d $(FUZZ)/$(1)/user/*.d $(FUZZ)/$(1)/user/*/*.d)
endef
$(foreach b,fast asan cov,$(eval $(call fuzz_build,$(b))))

$(FUZZ)/malformed: $(addprefix $(FUZZ)/asan/,malformed.o quiet.o $(FUZZ_protocols) user.a)
	$(CLANG) -fsanitize=address,undefined -o $@ $^ $(LINK_protocols) $(FUZZ_LIBS)
malformed: $(FUZZ)/malformed
	$<

FUZZ_BIN := $(foreach v,fast asan,$(FUZZ_TARGETS:%=$(FUZZ)/$(v)/fuzz_%))
fuzz-build: $(FUZZ_BIN)
fuzz: $(FUZZ_BIN)
	@tests/fuzz/run $(FUZZ) $(TIME) $(FUZZ_TARGETS)
fuzz-short: $(FUZZ_BIN)
	@tests/fuzz/run $(FUZZ) 6 $(FUZZ_TARGETS)

# Lines that unit tests and corpora reach. Warnings about tests are for the compiler of make unit.
COV_UNIT := $(UNIT_SRC:tests/unit/%.c=$(FUZZ)/cov/unit/%)
COV_FUZZ := $(FUZZ_TARGETS:%=$(FUZZ)/cov/fuzz_%)
$(FUZZ)/cov/unit/%: tests/unit/%.c $(FUZZ)/cov/user.a $(wildcard tests/unit/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_cov) -w -Itests/unit -o $@ $< $(EXTRA_$(@F)) $(FUZZ)/cov/user.a $(LIBS) -lcmocka
$(FUZZ)/cov/unit/test_otlp: $(B)/tests/otlp.pb-c.c
coverage: $(COV_UNIT) $(COV_FUZZ)
	@tests/fuzz/coverage $(FUZZ)/cov $(COV_UNIT) $(COV_FUZZ)

# What a request costs in decode, ns.
$(FUZZ)/speed: tests/fuzz/speed.c $(DECODE_TESTED) user/decode/table.c $(wildcard user/*/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) $(CPPFLAGS) -std=gnu11 -o $@ $(filter %.c,$^)
decode-speed: $(FUZZ)/speed
	$<

.PHONY: fuzz fuzz-short fuzz-build malformed coverage decode-speed
