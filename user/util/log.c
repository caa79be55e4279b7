/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - one line on stderr a message. The line is made whole before it is written, so lines of
 * several processes do not mix; control characters become '?', so a file name can not forge a line.
 */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum log_level current = LOG_INFO;

/* INFO has no prefix of its own: "wirespan: ready" is what scripts wait for. */
static const char *const prefix[] = {
	[LOG_ERROR] = "error: ",
	[LOG_WARN] = "warning: ",
	[LOG_INFO] = "",
	[LOG_DEBUG] = "debug: ",
};

void log__set_level(enum log_level level)
{
	current = level;
}

static void log__line(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	if (level > current)
		return;
	int at = snprintf(line, sizeof(line), "wirespan: %s", prefix[level]);
	int n = vsnprintf(line + at, sizeof(line) - (size_t)at - 1, fmt, ap);
	if (n < 0)
		return;
	size_t len = strlen(line);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	line[len++] = '\n';
	/* Where stderr can not be written there is nobody to tell. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

void log__error(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log__line(LOG_ERROR, fmt, ap);
	va_end(ap);
}

void log__warn(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log__line(LOG_WARN, fmt, ap);
	va_end(ap);
}

void log__info(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log__line(LOG_INFO, fmt, ap);
	va_end(ap);
}

void log__debug(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log__line(LOG_DEBUG, fmt, ap);
	va_end(ap);
}
