/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp.h - spans -> bodies of ExportTraceServiceRequest, protobuf or JSON, grouped by resource.
 * Field numbers: opentelemetry-proto, trace.proto, common.proto, resource.proto, version 1.
 */
#ifndef EXPORT_OTLP_H
#define EXPORT_OTLP_H

#include "export/export.h"
#include "export/pb.h"

/* Spans of one resource in one batch, encoded. */
struct otlp_group {
	struct process *process; /* counted */
	struct pb spans;	 /* repeated ScopeSpans.spans; JSON: objects with commas between them */
};

struct otlp_batch {
	enum otlp_protocol protocol;
	struct otlp_group *groups;
	size_t n_groups;
	uint32_t spans;
	size_t bytes; /* of encoded spans, without their resources */
	struct pb spare; /* an empty buffer of the batch before, for the first group of the next */
};

void otlp_batch__add(struct otlp_batch *b, const struct span *s);
/* The request's body, heap, of *size bytes; the batch is empty afterwards. */
char *otlp_batch__body(struct otlp_batch *b, size_t *size);
void otlp_batch__free(struct otlp_batch *b);
/* rejected_spans of a response's partial_success; 0 if there is none. */
uint64_t otlp__rejected(enum otlp_protocol protocol, struct slice response);

/* Within export/: the two encoders. */
void otlp_pb__span(struct pb *b, const struct span *s);
char *otlp_pb__body(const struct otlp_batch *b, size_t *size);
void otlp_json__span(struct pb *b, const struct span *s);
char *otlp_json__body(const struct otlp_batch *b, size_t *size);
#define OTLP_SCOPE "wirespan"
#define OTLP_LINK_EVIDENCE "wirespan.link.evidence" /* a link's attribute, and a span's */
/* The first conventions that have all the names that are used: service.peer.name came with 1.39.0, container.runtime.name with 1.37.0. */
#define OTLP_SCHEMA_URL "https://opentelemetry.io/schemas/1.39.0"

/*
 * OTLP strings are UTF-8. Attributes are that already; a name or a message may have been cut in the
 * middle of a character: what is ill-formed becomes U+FFFD. scratch holds the result, to be freed.
 */
struct slice otlp__utf8(const char *s, struct attrs *scratch);

/* Span.flags: W3C trace flags, and whether the parent is known to be remote. */
uint32_t otlp__flags(const struct span *s);
/* Link.flags: the same of what is linked, which is of the same process. */
uint32_t otlp__link_flags(const struct span_link *l);

#endif
