/* SPDX-License-Identifier: Apache-2.0 */
/* judge.h - is this container one of those that the selection names? */
#ifndef ATTACH_JUDGE_H
#define ATTACH_JUDGE_H

#include "attach/selection.h"
#include "meta/identity.h"

enum judgement {
	JUDGED_OTHER,	 /* no rule names it */
	JUDGED_WANTED,
	JUDGED_LEFT_OUT, /* by --not, or because nobody named it who would want it (judge.c) */
};

/*
 * By what is known of it now; why, if not NULL, gets a sentence of static text. What is not known matches no
 * rule, but where a --not or a rule of ours could still leave it out, it is left out until more is known.
 */
enum judgement judge__container(const struct selection *s, const struct container *c, const char **why);
/* Does one value of one kind ("container", "image", "pod", "namespace", "label") name it? */
bool judge__matches(const char *kind, const char *value, const struct container *c);

#endif
