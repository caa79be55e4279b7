/* SPDX-License-Identifier: Apache-2.0 */
/* golang.h - is this program made by Go, and where does its runtime keep a goroutine's id? */
#ifndef META_GOLANG_H
#define META_GOLANG_H

#include <errno.h>

/*
 * Offset of goid in runtime.g for the program at `path` (also /proc/PID/exe; stripped ones too).
 * > 0 the offset, 0 no 64-bit Go program, GOLANG_NEWER a Go program of a version (newer than 1.26, or
 * untold) whose offset is not known, another -errno if it cannot be read.
 */
#define GOLANG_NEWER (-ENOTSUP)
int golang__goid_offset(const char *path);

#endif
