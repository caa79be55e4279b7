/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - copying into a fixed array, cut where it is full, but not in a UTF-8 character, always ended by NUL; names. */
#ifndef UTIL_TEXT_H
#define UTIL_TEXT_H

#include "util/slice.h"

static inline void text__copy(char *to, size_t size, struct slice from)
{
	size_t n = from.n < size - 1 ? from.n : size - 1, cut = n;

	while (cut && cut < from.n && n - cut < 3 && ((unsigned char)from.p[cut] & 0xc0) == 0x80)
		cut--;
	/* Where no character begins there is none to be saved. */
	if (cut == from.n || ((unsigned char)from.p[cut] & 0xc0) != 0x80)
		n = cut;
	if (n)
		memcpy(to, from.p, n);
	to[n] = '\0';
}

/* As text__copy, for a terminal: control characters, and what is no UTF-8, become '?'. */
void text__shown(char *to, size_t size, struct slice from);

/* Which of the names it is; -EINVAL: none. */
int text__one_of(const char *text, const char *const names[], size_t n);

#endif
