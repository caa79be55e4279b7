/* SPDX-License-Identifier: Apache-2.0 */
/*
 * methods.h - functions in C that an extension gives to Python, by the name that Python calls them: its tables of
 * methods name them, so they are found in a file without symbols, too (Include/methodobject.h, PyMethodDef).
 */
#ifndef ATTACH_METHODS_H
#define ATTACH_METHODS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The offsets in the file of all functions that are called so, of whatever type. Their number, `max` at most; 0: there
 * are none, or it is no 64-bit ELF file. fd is borrowed.
 */
size_t methods__find(int fd, const char *name, uint64_t *v, size_t max);

#endif
