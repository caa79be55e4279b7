// SPDX-License-Identifier: Apache-2.0
#include "export/batch.h"

#include <stdlib.h>
#include <zlib.h>

static char *body__gzip(char *body, size_t *size)
{
	z_stream z = {0};
	size_t bound;
	char *out;

	/* 15 + 16: a gzip header; level 1, spans are very repetitive. */
	if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	bound = deflateBound(&z, *size);
	out = malloc(bound);
	if (!out)
		abort();
	z.next_in = (Bytef *)body;
	z.avail_in = (uInt)*size;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)bound;
	deflate(&z, Z_FINISH);
	*size = z.total_out;
	deflateEnd(&z);
	free(body);
	body = realloc(out, *size);
	return body ? body : out;
}

struct batch *batch__new(struct otlp_batch *of, bool gzip, size_t *encoded)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->spans = of->spans;
	b->protocol = of->protocol;
	b->gzip = gzip;
	b->body = otlp_batch__body(of, &b->size);
	*encoded = b->size;
	if (gzip)
		b->body = body__gzip(b->body, &b->size);
	return b;
}

void batch__free(struct batch *b)
{
	if (!b)
		return;
	free(b->body);
	free(b);
}
