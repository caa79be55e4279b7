/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot.h - HotSpot tells debuggers where it keeps what: libjvm exports a table of its types' fields
 * (gHotSpotVMStructs, src/hotspot/share/runtime/vmStructs.hpp), and its classes name those of Java's.
 * All is read from the memory of the running process; it may change meanwhile, so whoever reads checks.
 */
#ifndef ATTACH_HOTSPOT_H
#define ATTACH_HOTSPOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A field of one of HotSpot's own types. */
struct hotspot_field {
	const char *type, *name;
	uint64_t at;	/* its offset; the address of one that is static */
	bool found;
	bool handle;	/* of type OopHandle */
};

struct hotspot {
	int memory; /* /proc/PID/mem */
	uint64_t constant_pool; /* sizeof(ConstantPool), sizeof(JVMFlag) */
	uint64_t flag;
};

/* 0, or -errno: no HotSpot, or it cannot be read. Fills in what is found of v[n]. */
int hotspot__open(struct hotspot *h, uint32_t pid, struct hotspot_field *v, size_t n);
void hotspot__close(struct hotspot *h);

bool hotspot__read(const struct hotspot *h, uint64_t at, void *to, size_t n);
uint64_t hotspot__word(const struct hotspot *h, uint64_t at); /* 0: it cannot be read */
uint32_t hotspot__half(const struct hotspot *h, uint64_t at);
/* A string of C; its beginning, if there is no room. */
bool hotspot__string(const struct hotspot *h, uint64_t at, char *to, size_t size);

#endif
