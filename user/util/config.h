/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - the configuration file: YAML 1.1 (libyaml), one mapping of settings to values.
 *
 *   ring-size: 8
 *   comm: [nginx, redis-server]        a list where a setting may be given several times
 *   all: false
 *   otel.exporter.otlp:                names may be written out or nested
 *     endpoint: http://collector:4318
 *     headers: {x-tenant: shop}        "x-tenant=shop" as well
 *
 * A setting with no value, ~ or null is not set. Refused, naming the line: unknown names, with the nearest
 * that there is; a name given twice; aliases; more than one document; 1 MiB and more.
 */
#ifndef UTIL_CONFIG_H
#define UTIL_CONFIG_H

#include <stddef.h>

#include "util/options.h"

/* 0, or -errno with a message in err. A row of another subcommand is read over: one file may serve several. */
int config__read(const struct option_row *rows, unsigned command, const char *path, struct values *values, char *err,
		 size_t err_size);

#endif
