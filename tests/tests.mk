# SPDX-License-Identifier: Apache-2.0
# Tests. A unit test is tests/unit/test_X.c: cmocka, linked with every object of user/ but main.
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/%)

$(B)/tests/%: tests/unit/%.c $(LIBOBJ) $(wildcard tests/unit/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) $(CPPFLAGS) -Itests/unit -std=gnu11 -o $@ $< $(LIBOBJ) $(LIBS) -lcmocka $(EXTRA_$(@F))

unit: $(UNIT_BIN)
	@for t in $^; do CMOCKA_MESSAGE_OUTPUT=TAP $$t || exit 1; done

.PHONY: unit
