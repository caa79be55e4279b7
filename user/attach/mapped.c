// SPDX-License-Identifier: Apache-2.0
#include "attach/mapped.h"

#include <stdio.h>
#include <string.h>

int mapped__each(uint32_t pid, const char *part, mapped_fn *fn, void *ctx)
{
	char path[64], line[512], last[256] = "";
	int rc = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	/* The first mapping of each file holds its address 0; the executable comes first. */
	while (!rc && fgets(line, sizeof(line), f)) {
		unsigned long long start, offset;
		char name[256], file[320];

		if (sscanf(line, "%llx-%*x %*s %llx %*s %*s %255s", &start, &offset, name) != 3 || offset || name[0] != '/' ||
		    !strcmp(name, last))
			continue;
		if (!last[0])
			snprintf(file, sizeof(file), "/proc/%u/exe", pid);
		else
			snprintf(file, sizeof(file), "/proc/%u/root%s", pid, name);
		if (!last[0] || strstr(name, part))
			rc = fn(ctx, file, start);
		snprintf(last, sizeof(last), "%s", name);
	}
	fclose(f);
	return rc;
}
