/* SPDX-License-Identifier: Apache-2.0 */
/* redis.h - shared by redis.c (the parser) and redis_recognise.c. */
#ifndef DECODE_REDIS_H
#define DECODE_REDIS_H

#include "decode/decode.h"

int redis__recognise(enum decode_side side, struct slice begin);

#endif
