/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - one trace as indented rows with bars on a common time axis. */
#ifndef VIEW_TREE_H
#define VIEW_TREE_H

#include "view/store.h"
#include "view/view.h"

/* label: "LOST", "SLOWEST", or "" for none. remark: a line below, or NULL. The trace is arranged here. */
void tree__print(const struct view_options *o, struct vtrace *t, const char *label, const char *remark);

enum colour { COLOUR_NONE, COLOUR_RED, COLOUR_DIM, COLOUR_BOLD };
const char *colour__on(const struct view_options *o, enum colour c);
const char *colour__off(const struct view_options *o);
double ms_of(uint64_t ns);

#endif
