/* SPDX-License-Identifier: Apache-2.0 */
/* language.h - which language runtime runs in a process: by what its program, and the libraries it has mapped, export. */
#ifndef ATTACH_LANGUAGE_H
#define ATTACH_LANGUAGE_H

#include <stdint.h>

struct language {
	const char *name;     /* process.runtime.name where OpenTelemetry has one: "go", "nodejs", "cpython" ...; "native" */
	const char *language; /* telemetry.sdk.language's words: "go", "nodejs", "python", "java" ...; "c" for what is not told */
	const char *by;	      /* how calls find their cause there: "goroutine", "event-loop", "thread" */
	/* For `doctor --pid`, where no runtime is followed (runtime_table.h): NULL, no name; and what holds of all programs. */
	const char *title, *mechanism, *unseen;
};

/* Static. Reads /proc/PID/exe and maps; for a process that cannot be read the one of native programs. */
const struct language *language__of(uint32_t pid);

#endif
