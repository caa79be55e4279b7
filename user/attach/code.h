/* SPDX-License-Identifier: Apache-2.0 */
/* code.h - as much of x86-64's encoding as is needed to walk from one instruction of a function to the next. */
#ifndef ATTACH_CODE_H
#define ATTACH_CODE_H

#include <stddef.h>

#define CODE_LENGTH_MAX 15

/* Length of the instruction at p, of which n bytes are there; 0: it is not known, or does not end in them. */
size_t code__length(const unsigned char *p, size_t n);

#endif
