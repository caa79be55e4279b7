// SPDX-License-Identifier: Apache-2.0
#include "agent/reload.h"

#include <errno.h>

#include "util/log.h"

/* What the file no longer has; the processes of that alone leave, when what is under way in them is over. 0: nothing. */
static size_t reload__drop(struct agent *a, const struct selection *fresh)
{
	if (a->cfg.selection.all || a->cfg.command)
		return 0; /* a command's pid is in no file */
	if (selection__empty(fresh)) {
		log__warn("reload: the file selects nothing; what is selected stays");
		return 0;
	}
	return selection__drop(&a->cfg.selection, fresh);
}

static void reload__selection(struct agent *a, const struct selection *fresh)
{
	const struct selection before = a->cfg.selection;
	char err[512] = "";
	size_t left, dropped;
	int n = chooser__check(fresh, err, sizeof(err));

	if (n) {
		log__warn("reload: %s; the selection stays", err);
		return;
	}
	dropped = reload__drop(a, fresh);
	n = selection__join(&a->cfg.selection, fresh, &left);
	if (n == -E2BIG)
		log__warn("reload: more than %d of one kind of selection; none was added", SELECT_MAX);
	if (!a->attach || (n <= 0 && !dropped))
		return;
	if (dropped)
		attach__select_less(a->attach, &before);
	if (attach__select_more(a->attach, err, sizeof(err)))
		log__warn("reload: %s", err);
	chooser__select_again(a->chooser, &before);
	leaving__judge(a->leaving, dropped);
}

static void reload__budget(struct agent *a, const struct shed_budget *fresh)
{
	a->cfg.budget = *fresh;
	if (a->govern)
		govern__set_budget(a->govern, fresh);
	else if (a->attach)
		a->govern = govern__new(fresh, a->attach, a->sampler, a->epoll_fd);
}

void reload__run(struct agent *a)
{
	struct agent_config fresh;
	struct export_settings s;
	char err[512] = "";

	if (!a->chooser) {
		log__warn("reload: not while another agent is waited for");
		return;
	}
	if (a->cfg.reload(a->cfg.reload_ctx, &fresh))
		return;
	reload__selection(a, &fresh.selection);
	reload__budget(a, &fresh.budget);
	if (a->export && !export_settings__from_env(&s, err, sizeof(err))) {
		export__reload(a->export, &s, err, sizeof(err));
		export_settings__free(&s);
	}
	if (err[0])
		log__error("reload: %s", err);
	log__info("configuration reloaded");
}
