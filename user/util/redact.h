/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact.h - what must not leave the process. Secrets in query strings are found by the name of
 * the parameter or by the look of the value; user information in URLs is never kept. The word put
 * in their place is that of the OpenTelemetry conventions for url.full and url.query: REDACTED.
 */
#ifndef UTIL_REDACT_H
#define UTIL_REDACT_H

#include "util/slice.h"

/* The query (without '?') with its secrets replaced, cut at `size`; returns its length. */
size_t redact__query(struct slice query, char *out, size_t size);

/* Does a parameter of this name usually carry a secret? Percent-encoding and case are seen through. */
bool redact__secret_name(struct slice name);
/* Does the value look like one: a JSON Web Token, or long random text (but not a UUID)? */
bool redact__secret_value(struct slice value);

#endif
