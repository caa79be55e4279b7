// SPDX-License-Identifier: Apache-2.0
/*
 * agent.c - the wiring, from the start to the end.
 *
 *  kernel                          user
 *  bpf/ --ring--> attach > capture > conn > decode > exchange > link > sample > export / view
 *         bytes            events  streams  messages exchanges  spans   kept   OTLP, terminal
 *
 * One thread, one epoll loop (loop.c). A replay runs the same stages from a file, with the clock of its
 * events.
 */
#include "agent/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/confine.h"
#include "agent/state.h"
#include "attach/rights.h"
#include "util/log.h"

#define REPLAY_PATIENCE_NS (30ull * 1000000000)

/* The command waits; its pid is selected. */
static int agent__open_command(struct agent *a, char *err, size_t size)
{
	struct selection *sel = &a->cfg.selection;
	int r;

	if (!a->cfg.command)
		return 0;
	if (sel->n_pids == SELECT_MAX) {
		snprintf(err, size, "more than %d pids", SELECT_MAX - 1);
		return -EINVAL;
	}
	r = command__prepare(&a->command, a->cfg.command);
	if (r)
		snprintf(err, size, "can't fork: %s", strerror(-r));
	else
		sel->pids[sel->n_pids++] = (uint32_t)a->command.pid;
	return r;
}

static int agent__open_live(struct agent *a, char *err, size_t size)
{
	int r = chooser__check(&a->cfg.selection, err, size);

	if (!r)
		r = agent__open_command(a, err, size);

	if (r)
		return r;
	if (a->cfg.recording) {
		a->recording = recording__new(a->cfg.recording, err, size);
		if (!a->recording)
			return -EIO;
		log__warn("%s will hold captured payload, unredacted; it is readable by its owner only", a->cfg.recording);
	}
	if (a->cfg.state_dir) {
		a->gap = gap__new(a->cfg.state_dir, &a->cfg.selection, err, size);
		if (!a->gap)
			return -EIO;
	}
	rights__warn();
	a->attach = attach__new(&a->cfg.selection, &a->cfg.attach, err, size);
	if (!a->attach)
		return -EPERM;
	a->capture = capture__live(attach__ring_fd(a->attach), a->cfg.attach.ring_bytes, agent__event, a, err, size);
	if (!a->capture)
		return -EIO;
	agent__check_clock(a);
	r = agent__await_turn(a);
	if (r)
		snprintf(err, size, "--state-dir '%s' can't be locked: %s", a->cfg.state_dir, strerror(-r));
	if (r || a->stop || attach__start(a->attach, err, size)) {
		capture__free(a->capture); /* nothing was traced: there is no end to tell of */
		a->capture = NULL;
		return a->stop ? 0 : -EPERM;
	}
	a->runtimes = runtimes__new(a->attach, a->cfg.no_runtime_probes);
	a->chooser = chooser__new(&a->cfg.selection, a->attach, meta__identities(a->meta), a->runtimes);
	a->leaving = leaving__new(&a->cfg.selection, a->attach, a->meta, a->runtimes, a->conns);
	gap__ready(a->gap, a->attach);
	return epoll__add(a->epoll_fd, capture__fd(a->capture), a->capture);
}

static int agent__open_outputs(struct agent *a, char *err, size_t size)
{
	const struct view_options view = {
		.out = stdout,
		.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
		.live = !a->cfg.summary,
		.summary = a->cfg.summary,
	};
	struct export_settings s;

	if (a->cfg.outputs & OUTPUT_TREES)
		a->view = view__new(&view);
	if (!(a->cfg.outputs & OUTPUT_OTLP))
		return 0;
	if (export_settings__from_env(&s, err, size))
		return -EINVAL;
	s.spool = a->cfg.spool;
	s.spool_bytes = (uint64_t)a->cfg.spool_mib << 20;
	a->export = export__new(&s, a->epoll_fd, err, size);
	export_settings__free(&s);
	return a->export ? 0 : -EIO;
}

static void agent__build(struct agent *a)
{
	a->meta = meta__new(!a->cfg.replay);
	if (!a->cfg.replay)
		meta__listen(a->meta, a->epoll_fd, a->meta, a->cfg.kubernetes_services);
	a->sampler = sampler__new(agent__span, a);
	a->linker = linker__new(sampler__span, a->sampler);
	linker__set_options(a->linker, &a->cfg.link);
	a->exchanges = exchanges__new(a->linker);
	a->decode = decode__new(a->exchanges);
	a->conns = conns__new(a->decode, a->exchanges, a->meta, agent__budget, a);
	meta__on_new(a->meta, agent__new_process, a);
}

/* End of input: everything that waits goes on, then out. */
static void agent__finish(struct agent *a)
{
	struct view_truth truth;
	struct ledger l;

	meta__tick(a->meta);
	agent__tick(a, a->cfg.replay ? a->newest : clock__ns(CLOCK_MONOTONIC));
	conns__finish(a->conns);
	linker__finish(a->linker);
	if (a->export && export__flush(a->export, 5000))
		log__warn("some spans could not be exported before the end");
	if (a->export && a->cfg.replay && export__failed(a->export))
		a->status = 1;
	agent__ledger(a, &l);
	if (a->recording) {
		int r;

		recording__counters(a->recording, a->newest, l.kernel);
		r = recording__close(a->recording);
		if (r && !a->recording_failed) {
			log__error("%s is incomplete: %s", a->cfg.recording, strerror(-r));
			a->status = 1;
		}
	}
	ledger__truth(&l, &truth);
	if (a->view)
		view__finish(a->view, &truth);
	if (a->cfg.replay ? a->export != NULL : !a->cfg.summary)
		ledger__log(&l);
	agent__check_output(a);
}

static void agent__free(struct agent *a)
{
	command__stop(&a->command);
	capture__free(a->capture);
	leaving__free(a->leaving);
	chooser__free(a->chooser);
	runtimes__free(a->runtimes);
	attach__free(a->attach);
	conns__free(a->conns);
	decode__free(a->decode);
	exchanges__free(a->exchanges);
	linker__free(a->linker);
	sampler__free(a->sampler);
	govern__free(a->govern);
	export__free(a->export);
	metrics__free(a->metrics);
	gap__free(a->gap);
	view__free(a->view);
	meta__free(a->meta);
	close(a->epoll_fd);
	close(a->timer_fd);
	close(a->signal_fd);
}

/* A file is read faster than any collector takes spans; whoever waits may be told to stop. */
static void agent__await_room(struct agent *a)
{
	const uint64_t end = clock__ns(CLOCK_MONOTONIC) + REPLAY_PATIENCE_NS;

	while (!a->stop && export__make_room(a->export, 100) && clock__ns(CLOCK_MONOTONIC) < end)
		agent__signal(a);
}

static int agent__replay(struct agent *a, char *err, size_t size)
{
	int n;

	a->capture = capture__file(a->cfg.replay, agent__event, a, err, size);
	if (!a->capture)
		return -EIO;
	while ((n = capture__read(a->capture)) > 0 && !a->stop) {
		if (a->export)
			agent__await_room(a);
		agent__check_output(a);
		agent__signal(a);
	}
	if (n > 0) {
		log__warn("stopped before the end of %s", a->cfg.replay);
		a->status = 1;
	}
	if (n < 0)
		snprintf(err, size, "%s: %s", a->cfg.replay, strerror(-n));
	return n > 0 ? 0 : n;
}

/* A command would inherit it, and a recording is written. */
static void agent__confine(const struct agent *a)
{
	int r;

	if (!a->cfg.confine || a->cfg.command || a->recording)
		return;
	r = confine__now(a->cfg.spool != NULL);
	if (r)
		log__warn("the agent keeps rights that it does not need: seccomp: %s", strerror(-r));
}

static int agent__live(struct agent *a, char *err, size_t size)
{
	int r = agent__open_metrics(a, err, size);

	if (!r)
		r = agent__open_live(a, err, size);
	if (r || a->stop)
		return r;
	attach__knows(a->attach, agent__knows, a);
	a->govern = govern__new(&a->cfg.budget, a->attach, a->sampler, a->epoll_fd);
	a->ticked = clock__ns(CLOCK_MONOTONIC);
	a->cpu_us_at_start = ledger__cpu_us();
	agent__confine(a);
	fprintf(stderr, "wirespan: ready\n");
	command__start(&a->command);
	agent__loop(a);
	return 0;
}

int agent__run(const struct agent_config *cfg)
{
	struct agent a = {.cfg = *cfg, .epoll_fd = -1, .timer_fd = -1, .signal_fd = -1};
	char err[512] = "";
	int r = agent__open_fds(&a);

	ledger__measure(&a.own);
	if (r)
		snprintf(err, sizeof(err), "can't set up the event loop: %s", strerror(-r));
	if (!r)
		r = agent__open_outputs(&a, err, sizeof(err));
	agent__build(&a);
	if (!r)
		r = cfg->replay ? agent__replay(&a, err, sizeof(err)) : agent__live(&a, err, sizeof(err));
	if (a.capture)
		agent__finish(&a);
	if (r) {
		log__error("%s", err[0] ? err : strerror(-r));
		a.status = r == -EINVAL ? 2 : 1;
	}
	agent__free(&a);
	return a.status;
}
