// SPDX-License-Identifier: Apache-2.0
/*
 * agent.c - the wiring and the loop.
 *
 *  kernel                          user
 *  bpf/ --ring--> attach > capture > conn > decode > exchange > link > export / view
 *         bytes            events  streams  messages exchanges  spans  OTLP, terminal
 *
 * One thread, one epoll loop: the ring, signals, a timer, the exporter's sockets. A replay runs
 * the same stages from a file, with the clock of its events.
 */
#include "agent.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "capture/capture.h"
#include "command.h"
#include "conn/conn.h"
#include "export/export.h"
#include "ledger.h"
#include "util/log.h"
#include "view/view.h"

#define TICK_NS (50ull * 1000000)
#define CLOCK_STEP_NS (5 * 1000000ll) /* a wall clock that moved by less is left alone */
#define COMMAND_END_NS (10ull * 1000000000)
#define REPLAY_PATIENCE_MS 30000
#define META_TEXT_MAX 8192

struct agent {
	struct agent_config cfg; /* ours: the command's pid is added to its selection, which attach refers to */
	struct attach *attach;
	struct capture *capture;
	struct recording *recording;
	struct meta *meta;
	struct linker *linker;
	struct exchanges *exchanges;
	struct decode *decode;
	struct conns *conns;
	struct export *export;
	struct view *view;
	struct command command;
	int epoll_fd, timer_fd, signal_fd;
	double cpu_us_at_start;
	uint64_t newest;      /* time of the newest event */
	uint64_t ticked;      /* when ticks were last given */
	int64_t wall_offset;
	uint64_t kernel[WS_CNT_MAX]; /* replay: as recorded */
	bool watching_turns; /* an event loop makes calls: its turns are watched closely */
	uint64_t stop_at;    /* told to stop: when the command's end is awaited no longer */
	bool output_failed;
	bool stop;
	int status;
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void agent__span(void *ctx, const struct span *s)
{
	struct agent *a = ctx;

	if (a->export)
		export__span(a->export, s);
	if (a->cfg.outputs & OUTPUT_JSON)
		otlp_json__line(stdout, s);
	if (a->view)
		view__span(a->view, s);
}

static void agent__budget(void *ctx, const struct connection *c, const struct ws_budget_pair *b, bool for_port)
{
	struct agent *a = ctx;
	uint16_t port = c->role == WS_ROLE_CONNECTED ? c->remote.port : c->local.port;

	if (!a->attach)
		return;
	attach__set_budget(a->attach, c->id, b);
	if (for_port)
		attach__set_port_budget(a->attach, c->role, port, b);
}

/* A process that was not known yet: the kernel is told how to find its goroutines, the recording its name. */
static void agent__new_process(void *ctx, struct process *p)
{
	struct agent *a = ctx;
	struct ws_process kernel = {.selected = 1, .ctx_kind = (uint8_t)p->ctx_kind, .goid_offset = p->goid_offset};
	char text[META_TEXT_MAX];
	size_t n;

	if (a->attach && p->ctx_kind == WS_CTX_GO && attach__is_selected(a->attach, p->pid))
		attach__set_process(a->attach, p->pid, &kernel);
	if (!a->recording)
		return;
	n = process__save(p, text, sizeof(text));
	recording__meta(a->recording, a->newest, p->pid, text, n);
}

static void agent__process_event(struct agent *a, const struct ws_rec_proc *r, struct slice path)
{
	const struct ws_process selected = {.selected = 1};

	if (a->cfg.replay)
		return; /* the recording tells by META records */
	if (r->what == WS_PROC_EXIT)
		meta__forget(a->meta, r->tgid);
	if (r->what != WS_PROC_EXEC)
		return;
	meta__forget(a->meta, r->tgid);
	if (!r->selected && !attach__exe_matches(a->attach, r->tgid, path))
		return;
	if (!r->selected)
		attach__set_process(a->attach, r->tgid, &selected);
	meta__process(a->meta, r->tgid);
}

static void agent__set_clock(struct agent *a, int64_t offset)
{
	a->wall_offset = offset;
	linker__set_clock(a->linker, offset);
}

static void agent__tick(struct agent *a, uint64_t now)
{
	a->ticked = now;
	conns__tick(a->conns, now);
	exchanges__tick(a->exchanges, now);
	linker__tick(a->linker, now);
	if (a->view)
		view__tick(a->view, now);
	if (a->attach && !a->watching_turns && linker__counters(a->linker)->loop_calls) {
		a->watching_turns = true;
		attach__watch_turns(a->attach);
	}
}

static void agent__event(void *ctx, const struct event *e)
{
	struct agent *a = ctx;

	if (e->head->time_ns > a->newest)
		a->newest = e->head->time_ns;
	switch (e->type) {
	case WS_REC_PROC:
		agent__process_event(a, e->proc, e->text);
		break;
	case WS_REC_META:
		meta__load(a->meta, e->meta->tgid, e->text);
		break;
	case WS_REC_CLOCK:
		agent__set_clock(a, (int64_t)(e->clock->wall_ns - e->clock->head.time_ns));
		break;
	case WS_REC_COUNTERS:
		record__counters(e, a->kernel);
		break;
	default:
		conns__event(a->conns, e);
	}
	if (a->recording && e->type < WS_REC_KERNEL_MAX)
		recording__event(a->recording, e);
	if (a->cfg.replay && a->newest > a->ticked + TICK_NS)
		agent__tick(a, a->newest);
}

/* The wall clock against the monotonic one; told again when somebody has set it. */
static void agent__check_clock(struct agent *a)
{
	uint64_t mono = clock_ns(CLOCK_MONOTONIC), wall = clock_ns(CLOCK_REALTIME);
	int64_t offset = (int64_t)(wall - mono), moved = offset - a->wall_offset;

	if (moved < CLOCK_STEP_NS && moved > -CLOCK_STEP_NS)
		return;
	agent__set_clock(a, offset);
	if (a->recording)
		recording__clock(a->recording, mono, wall);
}

/*
 * The end of a command is awaited, with the ring being read; a second signal, or ten seconds, end it.
 * The terminal's own signals reach the command without us.
 */
static void agent__told_to_stop(struct agent *a, const struct signalfd_siginfo *si)
{
	if (!a->command.pid || a->stop_at) {
		a->stop = true;
		return;
	}
	if (si->ssi_code != SI_KERNEL)
		command__signal(&a->command, (int)si->ssi_signo);
	a->stop_at = clock_ns(CLOCK_MONOTONIC) + COMMAND_END_NS;
}

static void agent__signal(struct agent *a)
{
	struct signalfd_siginfo si;

	while (read(a->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo != SIGCHLD) {
			agent__told_to_stop(a, &si);
		} else if (command__reap(&a->command)) {
			a->status = a->command.status ? 1 : 0;
			a->stop = true;
		}
	}
}

/* What a person or a pipe reads has got so far; nobody reads it any more: the end. */
static void agent__check_output(struct agent *a)
{
	if (!fflush(stdout) && !ferror(stdout))
		return;
	if (!a->output_failed)
		log__error("standard output: %s", strerror(errno));
	a->output_failed = a->stop = true;
	a->status = 1;
}

static int epoll__add(int epoll_fd, int fd, void *ptr)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = ptr};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int agent__open_fds(struct agent *a)
{
	const struct itimerspec every = {{0, TICK_NS}, {0, TICK_NS}};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	a->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (a->epoll_fd < 0 || a->timer_fd < 0 || a->signal_fd < 0)
		return -errno;
	timerfd_settime(a->timer_fd, 0, &every, NULL);
	if (epoll__add(a->epoll_fd, a->timer_fd, &a->timer_fd) || epoll__add(a->epoll_fd, a->signal_fd, &a->signal_fd))
		return -errno;
	return 0;
}

/* Every 50 ms, for the kernel wakes us only when the ring fills up. */
static void agent__timer(struct agent *a)
{
	uint64_t expirations, now;

	if (read(a->timer_fd, &expirations, sizeof(expirations)) < 0)
		return;
	agent__check_clock(a);
	capture__read(a->capture);
	now = clock_ns(CLOCK_MONOTONIC);
	agent__tick(a, now);
	if (a->export)
		export__tick(a->export, now / 1000000);
	agent__check_output(a);
	a->stop |= a->stop_at && now > a->stop_at;
}

static void agent__loop(struct agent *a)
{
	struct epoll_event ev[32];

	while (!a->stop) {
		int n = epoll_wait(a->epoll_fd, ev, 32, -1);

		for (int i = 0; i < n; i++) {
			void *who = ev[i].data.ptr;

			if (who == &a->signal_fd)
				agent__signal(a);
			else if (who == a->export)
				export__ready(a->export);
			else if (who == &a->timer_fd)
				agent__timer(a);
			else
				capture__read(a->capture);
		}
	}
	command__stop(&a->command);
	/* What was under way when we were told to stop. */
	for (int quiet = 0, n = 0; quiet < 4 && n < 40; n++) {
		struct timespec t = {0, 25000000};

		quiet = capture__read(a->capture) ? 0 : quiet + 1;
		nanosleep(&t, NULL);
	}
	/* Nothing is made any more: what is left in the ring is all there is. */
	attach__stop(a->attach);
	while (capture__read(a->capture) > 0)
		;
}

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
	int r = agent__open_command(a, err, size);

	if (r)
		return r;
	if (a->cfg.recording) {
		a->recording = recording__new(a->cfg.recording, err, size);
		if (!a->recording)
			return -EIO;
		log__warn("%s will hold captured payload, unredacted; it is readable by its owner only", a->cfg.recording);
	}
	a->attach = attach__new(&a->cfg.selection, &a->cfg.attach, err, size);
	if (!a->attach)
		return -EPERM;
	a->capture = capture__live(attach__ring_fd(a->attach), agent__event, a, err, size);
	if (!a->capture)
		return -EIO;
	agent__check_clock(a);
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
	a->export = export__new(&s, a->epoll_fd, err, size);
	export_settings__free(&s);
	return a->export ? 0 : -EIO;
}

static void agent__build(struct agent *a)
{
	a->meta = meta__new(!a->cfg.replay);
	a->linker = linker__new(agent__span, a);
	a->exchanges = exchanges__new(a->linker);
	a->decode = decode__new(a->exchanges);
	a->conns = conns__new(a->decode, a->exchanges, a->meta, agent__budget, a);
	meta__on_new(a->meta, agent__new_process, a);
}

static void agent__ledger(struct agent *a, struct ledger *l)
{
	*l = (struct ledger){
		.capture = capture__counters(a->capture),
		.conn = conns__counters(a->conns),
		.decode = decode__counters(a->decode),
		.exchange = exchanges__counters(a->exchanges),
		.link = linker__counters(a->linker),
		.export = a->export ? export__counters(a->export) : NULL,
		.cpu_us_at_start = a->cpu_us_at_start,
		.map_bytes = a->attach ? attach__map_bytes(a->attach) : 0,
	};
	if (a->attach)
		attach__counters(a->attach, a->kernel);
	memcpy(l->kernel, a->kernel, sizeof(l->kernel));
}

/* End of input: everything that waits goes on, then out. */
static void agent__finish(struct agent *a)
{
	struct view_truth truth;
	struct ledger l;

	agent__tick(a, a->cfg.replay ? a->newest : clock_ns(CLOCK_MONOTONIC));
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
		if (r) {
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
	attach__free(a->attach);
	conns__free(a->conns);
	decode__free(a->decode);
	exchanges__free(a->exchanges);
	linker__free(a->linker);
	export__free(a->export);
	view__free(a->view);
	meta__free(a->meta);
	close(a->epoll_fd);
	close(a->timer_fd);
	close(a->signal_fd);
}

static int agent__replay(struct agent *a, char *err, size_t size)
{
	int n;

	a->capture = capture__file(a->cfg.replay, agent__event, a, err, size);
	if (!a->capture)
		return -EIO;
	/* A file is read faster than any collector takes spans. */
	while ((n = capture__read(a->capture)) > 0 && !a->output_failed) {
		if (a->export)
			export__make_room(a->export, REPLAY_PATIENCE_MS);
		agent__check_output(a);
	}
	if (n < 0)
		snprintf(err, size, "%s: %s", a->cfg.replay, strerror(-n));
	return n > 0 ? 0 : n;
}

static int agent__live(struct agent *a, char *err, size_t size)
{
	int r = agent__open_live(a, err, size);

	if (r)
		return r;
	a->cpu_us_at_start = ledger__cpu_us();
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
