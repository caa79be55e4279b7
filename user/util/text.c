// SPDX-License-Identifier: Apache-2.0
#include "util/text.h"

#include <errno.h>
#include <stdint.h>

/* What moves the cursor, starts a sequence, or changes the order of what is shown: C0, C1, marks of direction. */
static bool is_shown(uint32_t c)
{
	return c >= ' ' && (c < 0x7f || c > 0x9f) && (c < 0x200b || c > 0x200f) && (c < 0x2028 || c > 0x202e) &&
	       (c < 0x2060 || c > 0x206f) && c != 0xfeff;
}

/* Length of the character at the beginning of s, 0 if it is ill-formed or must not be shown. RFC 3629. */
static size_t shown__length(struct slice s)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char lead = (unsigned char)s.p[0];
	size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
	uint32_t c = n < 2 ? lead : lead & (0x7fu >> n);

	if (!n || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	if (lead >= 0xf8 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return is_shown(c) ? n : 0;
}

void text__shown(char *to, size_t size, struct slice from)
{
	size_t at = 0;

	while (from.n) {
		size_t n = shown__length(from), put = n ? n : 1;

		if (at + put >= size)
			break;
		memcpy(to + at, n ? from.p : "?", put);
		at += put;
		from = slice__sub(from, put, from.n);
	}
	to[at] = '\0';
}

int text__one_of(const char *text, const char *const names[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], text) == 0)
			return (int)i;
	return -EINVAL;
}
