/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact.c - see redact.h. Names and values are percent-decoded before they are judged (RFC 3986,
 * 2.1), so "acc%65ss_token" hides nothing. When in doubt, REDACTED: a missing value costs a look
 * into the application's own log, a leaked one costs a credential.
 */
#include "util/redact.h"

#include <stdint.h>

#define NAME_MAX_LEN 64
#define VALUE_LOOK 512 /* bytes of a value that are looked at */
#define RANDOM_MIN 32  /* shorter texts are ordinary words and numbers too often */

/* By first letter: a look at one row is enough. The whole name, letters and digits only, lower case. */
#define ROW(c) [(c) - 'a']
static const char *const names[26][6] = {
	ROW('a') = {"auth", "assertion", "awsaccesskeyid"},
	ROW('b') = {"bearer"},
	ROW('c') = {"cookie", "cvv", "cvc", "code"},
	ROW('h') = {"hmac"},
	ROW('j') = {"jwt"},
	ROW('k') = {"key"},
	ROW('n') = {"nonce"},
	ROW('o') = {"otp"},
	ROW('p') = {"pwd", "pass", "pin", "pat"},
	ROW('s') = {"sig", "session", "sid", "sess", "ssn"},
	ROW('t') = {"ticket"},
};

/* Anywhere in it. */
static const char *const parts[26][6] = {
	ROW('a') = {"apikey", "accesskey", "authkey", "authorization"},
	ROW('c') = {"credential"},
	ROW('p') = {"password", "passwd", "passphrase", "passcode", "privatekey"},
	ROW('s') = {"secret", "signature", "sessionid", "sessid", "saml"},
	ROW('t') = {"token"},
	ROW('x') = {"xamz", "xgoog"},
};

static int hex__value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The first byte of s, percent-decoded, which is passed over. */
static char percent__next(struct slice *s)
{
	char c = s->p[0];
	size_t used = 1;
	if (c == '%' && s->n >= 3) {
		int hi = hex__value(s->p[1]), lo = hex__value(s->p[2]);
		if (hi >= 0 && lo >= 0) {
			c = (char)(hi << 4 | lo);
			used = 3;
		}
	}
	*s = slice__sub(*s, used, s->n);
	return c;
}

/* "X-Api_Key" -> "xapikey": NUL-terminated, what is too long is left out. */
static size_t name__normalise(struct slice name, char out[NAME_MAX_LEN])
{
	size_t n = 0;
	while (name.n && n + 1 < NAME_MAX_LEN) {
		char c = percent__next(&name);
		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			out[n++] = c;
	}
	out[n] = '\0';
	return n;
}

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

/* One of parts[] at the beginning of text. */
static bool name__part(const char *text)
{
	const char *const *word = parts[text[0] - 'a'];
	for (; *word; word++)
		if (text[1] == (*word)[1] && strncmp(text, *word, strlen(*word)) == 0)
			return true;
	return false;
}

bool redact__secret_name(struct slice name)
{
	char plain[NAME_MAX_LEN];
	size_t n = name__normalise(name, plain);
	if (is_letter(plain[0]))
		for (const char *const *word = names[plain[0] - 'a']; *word; word++)
			if (strcmp(plain, *word) == 0)
				return true;
	for (size_t at = 0; at < n; at++)
		if (is_letter(plain[at]) && name__part(plain + at))
			return true;
	return false;
}

/* What kinds of characters a value is made of. */
struct look {
	size_t n, lower, upper, digits, hex, dots, dashes, other, distinct;
};

static struct look value__look(struct slice v)
{
	struct look k = {0};
	uint8_t seen[256] = {0};
	while (v.n && k.n < VALUE_LOOK) {
		unsigned char c = (unsigned char)percent__next(&v);
		k.n++;
		k.distinct += !seen[c];
		seen[c] = 1;
		k.lower += c >= 'a' && c <= 'z';
		k.upper += c >= 'A' && c <= 'Z';
		k.digits += c >= '0' && c <= '9';
		k.hex += hex__value((char)c) >= 0;
		k.dots += c == '.';
		k.dashes += c == '-';
		k.other += c <= ' ' || c > '~' || strchr("\"'<>(){}[]|\\^`,:;?@!*&%$#", c) != NULL;
	}
	return k;
}

/* 8-4-4-4-12: names a thing, opens no door. */
static bool value__is_uuid(struct slice v, const struct look *k)
{
	return v.n == 36 && k->dashes == 4 && k->hex == 32 && v.p[8] == '-' && v.p[13] == '-' && v.p[18] == '-';
}

bool redact__secret_value(struct slice value)
{
	if (value.n < 20)
		return false;
	struct look k = value__look(value);
	/* RFC 7519: two or three parts in base64url, the first begins with {" */
	if (k.dots >= 1 && k.dots <= 4 && k.other == 0 && slice__starts(value, SLICE("eyJ")))
		return true;
	if (k.n < RANDOM_MIN || k.other || k.dots > 2 || value__is_uuid(value, &k))
		return false;
	/* Hexadecimal digest or key; base64 or the like. */
	if (k.hex == k.n && k.distinct >= 8 && k.digits && k.lower + k.upper)
		return true;
	return k.digits && k.lower >= 4 && k.upper >= 4 && k.distinct >= 16;
}

static size_t text__append(char *out, size_t size, size_t at, struct slice s)
{
	size_t n = s.n < size - at ? s.n : size - at;
	if (n)
		memcpy(out + at, s.p, n);
	return at + n;
}

/* name=value & name=value; ';' separates as well in some applications. */
size_t redact__query(struct slice query, char *out, size_t size)
{
	size_t at = 0;
	while (query.n) {
		size_t end = 0;
		while (end < query.n && query.p[end] != '&' && query.p[end] != ';')
			end++;
		struct slice pair = slice__sub(query, 0, end);
		size_t eq = slice__find(pair, '=');
		struct slice name = slice__sub(pair, 0, eq), value = slice__sub(pair, eq + 1, pair.n);
		bool secret = (value.n && redact__secret_name(name)) || redact__secret_value(value.n ? value : name);
		if (!secret) {
			at = text__append(out, size, at, pair);
		} else {
			if (value.n)
				at = text__append(out, size, at, slice__sub(pair, 0, eq + 1));
			at = text__append(out, size, at, SLICE("REDACTED"));
		}
		at = text__append(out, size, at, slice__sub(query, end, 1));
		query = slice__sub(query, end + 1, query.n);
	}
	return at;
}
