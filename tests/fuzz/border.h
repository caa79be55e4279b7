/* SPDX-License-Identifier: Apache-2.0 */
/*
 * border.h - what passes from stage to stage, looked at. The linker hands calls of decode__chunk(),
 * decode__closed(), exchanges__message() and exchanges__lost() to us first (--wrap, see fuzz.mk).
 */
#ifndef FUZZ_BORDER_H
#define FUZZ_BORDER_H

#include "drive.h"

#define BORDER_FENCE 64 /* bytes behind a record that are there, and that nobody may read */

void border__open(struct drive *d);
/* With AddressSanitizer: whoever reads behind p is caught. */
void border__fence(const void *p, bool up);
void border__span(void *ctx, const struct span *s);
void border__budget(void *ctx, const struct connection *c, const struct ws_budget_pair *b, bool for_port);
/* All has ended: does it add up? */
void border__ledger(struct drive *d);

#endif
