/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.h - batches that the collector does not take now, as files of a directory, oldest first.
 *
 * A file appears whole, by rename, and its checksum is verified before it is sent. Nothing waits for the
 * disk (no fsync): what was written survives the end of the agent however it comes; what a power failure
 * tears is refused and counted.
 *
 * When there is no room, the oldest goes: who looks after an outage asks what is wrong now, and the
 * backends refuse what is old.
 */
#ifndef EXPORT_SPOOL_H
#define EXPORT_SPOOL_H

#include "export/batch.h"

#define SPOOL_FILES_MAX 65536 /* bounds the index in memory to 1 MiB */
#define SPOOL_BLOCK 4096      /* what a file takes at least */

struct spool;

/*
 * The directory is made 0700 if it is not there, its last component only, and locked against other agents. One
 * that is there keeps its mode; it must be the caller's, and not to be written by others. n is borrowed and kept up to date. NULL with a message in err.
 */
struct spool *spool__open(const char *path, uint64_t max_bytes, struct spool_counters *n, char *err, size_t err_size);
/* The files stay. */
void spool__free(struct spool *s);

/* b remains the caller's. 0, or -errno: b was counted as dropped. Others may have been dropped for its sake. */
int spool__put(struct spool *s, const struct batch *b);
/*
 * The oldest batch that can be read, to be freed by the caller; its file stays, and is not dropped, until
 * one of the two calls below. NULL: there is none, or this is no time to read one.
 */
struct batch *spool__take(struct spool *s);
/* The batch taken has been dealt with: its file goes. */
void spool__done(struct spool *s);
/* It has to wait: as the oldest again, or as the newest so that it is not in the others' way for ever. */
void spool__back(struct spool *s, bool last);

#endif
