/* SPDX-License-Identifier: Apache-2.0 */
/* postgresql_error.h - what may be told of an error: names of the schema, never a value. */
#ifndef DECODE_POSTGRESQL_ERROR_H
#define DECODE_POSTGRESQL_ERROR_H

#include <stdbool.h>

#include "util/slice.h"

/* Fields of an ErrorResponse (PostgreSQL manual, 55.8). */
struct pg_error {
	struct slice code; /* C: SQLSTATE */
	struct slice text; /* M: primary message; NULL: none */
	struct slice file; /* F: source file that raised it */
	bool cut;	   /* not all fields were there */
};

/* The message without what may be a user's value; "" if all of it may be. */
void pg_error__message(const struct pg_error *e, char *out, size_t size);

#endif
