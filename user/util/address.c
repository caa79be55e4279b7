// SPDX-License-Identifier: Apache-2.0
#include "util/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int address__parse(const char *text, struct sockaddr_storage *a, socklen_t *size)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : "";
	const size_t n = colon ? (size_t)(colon - text) : 0;
	const bool brackets = n > 2 && text[0] == '[' && text[n - 1] == ']';
	struct addrinfo *found;
	char host[64];

	/* getaddrinfo() would take a port of 70000 for one of 4464. */
	if (!n || n >= sizeof(host) || (!brackets && memchr(text, ':', n)) || port[strspn(port, "0123456789")] ||
	    atol(port) > 65535)
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(brackets ? n - 2 : n), text + brackets);
	if (getaddrinfo(host, port, &hints, &found))
		return -EINVAL;
	memcpy(a, found->ai_addr, found->ai_addrlen);
	*size = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}
