/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - the protocols. A new one is a file, a row here, a declaration in decode.h and its tests.
 *
 * The order matters only where two rows would both say "yes" to the same first bytes: the first
 * wins. Rows with the most telling beginnings therefore come first.
 */
#include "decode/decode.h"

const struct protocol *const protocols[] = {
	&protocol_http1,
	&protocol_postgresql,
	&protocol_redis,
	&protocol_fastcgi,
	NULL,
};
