// SPDX-License-Identifier: Apache-2.0
#include "conn/peer.h"

#include <arpa/inet.h>
#include <string.h>

static bool endpoint__is_loopback(const struct endpoint *e)
{
	static const uint8_t v6[16] = {[15] = 1}, mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};

	return !memcmp(e->addr, v6, 16) || !memcmp(e->addr, mapped, 13);
}

static uint64_t tuple__hash(const struct connection *c, const struct endpoint *from, const struct endpoint *to)
{
	uint64_t h = endpoint__is_loopback(from) ? c->netns : 0;

	h = hash__bytes(h, from->addr, 16) + from->port;
	return hash__bytes(h, to->addr, 16) + to->port;
}

void endpoint__print(const struct endpoint *e, char text[46])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!memcmp(e->addr, mapped, 12))
		inet_ntop(AF_INET, e->addr + 12, text, 46);
	else
		inet_ntop(AF_INET6, e->addr, text, 46);
}

static bool endpoint__eq(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && !memcmp(a->addr, b->addr, 16);
}

void peers__free(struct peers *p)
{
	table__free(&p->by_tuple);
	table__free(&p->by_pair);
}

static uint64_t pair__of(const struct connection *c, uint32_t snd, uint32_t rcv)
{
	if ((c->origin == WS_ORIGIN_NEW && !c->established_ns) || (!snd && !rcv) || c->role == WS_ROLE_UNKNOWN)
		return 0;
	return c->role == WS_ROLE_CONNECTED ? (uint64_t)snd << 32 | rcv : (uint64_t)rcv << 32 | snd;
}

/* One end's record may have come late, after the other end's first bytes: one number is enough then. */
static bool pair__contradicts(uint64_t a, uint64_t b)
{
	return a && b && a >> 32 != b >> 32 && (uint32_t)a != (uint32_t)b;
}

/* They were told apart by their addresses: what one of them began with says nothing. */
static void peers__forget_pair(struct peers *p, struct connection *c)
{
	if (c->pair && table__get(&p->by_pair, hash__mix(c->pair)) == c)
		table__remove(&p->by_pair, hash__mix(c->pair));
	c->pair = 0;
}

static struct connection *peers__by_pair(struct peers *p, struct connection *c)
{
	struct connection *other;

	if (!c->pair)
		return NULL;
	other = table__get(&p->by_pair, hash__mix(c->pair));
	if (other && other != c && other->role != c->role) {
		table__remove(&p->by_pair, hash__mix(c->pair));
		return other;
	}
	table__set(&p->by_pair, hash__mix(c->pair), c);
	return NULL;
}

static struct connection *peers__by_tuple(struct peers *p, struct connection *c)
{
	struct connection *other = table__get(&p->by_tuple, tuple__hash(c, &c->remote, &c->local));

	table__set(&p->by_tuple, tuple__hash(c, &c->local, &c->remote), c);
	if (!other || other == c || !endpoint__eq(&other->local, &c->remote) || !endpoint__eq(&other->remote, &c->local))
		return NULL;
	/* Both were seen to begin, and not with the same numbers: a twin of another namespace. */
	return pair__contradicts(c->pair, other->pair) ? NULL : other;
}

void peers__add(struct peers *p, struct connection *c, uint32_t snd, uint32_t rcv)
{
	struct connection *other, *same;

	c->pair = pair__of(c, snd, rcv);
	other = peers__by_pair(p, c);
	same = peers__by_tuple(p, c);
	if (!other && same) {
		other = same;
		peers__forget_pair(p, c);
		peers__forget_pair(p, other);
	}
	if (!other)
		return;
	if (other->peer)
		other->peer->peer = NULL; /* an older connection of the same ports */
	other->peer = c;
	c->peer = other;
	c->had_peer = other->had_peer = true;
}

void peers__remove(struct peers *p, struct connection *c)
{
	uint64_t h = tuple__hash(c, &c->local, &c->remote);

	if (table__get(&p->by_tuple, h) == c)
		table__remove(&p->by_tuple, h);
	if (c->pair && table__get(&p->by_pair, hash__mix(c->pair)) == c)
		table__remove(&p->by_pair, hash__mix(c->pair));
	if (c->peer)
		c->peer->peer = NULL;
	c->peer = NULL;
}
