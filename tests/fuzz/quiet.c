/* SPDX-License-Identifier: Apache-2.0 */
/* quiet.c - in place of util/log.c: every line is made, so that what goes into it is looked at, and thrown away. */
#include <stdarg.h>
#include <stdio.h>

#include "util/log.h"

static void line(const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
}

void log__set_level(enum log_level level) {}

#define LINE(name)                                                                                                     \
	void name(const char *fmt, ...)                                                                                \
	{                                                                                                              \
		va_list ap;                                                                                            \
		va_start(ap, fmt);                                                                                     \
		line(fmt, ap);                                                                                         \
		va_end(ap);                                                                                            \
	}
LINE(log__error) LINE(log__warn) LINE(log__info) LINE(log__debug)

/* Called by AddressSanitizer, if there is one: short stacks and little kept of what was freed are much faster. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "malloc_context_size=6:quarantine_size_mb=16";
}
