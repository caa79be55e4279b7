/* SPDX-License-Identifier: Apache-2.0 */
/* address.h - ADDRESS:PORT in numbers, brackets around IPv6. */
#ifndef UTIL_ADDRESS_H
#define UTIL_ADDRESS_H

#include <sys/socket.h>

/* 0, or -EINVAL: it is none, such as 127.0.0.1:9465 or [::1]:9465. */
int address__parse(const char *text, struct sockaddr_storage *a, socklen_t *size);

#endif
