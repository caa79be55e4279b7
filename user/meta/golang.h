/* SPDX-License-Identifier: Apache-2.0 */
/* golang.h - is this program made by Go, and where does its runtime keep a goroutine's id? */
#ifndef META_GOLANG_H
#define META_GOLANG_H

#include <errno.h>
#include <stdbool.h>

/*
 * The minor version of Go 1.x that made the program at `path` (also /proc/PID/exe; stripped ones too).
 * 0 no 64-bit Go program, GOLANG_UNTOLD a Go program that does not say which version, another -errno if
 * it cannot be read.
 */
#define GOLANG_UNTOLD (-ENOTSUP)
int golang__minor(const char *path);

static inline bool golang__is_go(int minor)
{
	return minor > 0 || minor == GOLANG_UNTOLD;
}

/* Offset of goid in runtime.g for a minor version; 0: not known (newer than 1.26, or untold). */
unsigned golang__goid_offset(int minor);
/* Offset of curg in runtime.m; 0: not known. */
unsigned golang__curg_offset(int minor);
/* Offset of recvx in runtime.hchan. */
unsigned golang__recvx_offset(int minor);

#endif
