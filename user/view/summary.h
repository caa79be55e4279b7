/* SPDX-License-Identifier: Apache-2.0 */
/* summary.h - the end of `trace --summary`: services, one lost and the slowest request, the truth about the capture. */
#ifndef VIEW_SUMMARY_H
#define VIEW_SUMMARY_H

#include "view/store.h"
#include "view/view.h"

void summary__print(const struct view_options *o, struct store *s, const struct view_truth *t);

#endif
