/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_protocols.c - libFuzzer: records of any kind in any order, through conn, decode (every row of
 * the table), exchange and link to the span.
 *
 * An input is a small program:
 *   byte 0      row: its opening (seeds.c) is sent first, so that the connection is recognised
 *   byte 1      of connection 0: 1: client's end; 2: role unknown; 4: older than we are; 8: no opening;
 *               16: no CONN record; 32: spans as JSON, too
 *   then steps  byte s, op = s & 7, n = s >> 3:
 *     0, 1      transfer in, out; n bytes of payload follow (31: 8 bits more, then the payload)
 *     2, 3      the same after 16 bits of manners, see transfer__manners()
 *     4         CONN record of connection n & 7; n >> 3: role; an extra byte: 1 older, 2 connect() only
 *     5         CLOSE record of connection n & 7
 *     6         go on with connection n & 7
 *     7         n & 3 = 0: time passes: by n >> 2 & 3 60 ms, 210 ms, 61 s, 11 minutes; 1, 2: one context
 *               wakes, makes another: two bytes; 3: n >> 2: 0 wakes are told from now on, or no longer,
 *               1, 2: of the traces half, none is kept; 3: all are
 *
 * WS_FUZZ_ROW=name: byte 0 is ignored, only that row is driven.
 */
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

static void transfer__manners(struct transfer *t, struct cursor *c)
{
	uint16_t m = cursor__be16(c);

	t->late = m & 3;
	t->twice = m & 4;
	t->unmade = m & 8;
	t->both = m & 0x10;
	t->missing = m & 0x20 ? cursor__be16(c) : 0;
	t->lost = m & 0x40 ? cursor__u8(c) : 0;
	t->shift = m & 0x80 ? (int8_t)cursor__u8(c) : 0;
	t->actor = m & 0x100 ? cursor__u8(c) : 0;
	t->cap = t->missing ? m >> 9 & 3 : 0;
	t->polls = m & 0x800;
	t->watched = m & 0x1000;
	t->unstamped = m & 0x2000;
	if (m & 0x4000)
		t->missing <<= 8;
}

static void step__transfer(struct drive *d, unsigned conn, uint8_t s, struct cursor *c)
{
	struct transfer t = {.conn = conn, .dir = s & 1 ? WS_DIR_OUT : WS_DIR_IN};
	size_t n = s >> 3;

	if (s & 2)
		transfer__manners(&t, c);
	if (n == 31)
		n += cursor__u8(c);
	t.bytes = cursor__bytes(c, n < cursor__left(c) ? n : cursor__left(c));
	if (t.bytes.n || t.missing)
		drive__send(d, &t);
}

static void step__conn(struct drive *d, unsigned n, struct cursor *c)
{
	uint8_t how = cursor__u8(c);

	drive__connect(d, n & 7, (n >> 3) % 3, how & 1 ? WS_ORIGIN_EXISTING : WS_ORIGIN_NEW,
		       how & 2 ? WS_CONN_CONNECTING : 0);
}

static void step__other(struct drive *d, unsigned n, struct cursor *c)
{
	static const uint64_t naps[] = {60000000, 210000000, 61000000000, 660000000000};
	uint8_t by, of;

	if ((n & 3) == 0) {
		drive__tick(d, naps[n >> 2 & 3]);
	} else if ((n & 3) == 3) {
		if (n >> 2 & 3)
			drive__sample(d, (n >> 2 & 3) == 1, (n >> 2 & 3) == 2);
		else
			linker__wakes_told(d->linker);
	} else {
		by = cursor__u8(c);
		of = cursor__u8(c);
		drive__tie(d, by, of, (n & 3) == 2);
	}
}

static void run(struct drive *d, struct cursor *c)
{
	unsigned conn = 0;

	while (cursor__left(c) && !c->over) {
		uint8_t s = cursor__u8(c);

		switch (s & 7) {
		case 4: step__conn(d, s >> 3, c); break;
		case 5: drive__end(d, s >> 3 & 7); break;
		case 6: conn = s >> 3 & 7; break;
		case 7: step__other(d, s >> 3, c); break;
		default: step__transfer(d, conn, s, c);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor__of((struct slice){(const char *)data, size});
	unsigned row = cursor__u8(&c), how = cursor__u8(&c);
	const struct seed *opening;
	struct drive d;

	if (c.over)
		return 0;
	row = only >= 0 ? (unsigned)only : row % drive_rows;
	drive__open(&d);
	d.json = how & 32;
	if (!(how & 16))
		drive__connect(&d, 0, how & 2 ? WS_ROLE_UNKNOWN : how & 1 ? WS_ROLE_CONNECTED : WS_ROLE_ACCEPTED,
			       how & 4 ? WS_ORIGIN_EXISTING : WS_ORIGIN_NEW, 0);
	opening = seed__first(drive_row[row].name);
	if (!(how & 8) && opening)
		drive__send(&d, &(struct transfer){.dir = how & 1 ? WS_DIR_OUT : WS_DIR_IN, .bytes = opening->turn[0].bytes});
	run(&d, &c);
	drive__close(&d);
	return 0;
}
