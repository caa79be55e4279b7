/* SPDX-License-Identifier: Apache-2.0 */
/* test_redis.c - dialogues in RESP2, RESP3 and inline; what is shown of commands. */
#include "parser_harness.h"

#include "decode/redis_commands.h"

#define P &protocol_redis
#define R " db.system.name=\"redis\" db.namespace=\"0\" db.operation.name="
#define CMD(name, text) "request " name R "\"" name "\" db.query.text=\"" text "\""

static void get_and_set(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("*2\r\n$4\r\nDECR\r\n$11\r\nstock:apple\r\n"), TURN_SERVER(":41\r\n"),
				TURN_CLIENT("*3\r\n$3\r\nset\r\n$1\r\nk\r\n$6\r\nsecret\r\n"), TURN_SERVER("+OK\r\n"),
				TURN_CLIENT("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), TURN_SERVER("$6\r\nsec\r\n+\r\n"),
				TURN_CLIENT("*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"), TURN_SERVER("$-1\r\n")),
		       CMD("DECR", "DECR stock:apple") " n=32\nresponse n=5\n" CMD("SET", "SET k ?") " n=32\nresponse n=5\n"
		       CMD("GET", "GET k") " n=20\nresponse n=12\n" CMD("GET", "GET x") " n=20\nresponse n=5\n");
}

static void errors(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n"),
				TURN_SERVER("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
				TURN_CLIENT("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), TURN_SERVER("-MOVED 3999 127.0.0.1:6381\r\n"),
				TURN_CLIENT("*2\r\n$3\r\nFOO\r\n$6\r\nsecret\r\n"),
				TURN_SERVER("-ERR unknown command 'FOO', with args beginning with: 'secret' \r\n"),
				TURN_CLIENT("*1\r\n$4\r\nPING\r\n"), TURN_SERVER("!21\r\nSYNTAX invalid syntax\r\n"),
				TURN_CLIENT("*1\r\n$4\r\nPING\r\n"), TURN_SERVER("-custom failure\r\n")),
		       CMD("INCR", "INCR k") " n=21\nresponse db.response.status_code=\"WRONGTYPE\" n=68"
		       " error=WRONGTYPE \"WRONGTYPE Operation against a key holding the wrong kind of value\"\n"
		       CMD("GET", "GET k") " n=20\nresponse db.response.status_code=\"MOVED\" n=28"
		       " error=MOVED \"MOVED 3999 127.0.0.1:6381\"\n"
		       CMD("FOO", "FOO ?") " n=25\nresponse db.response.status_code=\"ERR\" n=65"
		       " error=ERR \"ERR unknown command 'FOO'\"\n"
		       CMD("PING", "PING") " n=14\nresponse db.response.status_code=\"SYNTAX\" n=28"
		       " error=SYNTAX \"SYNTAX invalid syntax\"\n"
		       CMD("PING", "PING") " n=14\nresponse db.response.status_code=\"ERR\" n=17"
		       " error=ERR \"custom failure\"\n");
}

static void pipelines(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$4\r\nINCR\r\n$1\r\nb\r\n"
					    "*1\r\n$4\r\nEXEC\r\n"),
				TURN_SERVER("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n-ERR no\r\n"),
				TURN_CLIENT("*5\r\n$4\r\nMSET\r\n$2\r\nk1\r\n$1\r\nv\r\n$2\r\nk2\r\n$0\r\n\r\n")),
		       CMD("MULTI", "MULTI") " n=15\n" CMD("SET", "SET a ?") " n=27\n" CMD("INCR", "INCR b") " n=21\n"
		       CMD("EXEC", "EXEC") " n=14\nresponse n=5\nresponse n=9\nresponse n=9\nresponse n=18\n"
		       CMD("MSET", "MSET k1 ? k2 ?") " n=43\n");
}

static void inline_commands(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("PING\r\n"), TURN_SERVER("+PONG\r\n"),
				TURN_CLIENT("\r\nset  \"a b\" 'se cret' \nGET k\r\n"), TURN_SERVER("+OK\r\n$1\r\nx\r\n")),
		       CMD("PING", "PING") " n=6\nresponse n=7\n" CMD("SET", "SET \"a b\" ?") " n=22\n" CMD("GET", "GET k") " n=7\n"
		       "response n=5\nresponse n=7\n");
}

static void resp3(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("*4\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"),
				TURN_SERVER("%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n+modules\r\n*0\r\n"),
				TURN_CLIENT("*1\r\n$4\r\nPING\r\n"),
				TURN_SERVER("|1\r\n+key-popularity\r\n%1\r\n$1\r\na\r\n,0.19\r\n~5\r\n#t\r\n_\r\n(349999999999999\r\n"
					    "=7\r\ntxt:abc\r\n%1\r\n:1\r\n*1\r\n~0\r\n"),
				TURN_CLIENT("*1\r\n$4\r\nPING\r\n"),
				TURN_SERVER("*?\r\n$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n*?\r\n:1\r\n.\r\n%?\r\n+a\r\n*-1\r\n.\r\n.\r\n"),
				TURN_CLIENT("*1\r\n$4\r\nPING\r\n"),
				TURN_SERVER(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n+PONG\r\n")),
		       CMD("HELLO", "HELLO ? ? ?") " n=44\nresponse n=41\n" CMD("PING", "PING") " n=14\nresponse n=97\n"
		       CMD("PING", "PING") " n=14\nresponse n=59\n" CMD("PING", "PING") " n=14\npush n=32\nresponse n=7\n");
}

static void subscriptions(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n"),
				TURN_SERVER("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"),
				TURN_SERVER("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$6\r\nsecret\r\n"), TURN_CLIENT("*1\r\n$4\r\nPING\r\n"),
				TURN_SERVER("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
				TURN_CLIENT("*1\r\n$11\r\nUNSUBSCRIBE\r\n"),
				TURN_SERVER("*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n"),
				TURN_CLIENT("*4\r\n$6\r\nLRANGE\r\n$1\r\nl\r\n$1\r\n0\r\n$1\r\n9\r\n"),
				TURN_SERVER("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"),
				TURN_CLIENT("*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n"),
				TURN_SERVER("-NOPERM no\r\n+PONG\r\n")),
		       CMD("SUBSCRIBE", "SUBSCRIBE a b") " n=33 no-response\npush n=30\npush n=30\npush n=36\n" CMD("PING", "PING")
		       " n=14\npush n=31\nresponse n=20\n" CMD("UNSUBSCRIBE", "UNSUBSCRIBE") " n=22 no-response\npush n=33\n"
		       "push n=33\n" CMD("LRANGE", "LRANGE l ? ?") " n=37\nresponse n=31\n"
		       CMD("SUBSCRIBE", "SUBSCRIBE a") " n=26 no-response\n" CMD("PING", "PING") " n=14\n"
		       "push db.response.status_code=\"NOPERM\" n=12 error=NOPERM \"NOPERM no\"\nresponse n=7\n");
}

static void monitor(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("*1\r\n$7\r\nMONITOR\r\n"), TURN_SERVER("+OK\r\n"),
				TURN_SERVER("+1339518083.107412 [0 127.0.0.1:60866] \"set\" \"k\" \"secret\"\r\n")),
		       CMD("MONITOR", "MONITOR") " n=17\nresponse n=5\npush n=59\n");
}

static void replies_off(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n"),
				TURN_SERVER("+PONG\r\n"),
				TURN_CLIENT("CLIENT REPLY OFF\r\nPING\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n"),
				TURN_SERVER("+OK\r\n+PONG\r\n")),
		       CMD("CLIENT REPLY", "CLIENT REPLY ?") " n=37 no-response\n" CMD("PING", "PING") " n=14 no-response\n"
		       CMD("PING", "PING") " n=14\nresponse n=7\n"
		       CMD("CLIENT REPLY", "CLIENT REPLY ?") " n=18 no-response\n" CMD("PING", "PING") " n=6 no-response\n"
		       CMD("PING", "PING") " n=6 no-response\n" CMD("CLIENT REPLY", "CLIENT REPLY ?") " n=17\n"
		       CMD("PING", "PING") " n=6\nresponse n=5\nresponse n=7\n");
}

static void databases(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("SELECT 5\r\nPING\r\n"), TURN_SERVER("+OK\r\n+PONG\r\n"), TURN_CLIENT("SELECT 99\r\n"),
				TURN_SERVER("-ERR DB index is out of range\r\n"), TURN_CLIENT("PING\r\n"), TURN_SERVER("+PONG\r\n")),
		       CMD("SELECT", "SELECT 5") " n=10\n"
		       "request PING db.system.name=\"redis\" db.namespace=\"5\" db.operation.name=\"PING\" db.query.text=\"PING\" n=6\n"
		       "response n=5\nresponse n=7\n"
		       "request SELECT db.system.name=\"redis\" db.namespace=\"5\" db.operation.name=\"SELECT\" db.query.text=\"SELECT 99\""
		       " n=11\nresponse db.response.status_code=\"ERR\" n=31 error=ERR \"ERR DB index is out of range\"\n"
		       "request PING db.system.name=\"redis\" db.namespace=\"5\" db.operation.name=\"PING\" db.query.text=\"PING\" n=6\n"
		       "response n=7\n");
}

static void replication(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"), TURN_SERVER("+FULLRESYNC x 1\r\n$3\r\nRDB")),
		       CMD("PSYNC", "PSYNC ? ?") " n=30 no-response\n");
}

static void empty_arrays(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n"), TURN_SERVER("*-1\r\n")),
		       CMD("PING", "PING") " n=14\nresponse n=5\n");
}

/* ---- what is shown ---- */

static void texts(void **state)
{
	static const struct { const char *in, *text; } rows[] = {
		{"hset h f v f2 v2", "HSET h f ? f2 ?"}, {"mget a b", "MGET a b"}, {"auth user pass", "AUTH ? ?"},
		{"eval script 2 a b c", "EVAL ? 2 a b ?"}, {"evalsha abc 1 k v", "EVALSHA abc 1 k ?"}, {"blpop a b 0", "BLPOP a b ?"},
		{"config set requirepass secret", "CONFIG SET requirepass ?"}, {"config get maxmemory", "CONFIG GET maxmemory"},
		{"client setname x", "CLIENT SETNAME ?"}, {"xadd s * f v", "XADD s ? ? ?"}, {"json.get doc path", "JSON.GET ? ?"},
		{"zunionstore d 2 a b weights 1 2", "ZUNIONSTORE d 2 a b ? ? ?"}, {"bitop and d a b", "BITOP and d a b"},
		{"object encoding k", "OBJECT ENCODING k"}, {"blmpop 0 2 a b left", "BLMPOP ? 2 a b ?"},
		{"xgroup create s g 0", "XGROUP CREATE s g ?"}, {"acl setuser bob >pass", "ACL SETUSER ? ?"},
		{"publish c m", "PUBLISH c ?"}, {"eval s 999999999 a", "EVAL ? 999999999 a"}, {"expire k 10 nx", "EXPIRE k ? ?"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_text t;
		char words[128], got[128], *word, *at = words;
		uint64_t count = 1;
		snprintf(words, sizeof(words), "%s", rows[i].in);
		for (const char *p = words; *p; p++)
			count += *p == ' ';
		redis_text__begin(&t, count);
		while ((word = strsep(&at, " ")))
			assert_true(redis_text__arg(&t, slice__of(word), true));
		snprintf(got, sizeof(got), "%.*s", t.text_n, t.text);
		assert_string_equal(got, rows[i].text);
	}
}

static void odd_keys(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("*2\r\n$3\r\nGET\r\n$8\r\n\x01\"\\ \r\n\x7f""a\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n")),
		       CMD("GET", "GET \"\\x01\\\"\\\\ \\x0d\\x0a\\x7fa\"") " n=27\n" CMD("GET", "GET \"\"") " n=19\n");
}

/* Commands longer than what is looked at: the same text however they are cut. */
static void long_commands(void **state)
{
	static char in[60000];
	struct turn t[2] = {{SIDE_CLIENT, {in, 0}, 0}, TURN_SERVER(":1\r\n")};
	size_t n = (size_t)sprintf(in, "*502\r\n$5\r\nRPUSH\r\n$4\r\nlist\r\n");

	for (int i = 0; i < 500; i++)
		n += (size_t)sprintf(in + n, "$100\r\n%0100d\r\n", i);
	t[0].bytes.n = n;
	char *whole = harness__play(P, WS_ROLE_ACCEPTED, t, 2, 0, 0);
	assert_non_null(strstr(whole, "db.query.text=\"RPUSH list ? ?"));
	assert_non_null(strstr(whole, " ...\""));
	assert_non_null(strstr(whole, " n=54027\nresponse n=4\n"));
	for (size_t at = 1; at < 9000; at += 7) {
		char *got = harness__play(P, WS_ROLE_ACCEPTED, t, 2, 0, at);
		assert_string_equal(got, whole);
		free(got);
	}
	free(whole);
}

/* Names are shown up to what a text may hold, and not cut. */
static void many_keys(void **state)
{
	static char in[8192];
	struct turn t[2] = {{SIDE_CLIENT, {in, 0}, 0}, TURN_SERVER("+OK\r\n")};
	size_t n = (size_t)sprintf(in, "*101\r\n$4\r\nMSET\r\n");
	char *got;

	for (int i = 0; i < 50; i++)
		n += (size_t)sprintf(in + n, "$50\r\n%050d\r\n$1\r\nv\r\n", i);
	t[0].bytes.n = n;
	got = harness__play(P, WS_ROLE_ACCEPTED, t, 2, 0, 0);
	assert_non_null(strstr(got, "MSET 00000000000000000000000000000000000000000000000000 ? "));
	assert_non_null(strstr(got, "0000017 ? 00000000000000000000000000000000000000000000000018 ? ...\" n="));
	free(got);
}

/* Lines of which only the beginning is looked at: their end is found all the same, wherever they are cut. */
static void long_lines(void **state)
{
	static char status[700], error[700];
	struct turn t[] = {TURN_CLIENT("PING\r\n"), {SIDE_SERVER, {status, 0}, 0}, TURN_CLIENT("PING\r\n"),
			   {SIDE_SERVER, {error, 0}, 0}, TURN_CLIENT("PING\r\n"), TURN_SERVER("+PONG\r\n")};

	t[1].bytes.n = (size_t)sprintf(status, "+%0600d\r\n", 0);
	t[3].bytes.n = (size_t)sprintf(error, "-ERR %0600d\r\n", 0);
	for (size_t at = 0; at < 1300; at++) {
		char *got = harness__play(P, WS_ROLE_ACCEPTED, t, 6, 0, at);
		assert_non_null(strstr(got, CMD("PING", "PING") " n=6\nresponse n=603\n" CMD("PING", "PING") " n=6\n"
				       "response db.response.status_code=\"ERR\" n=607 error=ERR \"ERR 0000"));
		assert_non_null(strstr(got, "0\"\n" CMD("PING", "PING") " n=6\nresponse n=7\n"));
		free(got);
	}
}

static void procedures(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("*4\r\n$5\r\nFCALL\r\n$4\r\nfunc\r\n$1\r\n1\r\n$1\r\nk\r\n"), TURN_SERVER(":1\r\n")),
		       "request FCALL" R "\"FCALL\" db.query.text=\"FCALL func 1 k\" db.stored_procedure.name=\"func\" n=39\nresponse n=4\n");
}

/* ---- bytes that were not captured ---- */

static void value_not_captured(void **state)
{
	struct turn t[] = {{SIDE_CLIENT, SLICE("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\nabc"), 99999}, TURN_SERVER("+OK\r\n"),
			   TURN_CLIENT("PING\r\n"), {SIDE_SERVER, SLICE("$100000\r\n"), 100002}, TURN_CLIENT("PING\r\n"),
			   TURN_SERVER("+PONG\r\n")};
	harness__cut(P, t, 6, CMD("SET", "SET k ?") " n=100031\nresponse n=5\n" CMD("PING", "PING") " n=6\nresponse n=100011\n"
		     CMD("PING", "PING") " n=6\nresponse n=7\n");
}

static void head_not_captured(void **state)
{
	struct turn t[] = {{SIDE_CLIENT, SLICE("*4\r\n$4\r\nMGET\r\n$1\r\na\r\n$1"), 20}, {SIDE_SERVER, SLICE("*3\r\n$1\r\nx\r\n"), 500},
			   {SIDE_CLIENT, SLICE(""), 30}, TURN_SERVER("$1\r\nx\r\n"), TURN_CLIENT("PING\r\n"), TURN_SERVER("+PONG\r\n")};
	harness__cut(P, t, 6, "request MGET" R "\"MGET\" db.query.text=\"MGET a ...\" n=43 cut open\n"
		     "response n=511 cut open\n"
		     "response n=7\n"
		     "request redis db.system.name=\"redis\" n=30 cut open\n"
		     "request PING db.system.name=\"redis\" db.operation.name=\"PING\" db.query.text=\"PING\" n=6\nresponse n=7\n");
}

/* ---- bounds ---- */

static void deep(void **state)
{
	char in[4 * 70 + 8] = "";
	size_t n = 0;

	for (int i = 0; i < 64; i++)
		n += (size_t)sprintf(in + n, "*1\r\n");
	assert_int_equal(harness__status(P, SIDE_SERVER, (struct slice){in, n}), DECODE_OK);
	n += (size_t)sprintf(in + n, "*1\r\n");
	assert_int_equal(harness__status(P, SIDE_SERVER, (struct slice){in, n}), DECODE_BAD);
}

static void bad(void **state)
{
	static const struct { enum decode_side side; struct slice bytes; } rows[] = {
		{SIDE_CLIENT, SLICE("GET / HTTP/1.1\r\n")}, {SIDE_CLIENT, SLICE("POST / HTTP/1.1\r\n")}, {SIDE_CLIENT, SLICE("secret\r\n")},
		{SIDE_CLIENT, SLICE("*1\r\n:1\r\n")}, {SIDE_CLIENT, SLICE("*x\r\n")}, {SIDE_CLIENT, SLICE("*1\r\n$-1\r\n")},
		{SIDE_CLIENT, SLICE("*1\r\n$4\r\nPINGxx")}, {SIDE_CLIENT, SLICE("*1\r\n$4\r\n\1\2\3\4\r\n")},
		{SIDE_CLIENT, SLICE("*1\r\n$4\r\nPI\0G\r\n")},
		{SIDE_CLIENT, SLICE("*99999999999\r\n")}, {SIDE_SERVER, SLICE("HTTP/1.1 200 OK\r\n")}, {SIDE_SERVER, SLICE("$x\r\n")},
		{SIDE_SERVER, SLICE("*1\r\nx")}, {SIDE_SERVER, SLICE(".\r\n")}, {SIDE_SERVER, SLICE(";1\r\n")}, {SIDE_SERVER, SLICE("$-2\r\n")},
		{SIDE_SERVER, SLICE("*99999999999999\r\n")}, {SIDE_SERVER, SLICE("Z\0\0\0\5I")}, {SIDE_CLIENT, SLICE("\0\0\0\x08\x04\xd2\x16\x2f\n")},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum decode_status st = harness__status(P, rows[i].side, rows[i].bytes);
		if (st != DECODE_BAD)
			print_error("row %zu\n", i);
		assert_int_equal(st, DECODE_BAD);
	}
}

static void recognition(void **state)
{
	static const struct beginning rows[] = {
		{SIDE_CLIENT, 2, SLICE("*2\r\n$3\r\nGET\r\n$1")}, {SIDE_CLIENT, 1, SLICE("*2\r\n$3\r\nGE")}, {SIDE_CLIENT, 1, SLICE("*")},
		{SIDE_CLIENT, 0, SLICE("* OK")}, {SIDE_CLIENT, 0, SLICE("*0\r\n")}, {SIDE_CLIENT, 0, SLICE("*2\r\n:3\r\n")},
		{SIDE_CLIENT, 2, SLICE("PING\r\n")}, {SIDE_CLIENT, 1, SLICE("PIN")}, {SIDE_CLIENT, 1, SLICE("GET k\r\n")},
		{SIDE_CLIENT, 0, SLICE("GET /x HTTP/1.1\r\n")}, {SIDE_CLIENT, 0, SLICE("POST /x")}, {SIDE_CLIENT, 1, SLICE("incr k 1\r\n")},
		{SIDE_CLIENT, 0, SLICE("EHLO me\r\n")}, {SIDE_CLIENT, 0, SLICE("\0\0\0\x08")}, {SIDE_CLIENT, 0, SLICE("Q\0\0\0\5\0")},
		{SIDE_CLIENT, 0, SLICE("\x16\x03\x01")}, {SIDE_CLIENT, 0, SLICE("PRI * HTTP/2.0\r\n")},
		{SIDE_SERVER, 2, SLICE("+OK\r\n")}, {SIDE_SERVER, 1, SLICE("+OK Dovecot ready.\r\n")}, {SIDE_SERVER, 2, SLICE(":12\r\n")},
		{SIDE_SERVER, 0, SLICE(":irc.example 001\r\n")}, {SIDE_SERVER, 2, SLICE("$2\r\nhi\r\n")}, {SIDE_SERVER, 1, SLICE("$200\r\nhi")},
		{SIDE_SERVER, 2, SLICE("-ERR no\r\n")}, {SIDE_SERVER, 1, SLICE("-no\r\n")}, {SIDE_SERVER, 0, SLICE("* OK IMAP4rev1\r\n")},
		{SIDE_SERVER, 0, SLICE("HTTP/1.1 200 OK\r\n")}, {SIDE_SERVER, 0, SLICE("N")}, {SIDE_SERVER, 0, SLICE("R\0\0\0\x08\0\0\0\0")},
		{SIDE_SERVER, 0, SLICE("220 smtp\r\n")}, {SIDE_SERVER, 0, SLICE("(hello\r\n")}, {SIDE_SERVER, 2, SLICE("_\r\n")},
		{SIDE_SERVER, 2, SLICE("*2\r\n$1\r\na\r\n:1\r\n")}, {SIDE_SERVER, 2, SLICE("%1\r\n+a\r\n#t\r\n")},
		{SIDE_SERVER, 0, SLICE("*2\r\nhello\r\n")},
		{SIDE_CLIENT, 0, SLICE("*2\r\nx")}, {SIDE_CLIENT, 1, SLICE("*2\r\n")}, {SIDE_CLIENT, 1, SLICE("*2\r\n$3")},
		{SIDE_CLIENT, 0, SLICE("*2\r\n$0\r\n")}, {SIDE_CLIENT, 0, SLICE("*1\r\n$3\r\nG\nT\r\n")},
		{SIDE_CLIENT, 0, SLICE("*1\r\n$3\r\nG\0T\r\n")}, {SIDE_CLIENT, 1, SLICE("*1\r\n$3\r\nGET\r")},
		{SIDE_CLIENT, 0, SLICE("*1\r\n$3\r\nGETxx")}, {SIDE_CLIENT, 1, SLICE("")}, {SIDE_CLIENT, 0, SLICE("ping://\r\n")},
		{SIDE_CLIENT, 0, SLICE("NOSUCH 1\r\n")}, {SIDE_SERVER, 0, SLICE("#x")}, {SIDE_SERVER, 2, SLICE("#t\r\n")},
		{SIDE_SERVER, 2, SLICE(",1.5\r\n")}, {SIDE_SERVER, 2, SLICE("(-12\r\n")}, {SIDE_SERVER, 0, SLICE(",x")},
		{SIDE_SERVER, 1, SLICE("*2\r\n*2\r\n+a\r\n")},
		{SIDE_SERVER, 2, SLICE("*2\r\n*3\r\n+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")},
		{SIDE_SERVER, 1, SLICE("_\r")}, {SIDE_SERVER, 0, SLICE("_x")}, {SIDE_SERVER, 0, SLICE("+OK\n")},
		{SIDE_SERVER, 0, SLICE("-\n")},
	};
	harness__recognise(P, rows, sizeof(rows) / sizeof(*rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_and_set), cmocka_unit_test(errors), cmocka_unit_test(pipelines),
		cmocka_unit_test(inline_commands), cmocka_unit_test(resp3), cmocka_unit_test(subscriptions),
		cmocka_unit_test(monitor), cmocka_unit_test(replies_off), cmocka_unit_test(databases),
		cmocka_unit_test(replication), cmocka_unit_test(empty_arrays), cmocka_unit_test(texts),
		cmocka_unit_test(odd_keys), cmocka_unit_test(long_commands), cmocka_unit_test(long_lines),
		cmocka_unit_test(procedures), cmocka_unit_test(many_keys), cmocka_unit_test(value_not_captured),
		cmocka_unit_test(head_not_captured), cmocka_unit_test(deep), cmocka_unit_test(bad), cmocka_unit_test(recognition),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
