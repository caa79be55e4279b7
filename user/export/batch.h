/* SPDX-License-Identifier: Apache-2.0 */
/* batch.h - spans that go together, encoded: the body of one POST. */
#ifndef EXPORT_BATCH_H
#define EXPORT_BATCH_H

#include "export/otlp.h"

struct batch {
	struct batch *next;
	char *body; /* heap */
	size_t size;
	uint32_t spans;
	enum otlp_protocol protocol;
	bool gzip;
};

/* What has been collected, which is empty afterwards. *encoded: bytes before compression. */
struct batch *batch__new(struct otlp_batch *of, bool gzip, size_t *encoded);
void batch__free(struct batch *b);

#endif
