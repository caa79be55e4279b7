// SPDX-License-Identifier: Apache-2.0
#include "util/own_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int own_dir__check(const char *option, const char *path, const struct stat *st, char *err, size_t err_size)
{
	if (st->st_uid != geteuid()) {
		snprintf(err, err_size, "%s '%s' belongs to user %u and not to user %u, who runs this: name a directory of its own",
			 option, path, st->st_uid, geteuid());
		return -EPERM;
	}
	if (st->st_mode & (S_ISVTX | S_IWGRP | S_IWOTH)) {
		snprintf(err, err_size, "%s '%s' can be written by others (mode %04o): name a directory of its own, which need not exist",
			 option, path, st->st_mode & 07777);
		return -EPERM;
	}
	return 0;
}

int own_dir__open(const char *option, const char *path, struct stat *st, char *err, size_t err_size)
{
	int fd, r;

	if (mkdir(path, 0700) && errno != EEXIST) {
		r = -errno;
		snprintf(err, err_size, "%s '%s' can't be made: %s", option, path, strerror(-r));
		return r;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, st)) {
		r = -errno;
		snprintf(err, err_size, "%s '%s': %s", option, path, strerror(-r));
	} else {
		r = own_dir__check(option, path, st, err, err_size);
	}
	if (r && fd >= 0)
		close(fd);
	return r ? r : fd;
}
