// SPDX-License-Identifier: Apache-2.0
#include "meta/host.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOTS 2

/* Where the machine's files may be: 0 as we see them (or where they are mounted for us), 1 as its init sees them. */
static const char *root__of(size_t i)
{
	const char *mounted = getenv("WIRESPAN_HOST_ROOT");

	return i ? "/proc/1/root" : mounted ? mounted : "";
}

static json_t *file__json(int fd)
{
	struct stat st;
	json_t *j = NULL;
	char *text;
	ssize_t n;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > HOST_FILE_MAX)
		return NULL;
	text = malloc((size_t)st.st_size);
	if (!text)
		return NULL;
	n = pread(fd, text, (size_t)st.st_size, 0);
	if (n > 0)
		j = json_loadb(text, (size_t)n, JSON_DISABLE_EOF_CHECK, NULL);
	free(text);
	return j;
}

json_t *host__json(const char *path)
{
	json_t *j = NULL;

	for (size_t i = 0; i < ROOTS && !j; i++) {
		char full[PATH_MAX];
		int fd;

		snprintf(full, sizeof(full), "%s%s", root__of(i), path);
		fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe of that name must not hold us */
		if (fd < 0)
			continue;
		j = file__json(fd);
		close(fd);
	}
	return j;
}

bool host__exists(const char *path)
{
	for (size_t i = 0; i < ROOTS; i++) {
		char full[PATH_MAX];

		snprintf(full, sizeof(full), "%s%s", root__of(i), path);
		if (access(full, F_OK) == 0)
			return true;
	}
	return false;
}

bool host__is_socket(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

bool host__each(const char *dir, bool (*fn)(void *ctx, const char *name), void *ctx)
{
	bool done = false;

	for (size_t i = 0; i < ROOTS && !done; i++) {
		char full[PATH_MAX];
		struct dirent *e;
		DIR *d;

		snprintf(full, sizeof(full), "%s%s", root__of(i), dir);
		d = opendir(full);
		while (d && !done && (e = readdir(d)))
			if (e->d_name[0] != '.')
				done = fn(ctx, e->d_name);
		if (d)
			closedir(d);
	}
	return done;
}

struct slice json__at(const json_t *o, ...)
{
	const char *name;
	va_list ap;

	va_start(ap, o);
	while ((name = va_arg(ap, const char *)))
		o = json_object_get(o, name);
	va_end(ap);
	return (struct slice){json_string_value(o), json_string_length(o)};
}
