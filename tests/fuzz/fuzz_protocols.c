/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_protocols.c - libFuzzer: one target, every row of the table, through the framework.
 *
 * An input is a small program:
 *   byte 0      row: its opening (seeds.c) is sent first, so that the connection is recognised
 *   byte 1      1: client's end; 2: role unknown; 4: older than we are; 8: no opening
 *   then steps  byte s, then by its bits:
 *               1 direction; 2: bytes missing after the chunk (16 bits follow); 4: bytes lost before
 *               it (8 bits follow); the upper five bits: length of the chunk, 31: 8 bits more follow
 *               and the bytes of the chunk
 *
 * WS_FUZZ_ROW=name: byte 0 is ignored, only that row is driven.
 */
#include <stdlib.h>

#include "drive.h"
#include "util/cursor.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int only = -1;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = getenv("WS_FUZZ_ROW");
	drive__init();
	for (unsigned i = 0; i < drive_rows && name; i++)
		if (strcmp(drive_row[i].name, name) == 0)
			only = (int)i;
	if (name && only < 0)
		abort();
	return 0;
}

static void step(struct drive *d, struct cursor *c)
{
	uint8_t s = cursor__u8(c);
	uint64_t missing = s & 2 ? cursor__be16(c) : 0;
	uint64_t lost = s & 4 ? cursor__u8(c) : 0;
	size_t n = s >> 3;
	if (n == 31)
		n += cursor__u8(c);
	if (n > cursor__left(c))
		n = cursor__left(c);
	struct slice bytes = cursor__bytes(c, n);
	if (!bytes.n && !missing)
		return;
	drive__send(d, s & 1 ? WS_DIR_OUT : WS_DIR_IN, bytes, missing, lost);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor__of((struct slice){(const char *)data, size});
	struct drive d;
	unsigned row = cursor__u8(&c), how = cursor__u8(&c);
	if (c.over)
		return 0;
	row = only >= 0 ? (unsigned)only : row % drive_rows;
	enum ws_role role = how & 2 ? WS_ROLE_UNKNOWN : how & 1 ? WS_ROLE_CONNECTED : WS_ROLE_ACCEPTED;
	drive__open(&d, role, how & 4 ? WS_ORIGIN_EXISTING : WS_ORIGIN_NEW);
	const struct seed *opening = seed__first(drive_row[row].name);
	if (!(how & 8) && opening)
		drive__send(&d, how & 1 ? WS_DIR_OUT : WS_DIR_IN, opening->turn[0].bytes, 0, 0);
	while (cursor__left(&c) && !c.over)
		step(&d, &c);
	drive__close(&d);
	return 0;
}
