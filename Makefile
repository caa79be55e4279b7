# SPDX-License-Identifier: Apache-2.0
# make            build/wirespan
# make check      every test (as root); make unit | replay | e2e | fuzz-short for one kind
# make image      a container image, see deploy/README.md; make deb; make manifests
# make bench      the figures; make demo; make install [PREFIX=/usr/local] [DESTDIR=]
PREFIX  ?= /usr/local
DESTDIR ?=
B       := build
CC      ?= cc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
ARCH    := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(shell uname -m)))
VERSION := 0.1.0

CFLAGS  ?= -O3 -g
# A stage calls the next one for each record: inlined across files, the agent needs 13 % less CPU. The objects
# hold plain code as well, which tests link (-fno-lto).
LTO     ?= -flto=auto -ffat-lto-objects
WARN    := -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers -Wshadow -Wstrict-prototypes -Wmissing-prototypes
CPPFLAGS += -Iuser -Iinclude -I$(B) -D_GNU_SOURCE -DWIRESPAN_VERSION='"$(VERSION)"'
LIBS    := -lbpf -lelf -lz -lcurl -ljansson -lyaml -lmicrohttpd

# Definitions before their users: libbpf 1.1's linker loses the offset of a map that it met as extern first.
BPF_DEF := bpf/emit.bpf.c bpf/select.bpf.c bpf/io_ring.bpf.c bpf/conn.bpf.c bpf/python.bpf.c bpf/java.bpf.c bpf/handoff.bpf.c
BPF_SRC := $(BPF_DEF) $(filter-out $(BPF_DEF),$(wildcard bpf/*.bpf.c))
BPF_OBJ := $(BPF_SRC:bpf/%.bpf.c=$(B)/bpf/%.bpf.o)
SKEL    := $(B)/wirespan.skel.h
SRC     := $(wildcard user/*.c user/*/*.c)
OBJ     := $(SRC:%.c=$(B)/%.o)
LIBOBJ  := $(filter-out $(B)/user/main.o,$(OBJ))

all: $(B)/wirespan

# For scripts that link with what is in user/.
libs:
	@echo $(LIBS)

$(B)/wirespan: $(OBJ)
	$(CC) $(CFLAGS) $(LTO) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/user/%.o: user/%.c $(SKEL)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LTO) $(WARN) $(CPPFLAGS) -std=gnu11 -MMD -MP -c -o $@ $<

$(B)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) include/wirespan/record.h vmlinux.h
	@mkdir -p $(@D)
	$(CLANG) -g -O2 -target bpf -D__TARGET_ARCH_$(ARCH) -Wall -Werror -I. -Iinclude -Ibpf -c -o $@ $<

# Every bpf/*.bpf.c linked into one object, one skeleton.
$(B)/wirespan.bpf.o: $(BPF_OBJ)
	$(BPFTOOL) gen object $@ $^

$(SKEL): $(B)/wirespan.bpf.o
	$(BPFTOOL) gen skeleton $< name wirespan_bpf > $@.tmp && mv $@.tmp $@

include tests/tests.mk tests/bench/bench.mk deploy/deploy.mk tests/fuzz/fuzz.mk

demo:
	tools/demo
test:
	tools/test

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(B)/wirespan $(DESTDIR)$(PREFIX)/sbin/
	install -m 644 man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8/

clean:
	rm -rf $(B)/user $(B)/bpf $(B)/tests $(B)/wirespan*

-include $(OBJ:.o=.d)
.PHONY: all libs demo test install clean
.DELETE_ON_ERROR:
