// SPDX-License-Identifier: Apache-2.0
/*
 * code.c - lengths of x86-64 instructions (Intel SDM, volume 2, chapter 2 and appendix A): prefixes, opcode,
 * ModRM with SIB and displacement, immediate. VEX and what no compiler makes are not known. Contract: code.h.
 */
#include "attach/code.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum shape { NONE, BAD = 1, MODRM = 2, IMM8 = 4, IMM32 = 8, IMM16 = 16 };

struct opcodes {
	uint8_t from, to;
	uint8_t shape;
};

static const struct opcodes one_byte[] = {
	{0x50, 0x5f, NONE},	     {0x63, 0x63, MODRM},	  {0x68, 0x68, IMM32},		{0x69, 0x69, MODRM | IMM32},
	{0x6a, 0x6a, IMM8},	     {0x6b, 0x6b, MODRM | IMM8}, {0x70, 0x7f, IMM8},		{0x80, 0x80, MODRM | IMM8},
	{0x81, 0x81, MODRM | IMM32}, {0x83, 0x83, MODRM | IMM8}, {0x84, 0x8b, MODRM},		{0x8d, 0x8d, MODRM},
	{0x8f, 0x8f, MODRM},	     {0x90, 0x99, NONE},	  {0x9b, 0x9f, NONE},		{0xa4, 0xa7, NONE},
	{0xa8, 0xa8, IMM8},	     {0xa9, 0xa9, IMM32},	  {0xaa, 0xaf, NONE},		{0xb0, 0xb7, IMM8},
	{0xb8, 0xbf, IMM32},	     {0xc0, 0xc1, MODRM | IMM8}, {0xc2, 0xc2, IMM16},		{0xc3, 0xc3, NONE},
	{0xc6, 0xc6, MODRM | IMM8},  {0xc7, 0xc7, MODRM | IMM32}, {0xc9, 0xc9, NONE},		{0xcc, 0xcc, NONE},
	{0xd0, 0xd3, MODRM},	     {0xe8, 0xe9, IMM32},	  {0xeb, 0xeb, IMM8},		{0xf4, 0xf4, NONE},
	{0xf6, 0xf7, MODRM},	     {0xfe, 0xff, MODRM},
};

/* After 0x0f. */
static const struct opcodes two_bytes[] = {
	{0x05, 0x05, NONE},	    {0x0b, 0x0b, NONE},		{0x0d, 0x0d, MODRM},	    {0x10, 0x1f, MODRM},
	{0x28, 0x2f, MODRM},	    {0x40, 0x6f, MODRM},	{0x70, 0x73, MODRM | IMM8}, {0x74, 0x76, MODRM},
	{0x77, 0x77, NONE},	    {0x7c, 0x7f, MODRM},	{0x80, 0x8f, IMM32},	    {0x90, 0x9f, MODRM},
	{0xa2, 0xa2, NONE},	    {0xa3, 0xa3, MODRM},	{0xa4, 0xa4, MODRM | IMM8}, {0xa5, 0xa5, MODRM},
	{0xab, 0xab, MODRM},	    {0xac, 0xac, MODRM | IMM8}, {0xad, 0xb1, MODRM},	    {0xb3, 0xb3, MODRM},
	{0xb6, 0xb8, MODRM},	    {0xba, 0xba, MODRM | IMM8}, {0xbb, 0xc1, MODRM},	    {0xc2, 0xc2, MODRM | IMM8},
	{0xc4, 0xc6, MODRM | IMM8}, {0xc7, 0xc7, MODRM},	{0xc8, 0xcf, NONE},	    {0xd0, 0xfe, MODRM},
};

static uint8_t shape__of(const struct opcodes *v, size_t n, uint8_t opcode)
{
	for (size_t i = 0; i < n; i++)
		if (opcode >= v[i].from && opcode <= v[i].to)
			return v[i].shape;
	return BAD;
}

static uint8_t shape__one_byte(uint8_t opcode)
{
	static const uint8_t arithmetic[8] = {MODRM, MODRM, MODRM, MODRM, IMM8, IMM32, BAD, BAD};

	return opcode < 0x40 ? arithmetic[opcode & 7] :
			       shape__of(one_byte, sizeof(one_byte) / sizeof(*one_byte), opcode);
}

/* ModRM, SIB and displacement; 0: they do not end in n bytes. */
static size_t code__modrm(const unsigned char *p, size_t n)
{
	unsigned mod, rm;
	size_t len = 1;

	if (!n)
		return 0;
	mod = p[0] >> 6;
	rm = p[0] & 7;
	if (mod != 3 && rm == 4) {
		if (n < 2)
			return 0;
		len++;
		rm = p[1] & 7; /* the base: 5 without mod is a displacement alone */
	}
	if (mod == 1)
		len += 1;
	else if (mod == 2 || (mod == 0 && rm == 5))
		len += 4;
	return len <= n ? len : 0;
}

size_t code__length(const unsigned char *p, size_t n)
{
	bool wide = false, small = false;
	uint8_t opcode, shape;
	size_t at = 0, len;

	for (; at < n && (memchr("\x66\xf2\xf3\x2e\x36\x3e\x26\x64\x65\xf0", p[at], 10) || (p[at] & 0xf0) == 0x40); at++) {
		small |= p[at] == 0x66;
		wide = (p[at] & 0xf8) == 0x48;
	}
	if (at >= n)
		return 0;
	opcode = p[at++];
	if (opcode != 0x0f) {
		shape = shape__one_byte(opcode);
	} else {
		if (at >= n)
			return 0;
		opcode = p[at++];
		shape = opcode == 0x38 ? MODRM :
			opcode == 0x3a ? MODRM | IMM8 :
					 shape__of(two_bytes, sizeof(two_bytes) / sizeof(*two_bytes), opcode);
		at += opcode == 0x38 || opcode == 0x3a;
		opcode = 0;
	}
	if (shape & BAD || at > n)
		return 0;
	if ((opcode == 0xf6 || opcode == 0xf7) && at < n && (p[at] & 0x30) == 0) /* test alone has one */
		shape |= opcode == 0xf6 ? IMM8 : IMM32;
	if (shape & MODRM) {
		len = code__modrm(p + at, n - at);
		if (!len)
			return 0;
		at += len;
	}
	at += shape & IMM8 ? 1 : shape & IMM16 ? 2 : 0;
	if (shape & IMM32)
		at += small && opcode != 0xe8 && opcode != 0xe9 ? 2 : wide && opcode >= 0xb8 && opcode <= 0xbf ? 8 : 4;
	return at <= n && at <= CODE_LENGTH_MAX ? at : 0;
}
