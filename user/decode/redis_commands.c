/* SPDX-License-Identifier: Apache-2.0 */
/* redis_commands.c - the table of commands, and the text of one without its values. */
#include "decode/redis_commands.h"

#include <ctype.h>
#include <stdio.h>

#define KEY_MAX 128 /* bytes of one key that are shown */

#define C(name, args) {name, sizeof(name) - 1, 0, args}
#define F(name, args, flags) {name, sizeof(name) - 1, flags, args}
#define LETTER(c) [(c) - 'A'] = (const struct redis_command[])
#define END {0}

/* What is not listed is shown with ? for every argument. */
static const struct redis_command *const commands[26] = {
	LETTER('A'){C("APPEND", "k?"), F("AUTH", "", CMD_AMBIGUOUS), F("ACL", "", CMD_CONTAINER), C("ASKING", ""), END},
	LETTER('B'){C("BLPOP", ":k$"), C("BRPOP", ":k$"), C("BLMOVE", "kk"), C("BRPOPLPUSH", "kk"), C("BZPOPMIN", ":k$"),
		    C("BZPOPMAX", ":k$"), C("BLMPOP", "?n"), C("BZMPOP", "?n"), C("BITCOUNT", "k"), C("BITFIELD", "k"),
		    C("BITOP", "kk:k"), C("BITPOS", "k"), C("BGSAVE", ""), C("BGREWRITEAOF", ""), END},
	LETTER('C'){F("CONFIG", ":k?", CMD_CONTAINER), F("CLIENT", "", CMD_CONTAINER | CMD_CLIENT),
		    F("CLUSTER", "", CMD_CONTAINER), F("COMMAND", ":k", CMD_CONTAINER), F("COPY", "kk", CMD_AMBIGUOUS), END},
	LETTER('D'){C("DECR", "k"), C("DEL", ":k"), C("DECRBY", "k?"), C("DBSIZE", ""), C("DISCARD", ""), C("DUMP", "k"),
		    F("DEBUG", "", CMD_CONTAINER), END},
	LETTER('E'){C("EXPIRE", "k?"), C("EXISTS", ":k"), C("EXEC", ""), C("EVAL", "?n"), F("EVALSHA", "kn", CMD_PROCEDURE),
		    C("EVAL_RO", "?n"), F("EVALSHA_RO", "kn", CMD_PROCEDURE), C("EXPIREAT", "k?"), C("EXPIRETIME", "k"),
		    C("ECHO", "?"), END},
	LETTER('F'){F("FCALL", "kn", CMD_PROCEDURE), F("FCALL_RO", "kn", CMD_PROCEDURE), C("FLUSHDB", ""), C("FLUSHALL", ""),
		    F("FUNCTION", "", CMD_CONTAINER), C("FAILOVER", ""), END},
	LETTER('G'){F("GET", "k", CMD_AMBIGUOUS), C("GETSET", "k?"), C("GETDEL", "k"), C("GETEX", "k"), C("GETRANGE", "k"),
		    C("GETBIT", "k"), C("GEOADD", "k"), C("GEODIST", "k"), C("GEOHASH", "k"), C("GEOPOS", "k"),
		    C("GEORADIUS", "k"), C("GEOSEARCH", "k"), C("GEOSEARCHSTORE", "kk"), END},
	LETTER('H'){C("HGET", "kk"), C("HSET", "k:k?"), C("HMSET", "k:k?"), C("HMGET", "k:k"), C("HGETALL", "k"), C("HDEL", "k:k"),
		    C("HEXISTS", "kk"), C("HINCRBY", "kk?"), C("HINCRBYFLOAT", "kk?"), C("HKEYS", "k"), C("HLEN", "k"),
		    C("HSETNX", "kk?"), C("HVALS", "k"), C("HSCAN", "k"), C("HSTRLEN", "kk"), C("HRANDFIELD", "k"),
		    C("HEXPIRE", "k"), F("HELLO", "", CMD_AMBIGUOUS), END},
	LETTER('I'){C("INCR", "k"), C("INCRBY", "k?"), C("INCRBYFLOAT", "k?"), C("INFO", ":k"), END},
	LETTER('K'){C("KEYS", "?"), END},
	LETTER('L'){C("LPUSH", "k"), C("LPOP", "k"), C("LRANGE", "k"), C("LLEN", "k"), C("LINDEX", "k"), C("LINSERT", "k"),
		    C("LREM", "k"), C("LSET", "k"), C("LTRIM", "k"), C("LPUSHX", "k"), C("LPOS", "k"), C("LMOVE", "kk"),
		    C("LMPOP", "n"), C("LASTSAVE", ""), F("LATENCY", "", CMD_CONTAINER), END},
	LETTER('M'){C("MGET", ":k"), C("MSET", ":k?"), C("MSETNX", ":k?"), C("MULTI", ""), F("MONITOR", "", CMD_MONITOR),
		    F("MOVE", "k?", CMD_AMBIGUOUS), F("MEMORY", "k", CMD_CONTAINER), F("MODULE", "", CMD_CONTAINER), END},
	LETTER('O'){F("OBJECT", "k", CMD_CONTAINER), END},
	LETTER('P'){C("PING", ""), C("PUBLISH", "k?"), C("PEXPIRE", "k?"), C("PTTL", "k"), C("PSETEX", "k"), C("PEXPIREAT", "k?"),
		    C("PERSIST", "k"), C("PFADD", "k"), C("PFCOUNT", ":k"), C("PFMERGE", "k:k"),
		    F("PSUBSCRIBE", ":k", CMD_SUBSCRIBE), F("PUNSUBSCRIBE", ":k", CMD_UNSUBSCRIBE),
		    F("PUBSUB", "", CMD_CONTAINER), F("PSYNC", "", CMD_REPLICATION), END},
	LETTER('Q'){F("QUIT", "", CMD_AMBIGUOUS), END},
	LETTER('R'){C("RPUSH", "k"), C("RPOP", "k"), C("RPOPLPUSH", "kk"), C("RPUSHX", "k"), C("RENAME", "kk"), C("RENAMENX", "kk"),
		    C("RESTORE", "k"), C("RANDOMKEY", ""), C("ROLE", ""), F("RESET", "", CMD_RESET), C("REPLICAOF", ""),
		    C("REPLCONF", ""), C("READONLY", ""), C("READWRITE", ""), END},
	LETTER('S'){F("SET", "k", CMD_AMBIGUOUS), C("SETEX", "k"), C("SETNX", "k?"), C("SADD", "k"), C("SREM", "k"), C("SMEMBERS", "k"),
		    C("SISMEMBER", "k"), C("SMISMEMBER", "k"), C("SCARD", "k"), C("SPOP", "k"), C("SRANDMEMBER", "k"),
		    C("SUNION", ":k"), C("SINTER", ":k"), C("SDIFF", ":k"), C("SUNIONSTORE", ":k"), C("SINTERSTORE", ":k"),
		    C("SDIFFSTORE", ":k"), C("SINTERCARD", "n"), C("SMOVE", "kk"), C("SSCAN", "k"), C("SCAN", "?"), C("SORT", "k"),
		    C("SORT_RO", "k"), C("STRLEN", "k"), C("SETRANGE", "k"), C("SETBIT", "k"), C("SUBSTR", "k"),
		    F("SELECT", "k", CMD_SELECT), F("SUBSCRIBE", ":k", CMD_SUBSCRIBE), F("SSUBSCRIBE", ":k", CMD_SUBSCRIBE),
		    F("SUNSUBSCRIBE", ":k", CMD_UNSUBSCRIBE), C("SPUBLISH", "k?"), F("SCRIPT", "", CMD_CONTAINER),
		    F("SLOWLOG", "", CMD_CONTAINER), F("SENTINEL", "", CMD_CONTAINER), C("SAVE", ""), C("SHUTDOWN", ""),
		    C("SWAPDB", ""), F("SYNC", "", CMD_REPLICATION), END},
	LETTER('T'){C("TTL", "k"), C("TYPE", "k"), C("TOUCH", ":k"), C("TIME", ""), END},
	LETTER('U'){C("UNLINK", ":k"), C("UNWATCH", ""), F("UNSUBSCRIBE", ":k", CMD_UNSUBSCRIBE), END},
	LETTER('W'){C("WATCH", ":k"), C("WAIT", ""), C("WAITAOF", ""), END},
	LETTER('X'){C("XADD", "k"), C("XLEN", "k"), C("XRANGE", "k"), C("XREVRANGE", "k"), C("XREAD", ""), C("XREADGROUP", ""),
		    C("XACK", "kk"), C("XCLAIM", "kk"), C("XAUTOCLAIM", "kk"), C("XDEL", "k"), C("XTRIM", "k"),
		    C("XPENDING", "kk"), C("XSETID", "k"), F("XGROUP", "kk", CMD_CONTAINER), F("XINFO", "kk", CMD_CONTAINER), END},
	LETTER('Z'){C("ZADD", "k"), C("ZCARD", "k"), C("ZCOUNT", "k"), C("ZINCRBY", "k"), C("ZRANGE", "k"), C("ZRANGEBYSCORE", "k"),
		    C("ZRANGEBYLEX", "k"), C("ZREVRANGE", "k"), C("ZREVRANGEBYSCORE", "k"), C("ZRANK", "k"), C("ZREVRANK", "k"),
		    C("ZREM", "k"), C("ZREMRANGEBYSCORE", "k"), C("ZREMRANGEBYRANK", "k"), C("ZREMRANGEBYLEX", "k"),
		    C("ZSCORE", "k"), C("ZMSCORE", "k"), C("ZSCAN", "k"), C("ZPOPMIN", "k"), C("ZPOPMAX", "k"), C("ZUNIONSTORE", "kn"),
		    C("ZINTERSTORE", "kn"), C("ZDIFFSTORE", "kn"), C("ZUNION", "n"), C("ZINTER", "n"), C("ZDIFF", "n"),
		    C("ZMPOP", "n"), C("ZRANGESTORE", "kk"), C("ZRANDMEMBER", "k"), C("ZLEXCOUNT", "k"), END},
};

const struct redis_command *redis_command__of(struct slice name)
{
	unsigned letter = name.n ? (unsigned)((name.p[0] | 0x20) - 'a') : 26;

	if (letter >= 26 || !commands[letter])
		return NULL;
	for (const struct redis_command *c = commands[letter]; c->name; c++)
		if (c->len == name.n && strncasecmp(c->name, name.p, name.n) == 0)
			return c;
	return NULL;
}

/* ---- text ---- */

static void text__put(struct redis_text *t, const char *p, size_t n)
{
	if (t->text_n + n > sizeof(t->text)) {
		t->full = true;
		return;
	}
	memcpy(t->text + t->text_n, p, n);
	t->text_n += (uint16_t)n;
}

/* A word of its own; room for the final " ..." is kept. */
static void text__word(struct redis_text *t, const char *p, size_t n)
{
	if (t->full)
		return;
	if (t->text_n + n + 1 > sizeof(t->text) - 4) {
		text__put(t, " ...", 4);
		t->full = true;
		return;
	}
	if (t->text_n)
		text__put(t, " ", 1);
	text__put(t, p, n);
}

static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '\'' || s.p[i] == '\\' || s.p[i] == 0x7F)
			return false;
	return s.n > 0;
}

/* As redis-cli writes it: quoted if there is anything unusual in it. */
static void text__key(struct redis_text *t, struct slice key)
{
	char buf[KEY_MAX * 4 + 8];
	size_t n = 0;
	bool cut = key.n > KEY_MAX;

	key = slice__sub(key, 0, KEY_MAX);
	if (is_plain(key)) {
		memcpy(buf, key.p, key.n);
		n = key.n;
	} else {
		buf[n++] = '"';
		for (size_t i = 0; i < key.n; i++) {
			unsigned char c = (unsigned char)key.p[i];
			if (c < ' ' || c == 0x7F)
				n += (size_t)sprintf(buf + n, "\\x%02x", c);
			else if (c == '"' || c == '\\')
				n += (size_t)sprintf(buf + n, "\\%c", c);
			else
				buf[n++] = (char)c;
		}
		buf[n++] = '"';
	}
	if (cut) {
		memcpy(buf + n, "...", 3);
		n += 3;
	}
	text__word(t, buf, n);
}

/* Commands, also those of modules: JSON.GET, FT._LIST. */
static bool is_name(struct slice s)
{
	if (!s.n || s.n >= REDIS_NAME_MAX / 2 || !isalpha((unsigned char)s.p[0]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && !memchr("._-|", s.p[i], 4))
			return false;
	return true;
}

static void name__word(struct redis_text *t, struct slice s)
{
	size_t from = t->name_n;

	if (t->name_n)
		t->name[t->name_n++] = ' ';
	for (size_t i = 0; i < s.n; i++)
		t->name[t->name_n++] = (char)toupper((unsigned char)s.p[i]);
	from += from ? 1 : 0;
	text__word(t, t->name + from, s.n);
}

void redis_text__begin(struct redis_text *t, uint64_t count)
{
	t->command = NULL;
	t->count = count;
	t->seen = t->keys = 0;
	t->at = "";
	t->name_n = t->text_n = t->first_n = 0;
	t->full = false;
}

/* What the next argument is: k, n or ?. */
static char redis_text__kind(struct redis_text *t)
{
	char kind;

	if (t->keys) {
		t->keys--;
		return 'k';
	}
	if (*t->at == ':')
		t->at++;
	kind = *t->at;
	if (kind == '$' || !kind) {
		/* At the end: the group after : begins again. */
		const char *group = t->command ? strchr(t->command->args, ':') : NULL;
		if (!group)
			return '?';
		if (kind == '$' && t->seen + 1 == t->count)
			return '?';
		t->at = group + 1;
		kind = *t->at;
	} else if (strchr(t->at, '$') && t->seen + 1 == t->count) {
		return '?';
	}
	t->at++;
	return kind;
}

static void redis_text__number(struct redis_text *t, struct slice arg)
{
	for (size_t i = 0; i < arg.n && i < 9 && arg.p[i] >= '0' && arg.p[i] <= '9'; i++)
		t->keys = t->keys * 10 + (uint64_t)(arg.p[i] - '0');
	text__key(t, slice__sub(arg, 0, 9));
}

bool redis_text__arg(struct redis_text *t, struct slice arg, bool whole)
{
	char kind;

	if (t->seen == 0) {
		if (!whole || !is_name(arg))
			return false;
		t->command = redis_command__of(arg);
		t->at = t->command ? t->command->args : "";
		name__word(t, arg);
		t->seen++;
		return true;
	}
	if (t->seen == 1 && whole && arg.n && arg.n <= sizeof(t->first)) {
		memcpy(t->first, arg.p, arg.n);
		t->first_n = (uint8_t)arg.n;
		if (t->command && t->command->flags & CMD_CONTAINER && is_name(arg)) {
			name__word(t, arg);
			t->seen++;
			return true;
		}
	}
	kind = redis_text__kind(t);
	if (kind == '?' || !whole)
		text__word(t, "?", 1);
	else if (kind == 'n')
		redis_text__number(t, arg);
	else
		text__key(t, arg);
	t->seen++;
	return true;
}

void redis_text__rest(struct redis_text *t)
{
	text__word(t, "...", 3);
}
