/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.h - where events come from: the ring buffer of a running kernel, or a recording.
 *
 * Every record is checked (type known, size enough for its fixed part and for the lengths it states)
 * before anybody sees it; what fails the check is counted and passed over.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include <stdint.h>

#include "flow/event.h"

struct capture_counters {
	uint64_t seen[WS_REC_KERNEL_MAX]; /* valid records by type */
	uint64_t malformed;
	uint64_t seen_payload_bytes;
};

struct capture;

/* Reads a ring buffer, or perf buffers that are to take `bytes` together. ring_fd is borrowed. NULL with a message. */
struct capture *capture__live(int ring_fd, size_t bytes, event_fn *fn, void *ctx, char *err, size_t err_size);
/* Reads a recording, plain or gzipped. NULL with a message (no file, no recording, other version, ...). */
struct capture *capture__file(const char *path, event_fn *fn, void *ctx, char *err, size_t err_size);
void capture__free(struct capture *c);

/* Live: becomes readable when the kernel wants to be read; it does so rarely, so call read every 50 ms as well. File: -1. */
int capture__fd(const struct capture *c);
/*
 * Live: passes on what is there. File: the next 1,000. Number of records passed on; 0 none left; -errno:
 * a file that is cut off or damaged gives what is whole before that, then -EBADMSG at every call.
 */
int capture__read(struct capture *c);
/* Live, when nothing is made any more: passes on all that is left, also what is held for its order. */
void capture__drain(struct capture *c);
const struct capture_counters *capture__counters(const struct capture *c);

/*
 * A recording: "WIRESPAN" and a version, then records as they come, each padded to eight bytes.
 * It holds captured payload, unredacted: the file is made 0600 and never overwrites another.
 */
struct recording;
struct recording *recording__new(const char *path, char *err, size_t err_size);
/* 0 or -errno (remembered: later calls do nothing). */
int recording__event(struct recording *r, const struct event *e);
int recording__clock(struct recording *r, uint64_t mono_ns, uint64_t wall_ns);
int recording__meta(struct recording *r, uint64_t time_ns, uint32_t pid, const char *text, size_t size);
int recording__counters(struct recording *r, uint64_t time_ns, const uint64_t value[WS_CNT_MAX]);
/* What was written so far goes to the file. 0 or the first -errno. */
int recording__flush(struct recording *r);
/* Flushes and closes. 0 or the first -errno. */
int recording__close(struct recording *r);
/* Decides whether n bytes at p are one valid record; fills e. Used by both sources and by the fuzzer. */
bool record__check(const void *p, size_t n, struct event *e);
/* The values of a COUNTERS record (its event's text); those that it does not have are 0. */
void record__counters(const struct event *e, uint64_t value[WS_CNT_MAX]);

#endif
