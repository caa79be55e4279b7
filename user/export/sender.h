/* SPDX-License-Identifier: Apache-2.0 */
/* sender.h - one HTTP POST at a time through libcurl's multi interface, driven by the agent's epoll. */
#ifndef EXPORT_SENDER_H
#define EXPORT_SENDER_H

#include "export/batch.h"

enum sender_result {
	SENDER_BUSY,   /* under way, or nothing was asked for */
	SENDER_OK,     /* accepted; sender__rejected() tells how many were not */
	SENDER_RETRY,  /* 429, 502, 503, 504 or no answer: OTLP specification, "Failures" */
	SENDER_REFUSED /* any other answer: retrying would not help */
};

struct sender;

/* ptr: data.ptr of the descriptors added to epoll_fd. s is copied. */
struct sender *sender__new(const struct export_settings *s, int epoll_fd, void *ptr, char *err, size_t err_size);
void sender__free(struct sender *s);
/* b is borrowed until the result is known. */
void sender__post(struct sender *s, const struct batch *b);
/* Forgets the post that is under way, if there is one: its body is borrowed no longer. */
void sender__cancel(struct sender *s);
/* Drives the transfer. Any result but BUSY is told once. */
enum sender_result sender__drive(struct sender *s);
/* As sender__drive, after waiting for something to happen, at most ms. */
enum sender_result sender__wait(struct sender *s, int ms);
uint64_t sender__rejected(const struct sender *s);
/* Retry-After of the last answer in ms; 0 if there was none. */
uint64_t sender__retry_after_ms(const struct sender *s);
/* Why the last post failed, for the log. */
const char *sender__error(const struct sender *s);

#endif
