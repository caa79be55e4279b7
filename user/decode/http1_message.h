/* SPDX-License-Identifier: Apache-2.0 */
/* http1_message.h - a head -> name, attributes, error and trace context of a message. */
#ifndef DECODE_HTTP1_MESSAGE_H
#define DECODE_HTTP1_MESSAGE_H

#include "decode/http1_head.h"

void http1_message__request(struct message *m, const struct http1_head *h, const struct connection *conn);
void http1_message__response(struct message *m, const struct http1_head *h);

#endif
