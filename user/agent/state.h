/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what the files of agent/ share: one agent, and who does what with it. */
#ifndef AGENT_STATE_H
#define AGENT_STATE_H

#include "agent/agent.h"
#include "agent/chooser.h"
#include "agent/command.h"
#include "agent/govern.h"
#include "agent/leaving.h"
#include "attach/runtime.h"
#include "capture/capture.h"
#include "conn/conn.h"
#include "export/export.h"
#include "gap/gap.h"
#include "ledger/ledger.h"
#include "ledger/metrics.h"
#include "util/clock.h"
#include "view/view.h"

#define TICK_NS (50ull * 1000000)

struct agent {
	struct agent_config cfg; /* ours: the command's pid is added to its selection, which attach refers to */
	struct attach *attach;
	struct chooser *chooser;
	struct leaving *leaving;
	struct runtimes *runtimes;
	struct capture *capture;
	struct recording *recording;
	struct meta *meta;
	struct linker *linker;
	struct sampler *sampler;
	struct govern *govern;
	struct exchanges *exchanges;
	struct decode *decode;
	struct conns *conns;
	struct export *export;
	struct view *view;
	struct metrics *metrics;
	struct gap *gap;
	struct command command;
	int epoll_fd, timer_fd, signal_fd;
	double cpu_us_at_start;
	struct agent_counters own;
	uint64_t newest;      /* time of the newest event */
	uint64_t read_until;  /* live: everything older has been read */
	uint64_t ticked;      /* when ticks were last given */
	int64_t wall_offset;
	uint64_t kernel[WS_CNT_MAX]; /* replay: as recorded */
	uint64_t pool_calls; /* at the last tick; wakes are told while there are more of them */
	uint64_t pools_seen; /* when there were; 0: wakes are not told */
	bool watching_turns; /* an event loop makes calls: its turns are watched closely */
	uint64_t stop_at;    /* told to stop: when the command's end is awaited no longer */
	bool output_failed, recording_failed;
	bool stop;
	int status;
};

/* events.c: what the stages call at their ends; ctx is the agent. */
void agent__event(void *ctx, const struct event *e);
void agent__span(void *ctx, const struct span *s);
void agent__budget(void *ctx, const struct connection *c, const struct ws_budget_pair *b, bool for_port);
/* Is the connection open, as far as we have been told? */
bool agent__knows(void *ctx, uint64_t conn);
void agent__new_process(void *ctx, struct process *p);
/* Time passes for every stage. */
void agent__tick(struct agent *a, uint64_t now);
/* The wall clock against the monotonic one; told on when somebody has set it. */
void agent__check_clock(struct agent *a);

/* loop.c: the descriptors, signals and the timer. 0 or -errno. */
int agent__open_fds(struct agent *a);
int epoll__add(int epoll_fd, int fd, void *ptr);
/* Returns when no other agent has our state, or when told to stop. 0 or -errno. */
int agent__await_turn(struct agent *a);
void agent__loop(struct agent *a);
void agent__signal(struct agent *a);
void agent__check_output(struct agent *a);

/* account.c: the ledger as it stands, and who asks for it. */
void agent__ledger(struct agent *a, struct ledger *l);
int agent__open_metrics(struct agent *a, char *err, size_t size);

#endif
