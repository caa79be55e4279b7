/* SPDX-License-Identifier: Apache-2.0 */
/*
 * environment.h - variables of OpenTelemetry: from the environment, or from the configuration file where
 * that is silent. They are no part of our environment then, so no command that we run inherits them.
 */
#ifndef UTIL_ENVIRONMENT_H
#define UTIL_ENVIRONMENT_H

/* The value, or NULL if nobody says anything (or says ""). */
const char *environment__get(const char *name);
/* How a message names it: "OTEL_X", or "wirespan.yaml:3: otel.x". */
const char *environment__name(const char *name);
/* What the file says; where: "wirespan.yaml:3: otel.x". All are copied. */
void environment__offer(const char *name, const char *value, const char *where);
/* Forgets all offers: before those of a file that was read anew. */
void environment__clear(void);

#endif
