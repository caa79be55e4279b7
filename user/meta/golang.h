/* SPDX-License-Identifier: Apache-2.0 */
/* golang.h - is this program made by Go, and where does its runtime keep a goroutine's id? */
#ifndef META_GOLANG_H
#define META_GOLANG_H

/*
 * Offset of goid in runtime.g for the program at `path` (also /proc/PID/exe; stripped ones too).
 * > 0 the offset, 0 no 64-bit Go program, -errno if it cannot be read.
 */
int golang__goid_offset(const char *path);

#endif
