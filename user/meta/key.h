/* SPDX-License-Identifier: Apache-2.0 */
/* key.h - keys of attributes that come from outside: lists want static strings, so each is kept once, for good. */
#ifndef META_KEY_H
#define META_KEY_H

#include <stdint.h>

#include "util/slice.h"

/* NULL: unfit for a key (empty, spaces, not ASCII), or there are 1,024 already. */
const char *key__intern(struct slice key);

/* How often it answered NULL. */
uint64_t keys__refused(void);

#endif
