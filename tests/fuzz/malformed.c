/* SPDX-License-Identifier: Apache-2.0 */
/*
 * malformed.c - 100,000 random and mutated messages a protocol through the framework, the same ones
 * every time (seeded generator). Built with ASan and UBSan; prints TAP.
 *
 *   malformed [MESSAGES [SEED]]
 *   malformed --corpus DIR      writes the dialogues of seeds.c as inputs of fuzz_protocols
 *   malformed --rows            names of the table
 */
#include <stdio.h>
#include <stdlib.h>

#include "drive.h"

#define MESSAGE_MAX 4096

/* splitmix64 by Sebastiano Vigna: enough for this, and the same everywhere. */
static uint64_t state;

static uint64_t next(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static size_t below(size_t n)
{
	return n ? (size_t)(next() % n) : 0;
}

struct text {
	char p[MESSAGE_MAX];
	size_t n;
};

static void text__remove(struct text *t, size_t at, size_t n)
{
	if (n > t->n - at)
		n = t->n - at;
	memmove(t->p + at, t->p + at + n, t->n - at - n);
	t->n -= n;
}

/* n bytes from another place of the text itself, or random ones. */
static void text__insert(struct text *t, size_t at, size_t n, bool random)
{
	if (n > MESSAGE_MAX - t->n)
		n = MESSAGE_MAX - t->n;
	size_t from = below(t->n);
	memmove(t->p + at + n, t->p + at, t->n - at);
	t->n += n;
	for (size_t i = 0; i < n; i++)
		t->p[at + i] = random ? (char)next() : t->p[(from + i) % t->n];
}

static void text__number(struct text *t, size_t at)
{
	static const char *const numbers[] = {"0", "-1", "4294967296", "18446744073709551616", "99999999999", "\xff\xff\xff\xff"};
	const char *s = numbers[below(sizeof(numbers) / sizeof(numbers[0]))];
	for (size_t i = 0; s[i] && at + i < t->n; i++)
		t->p[at + i] = s[i];
}

static void text__mutate(struct text *t)
{
	size_t at = below(t->n);
	switch (below(8)) {
	case 0: t->p[at] ^= (char)(1 << below(8)); break;
	case 1: t->p[at] = (char)next(); break;
	case 2: text__remove(t, at, 1 + below(8)); break;
	case 3: text__insert(t, at, 1 + below(4), true); break;
	case 4: text__insert(t, at, 1 + below(64), false); break;
	case 5: t->n = at; break;
	case 6: t->p[at] = "\r\n\0 :$*-;\x7f"[below(10)]; break;
	case 7: text__number(t, at); break;
	}
}

/* One turn of a dialogue of this protocol, changed in up to four places; or noise. */
static enum decode_side text__make(struct text *t, const struct seed *s)
{
	size_t turns = 0;
	while (turns < SEED_TURNS && s->turn[turns].bytes.n)
		turns++;
	size_t which = below(turns);
	t->n = 0;
	if (below(5) == 0) {
		text__insert(t, 0, 1 + below(200), true);
	} else {
		t->n = s->turn[which].bytes.n;
		memcpy(t->p, s->turn[which].bytes.p, t->n);
		for (size_t i = below(5); i > 0 && t->n; i--)
			text__mutate(t);
	}
	if (!t->n)
		t->p[t->n++] = (char)next();
	return s->turn[which].side;
}

static void side__send(struct drive *d, enum decode_side side, struct slice s, uint32_t missing, uint32_t lost)
{
	enum ws_dir requests = d->conn[0].role == WS_ROLE_CONNECTED ? WS_DIR_OUT : WS_DIR_IN;
	enum ws_dir dir = side == SIDE_CLIENT ? requests : (enum ws_dir)!requests;

	drive__send(d, &(struct transfer){.dir = dir, .bytes = s, .missing = missing, .lost = lost});
	/* What was lost is not waited for any longer. */
	if (lost)
		drive__tick(d, 150000000);
}

/* The message in up to four pieces, now and then with missing or lost bytes. */
static void message__send(struct drive *d, enum decode_side side, struct slice s)
{
	while (s.n) {
		size_t n = below(4) ? s.n : 1 + below(s.n);
		uint32_t missing = below(16) ? 0 : (uint32_t)below(300), lost = below(32) ? 0 : (uint32_t)below(100);

		side__send(d, side, slice__sub(s, 0, n), missing, lost);
		s = slice__sub(s, n, s.n);
	}
}

static void run(const struct seed *s, const struct seed *opening)
{
	struct drive d;
	struct text t;
	enum decode_side side;

	drive__open(&d);
	drive__connect(&d, 0, below(2) ? WS_ROLE_ACCEPTED : WS_ROLE_CONNECTED, WS_ORIGIN_NEW, 0);
	/* One in eight comes first and has to be recognised, or not. */
	if (below(8))
		side__send(&d, SIDE_CLIENT, opening->turn[0].bytes, 0, 0);
	side = text__make(&t, s);
	message__send(&d, side, (struct slice){t.p, t.n});
	/* What comes after it must find its way as well. */
	if (below(4) == 0)
		message__send(&d, SIDE_SERVER, s->turn[1].bytes);
	if (below(4) == 0)
		message__send(&d, SIDE_CLIENT, s->turn[2].bytes);
	drive__close(&d);
}

static const struct seed *pick(const char *protocol)
{
	for (;;) {
		const struct seed *s = &seeds[below(seeds_n)];
		if (strcmp(s->protocol, protocol) == 0)
			return s;
	}
}

static bool protocol__run(unsigned row, unsigned long messages)
{
	static const char *const name[DECODE_MAX] = {"ok", "more", "trunc", "bad", "upgrade"};
	const struct drive_row *r = &drive_row[row];
	const struct seed *opening = seed__first(r->name);
	if (!opening) {
		printf("not ok %u - %s: no dialogue in tests/fuzz/seeds.c\n", row + 1, r->name);
		return false;
	}
	for (unsigned long i = 0; i < messages; i++)
		run(pick(r->name), opening);
	/* Every kind of answer, or the generator does not reach the parser. */
	bool good = r->answers[DECODE_OK] && r->answers[DECODE_MORE] && r->answers[DECODE_TRUNC] && r->answers[DECODE_BAD];
	printf("%sok %u - %s: %lu malformed messages, each counted (", good ? "" : "not ", row + 1, r->name, messages);
	for (unsigned st = 0; st < DECODE_MAX; st++)
		printf("%s%s %llu", st ? ", " : "", name[st], (unsigned long long)r->answers[st]);
	printf(")\n");
	return good;
}

/* A dialogue as fuzz_protocols.c reads it. */
static void corpus__write(const char *dir, unsigned i)
{
	char path[512];
	unsigned row = 0;
	while (row < drive_rows && strcmp(drive_row[row].name, seeds[i].protocol) != 0)
		row++;
	snprintf(path, sizeof(path), "%s/%s-%u", dir, seeds[i].protocol, i);
	FILE *f = fopen(path, "wb");
	if (!f) {
		perror(path);
		exit(1);
	}
	fputc((int)row, f);
	fputc(8, f);
	for (unsigned k = 0; k < SEED_TURNS && seeds[i].turn[k].bytes.n; k++) {
		struct slice s = seeds[i].turn[k].bytes;
		while (s.n) {
			size_t n = s.n < 31 + 255 ? s.n : 31 + 255;
			fputc((int)((n < 31 ? n : 31) << 3 | (seeds[i].turn[k].side == SIDE_SERVER)), f);
			if (n >= 31)
				fputc((int)(n - 31), f);
			fwrite(s.p, 1, n, f);
			s = slice__sub(s, n, s.n);
		}
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	bool good = true;
	setvbuf(stdout, NULL, _IOLBF, 0); /* what was fine is told even if the next one is not */
	drive__init();
	if (argc == 3 && strcmp(argv[1], "--corpus") == 0) {
		for (unsigned i = 0; i < seeds_n; i++)
			corpus__write(argv[2], i);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--rows") == 0) {
		for (unsigned i = 0; i < drive_rows; i++)
			puts(drive_row[i].name);
		return 0;
	}
	unsigned long messages = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
	state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	printf("TAP version 13\n1..%u\n", drive_rows);
	for (unsigned row = 0; row < drive_rows; row++)
		good &= protocol__run(row, messages);
	return good ? 0 : 1;
}
