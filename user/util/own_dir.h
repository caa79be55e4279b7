/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_dir.h - a directory whose contents decide what we do: who can write there must be us alone.
 *
 * It is made 0700 if it is not there, its last component only. One that is there keeps its mode; it must be the
 * caller's, and not to be written by others: such as /var/tmp is not ours to close to them.
 */
#ifndef UTIL_OWN_DIR_H
#define UTIL_OWN_DIR_H

#include <stddef.h>
#include <sys/stat.h>

/* Its descriptor, *st filled; or -errno and a message that begins with the option which names it. */
int own_dir__open(const char *option, const char *path, struct stat *st, char *err, size_t err_size);

#endif
