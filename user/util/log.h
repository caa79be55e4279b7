/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - one line on stderr a message: "wirespan: warning: ...". Never payload, never secrets.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H


enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log__set_level(enum log_level level); /* default LOG_INFO */
void log__error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log__warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log__info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log__debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
