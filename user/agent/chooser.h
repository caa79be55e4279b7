/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chooser.h - containers come and go, and more becomes known of them: each is judged by the selection, and
 * the kernel told, before the first program of it runs where the runtime leaves its marks before that
 * (all but runc alone, whose containers are told by their first exec).
 */
#ifndef CHOOSER_H
#define CHOOSER_H

#include "attach/attach.h"
#include "attach/runtime.h"
#include "meta/identity.h"

struct chooser;

/* Looks at what runs, and says which selectors match nothing yet. All are borrowed; runtimes: or NULL. Never NULL. */
struct chooser *chooser__new(const struct selection *sel, struct attach *attach, struct identities *ids,
			     struct runtimes *runtimes);
void chooser__free(struct chooser *ch);
/* 0, or -ENOTSUP and a message in err: what a selector needs is missing here. */
int chooser__check(const struct selection *sel, char *err, size_t err_size);
/* The selection has other rules than before: all is judged again, and the new ones that match nothing yet are named. */
void chooser__select_again(struct chooser *ch, const struct selection *before);
/* Since the last time that this was asked: is a container that was wanted no longer? */
bool chooser__has_left(struct chooser *ch);
/* A cgroup was made or removed. */
void chooser__cgroup(struct chooser *ch, const struct ws_rec_cgroup *r, struct slice path);
/* A process has exec'ed: wanted (true) as one of a container's; *left_out: it must not be traced. */
bool chooser__wants(struct chooser *ch, uint32_t pid, bool *left_out);
/* What was told meanwhile: every 50 ms or so. */
void chooser__tick(struct chooser *ch);

#endif
