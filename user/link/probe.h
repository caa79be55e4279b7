/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.h - is a request a health check? Of those that succeed hardly anybody wants to know; they are
 * the first traces to go when there is too much (sample/shed.h).
 *
 * It is one if all of this holds: it says so itself, by the User-Agent of a prober or by a path that by convention
 * means nothing else; it was answered without an error; nobody traces it (no trace context came with it).
 */
#ifndef LINK_PROBE_H
#define LINK_PROBE_H

#include "flow/exchange.h"

bool exchange__is_probe(const struct exchange *x);

#endif
