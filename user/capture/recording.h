/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recording.h - the file behind capture__file(). Private to capture/; writing is in capture.h.
 *
 * 16 bytes: "WIRESPAN", version, 0x01020304 (both 32 bits, of the writer's byte order); then records,
 * each padded with zeros to a multiple of eight.
 */
#ifndef CAPTURE_RECORDING_H
#define CAPTURE_RECORDING_H

#include <stddef.h>

#define RECORDING_VERSION 1u
#define RECORDING_RECORD_MAX (128u << 10)

struct recording_reader;

struct recording_reader *recording_reader__new(const char *path, char *err, size_t err_size);
void recording_reader__free(struct recording_reader *r);
/* 1 and the next record (aligned; valid until the next call), 0 at the end, -EBADMSG from the place on where it cannot go on. */
int recording_reader__next(struct recording_reader *r, const void **p, size_t *n);

#endif
