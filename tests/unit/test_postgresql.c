/* SPDX-License-Identifier: Apache-2.0 */
/* test_postgresql.c - dialogues of the frontend/backend protocol, as libpq and lib/pq speak them. */
#include "decode/postgresql_statements.h"
#include "parser_harness.h"

/* A dialogue is written message by message; lengths are filled in. */
struct dialogue {
	struct turn turns[16];
	size_t n, used;
	char buf[65536];
};

static void dialogue__bytes(struct dialogue *d, const void *p, size_t n)
{
	memcpy(d->buf + d->used, p, n);
	d->used += n;
	d->turns[d->n - 1].bytes.n += n;
}

static void dialogue__turn(struct dialogue *d, enum decode_side side)
{
	d->turns[d->n++] = (struct turn){side, {d->buf + d->used, 0}, 0};
}

static void dialogue__message(struct dialogue *d, char type, const void *body, size_t n)
{
	unsigned char head[5] = {(unsigned char)type, 0, (unsigned char)((n + 4) >> 16), (unsigned char)((n + 4) >> 8),
				 (unsigned char)(n + 4)};

	/* Start-up messages have no type. */
	dialogue__bytes(d, type ? head : head + 1, type ? 5 : 4);
	dialogue__bytes(d, body, n);
}

#define CLIENT dialogue__turn(&d, SIDE_CLIENT)
#define SERVER dialogue__turn(&d, SIDE_SERVER)
#define PUT(type, body) dialogue__message(&d, type, body, sizeof(body) - 1)
#define RAW(bytes) dialogue__bytes(&d, bytes, sizeof(bytes) - 1)
#define READY PUT('Z', "I")
#define CHECK(expected) harness__check(&protocol_postgresql, d.turns, d.n, expected)
#define CUT(expected) harness__cut(&protocol_postgresql, d.turns, d.n, expected)
#define PG " db.system.name=\"postgresql\""

static const char error_unique[] = "SERROR\0VERROR\0C23505\0Mduplicate key value violates unique constraint "
				   "\"payments_order_id_key\"\0DKey (order_id)=(secret) already exists.\0spublic\0"
				   "tpayments\0npayments_order_id_key\0Fnbtinsert.c\0L664\0R_bt_check_unique\0";

#define STARTUP "\0\3\0\0user\0me\0database\0shop\0application_name\0x\0\0"

static void start_up(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT(0, "\x04\xd2\x16\x30"); /* GSSENCRequest */
	SERVER, RAW("N");
	CLIENT, PUT(0, "\x04\xd2\x16\x2f"); /* SSLRequest */
	SERVER, RAW("N");
	CLIENT, PUT(0, STARTUP);
	SERVER, PUT('R', "\0\0\0\x0aSCRAM-SHA-256\0");
	CLIENT, PUT('p', "SCRAM-SHA-256\0\0\0\0\5n,,n=");
	SERVER, PUT('R', "\0\0\0\x0br=xyz");
	CLIENT, PUT('p', "c=biws,p=secret");
	SERVER, PUT('R', "\0\0\0\0"), PUT('S', "server_version\00015.1\0"), PUT('K', "\0\0\1\2\3\4\5\6"), READY;
	CLIENT, PUT('Q', "SELECT 1\0");
	SERVER, PUT('T', "\0\1?column?\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"), PUT('D', "\0\1\0\0\0\1" "1"),
		PUT('C', "SELECT 1\0"), READY;
	CLIENT, PUT('X', "");
	CHECK("request n=8 silent unsent-ok\nresponse n=1\nrequest n=8 silent unsent-ok\nresponse n=1\n"
	      "request n=50 silent unsent-ok\nresponse n=90\n"
	      "request SELECT" PG " db.namespace=\"shop\" db.query.text=\"SELECT ?\" db.query.summary=\"SELECT\""
	      " db.operation.name=\"SELECT\" n=14\nresponse db.response.returned_rows=1 n=66\n"
	      "request n=5 silent no-response\n");
}

static void encrypted(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT(0, "\x04\xd2\x16\x2f");
	SERVER, RAW("S");
	CLIENT, RAW("\x16\x03\x01\x02\x00\x01");
	CHECK("request n=8 silent unsent-ok\nresponse n=1\n");
}

static void refused(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT(0, "\0\3\0\2user\0me\0\0");
	SERVER, PUT('E', "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"me\"\0\0");
	CHECK("request n=17 silent unsent-ok\nresponse db.response.status_code=\"28P01\" n=73"
	      " error=28P01 \"password authentication failed for user \"me\"\"\n");
}

static void cancel(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT(0, "\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2");
	CHECK("request CANCEL" PG " db.query.summary=\"CANCEL\" db.operation.name=\"CANCEL\" n=16 no-response\n");
}

#define INSERT "INSERT INTO payments AS o_12 (order_id, account, cents) VALUES ($1, $2, $3)"
#define PAYMENTS " db.query.text=\"" INSERT "\" db.query.summary=\"INSERT payments\" db.operation.name=\"INSERT\""         \
	" db.collection.name=\"payments\""
#define BIND_BODY "\0\0\0\3\0\0\0\0\0\x08o-000012\0\0\0\1" "5\0\0\0\3" "999\0\0"
#define NAMED(name) "\0" name "\0\0\0\0\0\0\0"

/* lib/pq: a round trip that prepares, another that executes. */
static void two_round_trips(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT('P', "\0" INSERT "\0\0\0"), PUT('D', "S\0"), PUT('S', "");
	SERVER, PUT('1', ""), PUT('t', "\0\3\0\0\0\x19\0\0\0\x17\0\0\0\x14"), PUT('n', ""), READY;
	CLIENT, PUT('B', "\0" BIND_BODY), PUT('E', "\0\0\0\0\0"), PUT('S', "");
	SERVER, PUT('2', ""), dialogue__message(&d, 'E', error_unique, sizeof(error_unique)), READY;
	CHECK("request PREPARE INSERT payments" PG " db.query.text=\"" INSERT "\""
	      " db.query.summary=\"PREPARE INSERT payments\" db.operation.name=\"PREPARE\" db.collection.name=\"payments\""
	      " n=96\nresponse n=35\n"
	      "request INSERT payments" PG PAYMENTS " n=53\n"
	      "response db.response.status_code=\"23505\" n=228 error=23505 "
	      "\"duplicate key value violates unique constraint \"payments_order_id_key\"\"\n");
}

static void named_statements(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT('P', "s1\0SELECT a FROM t WHERE b = 'x'\0\0\0"), PUT('S', "");
	SERVER, PUT('1', ""), READY;
	CLIENT, PUT('B', NAMED("s1")), PUT('D', "P\0"), PUT('E', "\0\0\0\0\0"), PUT('S', "");
	SERVER, PUT('2', ""), PUT('n', ""), PUT('D', "\0\0"), PUT('C', "SELECT 2\0"), READY;
	CLIENT, PUT('B', "p\0s1\0\0\0\0\0\0\0"), PUT('E', "p\0\0\0\0\1"), PUT('H', "");
	SERVER, PUT('2', ""), PUT('D', "\0\0"), PUT('s', "");
	CLIENT, PUT('E', "p\0\0\0\0\1"), PUT('S', "");
	SERVER, PUT('C', "SELECT 1\0"), READY;
	CLIENT, PUT('C', "Ss1\0"), PUT('S', "");
	SERVER, PUT('3', ""), READY;
	CLIENT, PUT('B', NAMED("s1")), PUT('E', "\0\0\0\0\0"), PUT('S', "");
	SERVER, PUT('E', "SERROR\0C26000\0Mprepared statement \"s1\" does not exist\0\0"), READY;
	CHECK("request PREPARE SELECT t" PG " db.query.text=\"SELECT a FROM t WHERE b = ?\""
	      " db.query.summary=\"PREPARE SELECT t\" db.operation.name=\"PREPARE\" db.collection.name=\"t\" n=45\nresponse n=11\n"
	      "request SELECT t" PG " db.query.text=\"SELECT a FROM t WHERE b = ?\" db.query.summary=\"SELECT t\""
	      " db.operation.name=\"SELECT\" db.collection.name=\"t\" n=37\nresponse db.response.returned_rows=2 n=37\n"
	      "request BATCH SELECT t" PG " db.query.text=\"SELECT a FROM t WHERE b = ?\" db.query.summary=\"BATCH SELECT t\""
	      " db.operation.name=\"BATCH SELECT\" db.collection.name=\"t\" db.operation.batch.size=2 n=48 unsent-ok\n"
	      "response db.response.returned_rows=1 n=37\n"
	      "request DEALLOCATE SELECT t" PG " db.query.text=\"SELECT a FROM t WHERE b = ?\""
	      " db.query.summary=\"DEALLOCATE SELECT t\" db.operation.name=\"DEALLOCATE\" db.collection.name=\"t\" n=14\n"
	      "response n=11\n"
	      "request postgresql" PG " n=30\n"
	      "response db.response.status_code=\"26000\" n=66 error=26000 \"prepared statement \"s1\" does not exist\"\n");
}

#define ONE(sql) PUT('P', "\0" sql "\0\0\0"), PUT('B', NAMED("")), PUT('E', "\0\0\0\0\0")

static void batches(void **state)
{
	struct dialogue d = {0};
	CLIENT, ONE("INSERT INTO a VALUES ($1)"), PUT('B', NAMED("")), PUT('E', "\0\0\0\0\0"), PUT('S', "");
	SERVER, PUT('1', ""), PUT('2', ""), PUT('C', "INSERT 0 1\0"), PUT('2', ""), PUT('C', "INSERT 0 1\0"), READY;
	CLIENT, ONE("INSERT INTO a VALUES ($1)"), ONE("SELECT b FROM b"), PUT('S', "");
	SERVER, PUT('1', ""), PUT('2', ""), PUT('C', "INSERT 0 1\0"), PUT('1', ""), PUT('2', ""), PUT('C', "SELECT 0\0"), READY;
	CLIENT, ONE("BEGIN"), ONE("DELETE FROM c"), PUT('S', "");
	SERVER, PUT('1', ""), PUT('2', ""), PUT('C', "BEGIN\0"), PUT('1', ""), PUT('2', ""), PUT('C', "DELETE 3\0"), READY;
	CHECK("request BATCH INSERT a" PG " db.query.text=\"INSERT INTO a VALUES ($1)\" db.query.summary=\"BATCH INSERT a\""
	      " db.operation.name=\"BATCH INSERT\" db.collection.name=\"a\" db.operation.batch.size=2 n=85\nresponse n=53\n"
	      "request BATCH" PG " db.query.text=\"INSERT INTO a VALUES ($1); SELECT b FROM b\" db.query.summary=\"BATCH\""
	      " db.operation.name=\"BATCH\" db.operation.batch.size=2 n=109\nresponse db.response.returned_rows=0 n=56\n"
	      "request DELETE c" PG " db.query.text=\"BEGIN; DELETE FROM c\" db.query.summary=\"DELETE c\""
	      " db.operation.name=\"DELETE\" db.collection.name=\"c\" n=87\nresponse n=51\n");
}

/* libpq's pipeline mode: several cycles under way. */
static void pipeline(void **state)
{
	struct dialogue d = {0};
	CLIENT, ONE("UPDATE a SET b = 1"), PUT('S', ""), ONE("DELETE FROM c"), PUT('S', "");
	SERVER, PUT('1', ""), PUT('2', ""), PUT('E', "SERROR\0C22012\0Mdivision by zero\0\0"), READY, PUT('1', ""), PUT('2', ""),
		PUT('C', "DELETE 3\0"), READY;
	CLIENT, PUT('Q', "BEGIN\0"), PUT('Q', "COMMIT\0");
	SERVER, PUT('C', "BEGIN\0"), PUT('Z', "T"), PUT('C', "COMMIT\0"), READY;
	CHECK("request UPDATE a" PG " db.query.text=\"UPDATE a SET b = ?\" db.query.summary=\"UPDATE a\""
	      " db.operation.name=\"UPDATE\" db.collection.name=\"a\" n=55\n"
	      "request DELETE c" PG " db.query.text=\"DELETE FROM c\" db.query.summary=\"DELETE c\""
	      " db.operation.name=\"DELETE\" db.collection.name=\"c\" n=50\n"
	      "response db.response.status_code=\"22012\" n=54 error=22012 \"division by zero\"\nresponse n=30\n"
	      "request BEGIN" PG " db.query.text=\"BEGIN\" db.query.summary=\"BEGIN\" db.operation.name=\"BEGIN\" n=11\n"
	      "request COMMIT" PG " db.query.text=\"COMMIT\" db.query.summary=\"COMMIT\" db.operation.name=\"COMMIT\" n=12\n"
	      "response n=17\nresponse n=18\n");
}

#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* More statements in one round trip than are shown, and a name that is cut at a word. */
static void many_and_long(void **state)
{
	struct dialogue d = {0};
	CLIENT;
	ONE("UPDATE a SET b = 1"), ONE("UPDATE c SET b = 1"), ONE("UPDATE d SET b = 1"), ONE("UPDATE e SET b = 1");
	ONE("UPDATE f SET b = 1"), ONE("UPDATE g SET b = 1"), ONE("UPDATE h SET b = 1"), ONE("UPDATE i SET b = 1");
	ONE("UPDATE j SET b = 1"), ONE("UPDATE k SET b = 1"), PUT('S', "");
	SERVER, PUT('C', "UPDATE 1\0"), READY;
	CLIENT, PUT('Q', "DELETE FROM " LONG "\0");
	SERVER, PUT('C', "DELETE 1\0"), READY;
	CHECK("request BATCH" PG " db.query.text=\"UPDATE a SET b = ?; UPDATE c SET b = ?; UPDATE d SET b = ?; UPDATE e SET b = ?;"
	      " UPDATE f SET b = ?; UPDATE g SET b = ?; UPDATE h SET b = ?; UPDATE i SET b = ?\" db.query.summary=\"BATCH\""
	      " db.operation.name=\"BATCH\" db.operation.batch.size=10 n=505\nresponse n=20\n"
	      "request DELETE" PG " db.query.text=\"DELETE FROM " LONG "\" db.query.summary=\"DELETE " LONG "\""
	      " db.operation.name=\"DELETE\" db.collection.name=\"" LONG "\" n=118\nresponse n=20\n");
}

static void copies(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT('Q', "COPY t FROM STDIN\0");
	SERVER, PUT('G', "\0\0\1\0\0");
	CLIENT, PUT('d', "secret\n"), PUT('d', "more\n"), PUT('c', "");
	SERVER, PUT('C', "COPY 2\0"), READY;
	CLIENT, PUT('Q', "COPY t TO STDOUT\0");
	SERVER, PUT('H', "\0\0\1\0\0"), PUT('d', "1\n"), PUT('d', "2\n"), PUT('c', ""), PUT('C', "COPY 2\0"), READY;
	/* libpq in the extended protocol: the first Sync is ignored by the server. */
	CLIENT, ONE("COPY t FROM STDIN"), PUT('S', "");
	SERVER, PUT('1', ""), PUT('2', ""), PUT('G', "\0\0\1\0\0");
	CLIENT, PUT('d', "x\n"), PUT('f', "no\0"), PUT('S', "");
	SERVER, PUT('E', "SERROR\0C57014\0MCOPY from stdin failed: no\0\0"), READY;
	/* One that fails before any data. */
	CLIENT, PUT('Q', "COPY u FROM STDIN\0");
	SERVER, PUT('E', "SERROR\0C42P01\0Mrelation \"u\" does not exist\0\0"), READY;
	CLIENT, PUT('Q', "BEGIN\0");
	SERVER, PUT('C', "BEGIN\0"), READY;
	CHECK("request COPY t" PG " db.query.text=\"COPY t FROM STDIN\" db.query.summary=\"COPY t\" db.operation.name=\"COPY\""
	      " db.collection.name=\"t\" n=50 unsent-ok\nresponse n=28\n"
	      "request COPY t" PG " db.query.text=\"COPY t TO STDOUT\" db.query.summary=\"COPY t\" db.operation.name=\"COPY\""
	      " db.collection.name=\"t\" n=22\nresponse n=47\n"
	      "request COPY t" PG " db.query.text=\"COPY t FROM STDIN\" db.query.summary=\"COPY t\" db.operation.name=\"COPY\""
	      " db.collection.name=\"t\" n=74\n"
	      "response db.response.status_code=\"57014\" n=74 error=57014 \"COPY from stdin failed: ?\"\n"
	      "response db.response.status_code=\"42P01\" n=55 error=42P01 \"relation \"u\" does not exist\"\n"
	      "request n=23 unsent-ok open\n"
	      "request BEGIN" PG " db.query.text=\"BEGIN\" db.query.summary=\"BEGIN\" db.operation.name=\"BEGIN\" n=11\n"
	      "response n=17\n");
}

static void unasked(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT('Q', "LISTEN c\0");
	SERVER, PUT('N', "SNOTICE\0C00000\0Mhello\0\0"), PUT('C', "LISTEN\0"), READY;
	SERVER, PUT('A', "\0\0\0\1c\0secret\0"), PUT('S', "TimeZone\0UTC\0");
	CLIENT, PUT('Q', "NOTIFY c\0");
	SERVER, PUT('C', "NOTIFY\0"), PUT('A', "\0\0\0\1c\0\0"), READY;
	SERVER, PUT('E', "SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0");
	CHECK("request LISTEN c" PG " db.query.text=\"LISTEN c\" db.query.summary=\"LISTEN c\" db.operation.name=\"LISTEN\""
	      " n=14\nresponse n=46\npush NOTIFICATION" PG " n=18\n"
	      "request NOTIFY c" PG " db.query.text=\"NOTIFY c\" db.query.summary=\"NOTIFY c\" db.operation.name=\"NOTIFY\""
	      " n=14\npush NOTIFICATION" PG " n=12\nresponse n=18\n"
	      "push db.response.status_code=\"57P01\" n=73 error=57P01 \"terminating connection due to administrator command\"\n");
}

static void function_call(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT('F', "\0\0\3\xe8\0\0\0\1\0\0\0\4\0\0\0\1\0\1");
	SERVER, PUT('V', "\0\0\0\4\0\0\0\1"), READY;
	CHECK("request FUNCTION CALL" PG " db.query.summary=\"FUNCTION CALL\" db.operation.name=\"FUNCTION CALL\" n=23\n"
	      "response n=19\n");
}

static void only_sync(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT('S', "");
	SERVER, READY;
	CLIENT, PUT('Q', "\0");
	SERVER, PUT('I', ""), READY;
	CHECK("request SYNC" PG " db.query.summary=\"SYNC\" db.operation.name=\"SYNC\" n=5\nresponse n=6\n"
	      "request postgresql" PG " n=6\nresponse n=11\n");
}

/* standard_conforming_strings = off comes with the parameters of the login. */
static void old_strings(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT(0, STARTUP);
	SERVER, PUT('R', "\0\0\0\0"), PUT('S', "standard_conforming_strings\0off\0"), READY;
	CLIENT, PUT('Q', "SELECT 'a\\' secret'\0");
	CHECK("request n=50 silent unsent-ok\nresponse n=52\n"
	      "request SELECT" PG " db.namespace=\"shop\" db.query.text=\"SELECT ?\" db.query.summary=\"SELECT\""
	      " db.operation.name=\"SELECT\" n=25\n");
}

/* A connection that was there before us: the middle of a result, then whole cycles. */
static void joined_late(void **state)
{
	struct dialogue d = {0};
	SERVER, PUT('D', "\0\1\0\0\0\1x"), PUT('C', "SELECT 9\0"), READY;
	CLIENT, PUT('B', NAMED("unseen")), PUT('E', "\0\0\0\0\0"), PUT('S', "");
	SERVER, PUT('2', ""), PUT('C', "UPDATE 1\0"), READY;
	CHECK("response db.response.returned_rows=9 n=32\nrequest postgresql" PG " n=34\nresponse n=25\n");
}

/* ---- bytes that were not captured ---- */

static void rows_not_captured(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT('Q', "SELECT a FROM t\0");
	SERVER, PUT('T', "\0\0"), PUT('D', "\0\1\0\0\0\1x"), RAW("D\0\0\x10");
	d.turns[d.n - 1].missing = 100000;
	CLIENT, PUT('Q', "SELECT b FROM u\0");
	SERVER, PUT('T', "\0\0"), PUT('C', "SELECT 0\0"), READY;
	CUT("request SELECT t" PG " db.query.text=\"SELECT a FROM t\" db.query.summary=\"SELECT t\" db.operation.name=\"SELECT\""
	    " db.collection.name=\"t\" n=21\n"
	    "request SELECT u" PG " db.query.text=\"SELECT b FROM u\" db.query.summary=\"SELECT u\" db.operation.name=\"SELECT\""
	    " db.collection.name=\"u\" n=21\n"
	    "response n=100023 cut open\nresponse db.response.returned_rows=0 n=27\n");
}

/* The length of the value is known: what follows it is read again. */
static void value_not_captured(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT('P', "\0INSERT INTO t VALUES ($1)\0\0\0"), RAW("B\0\1\x86\xb0\0\0\0\0\0\1\0\1\x86\xa0" "begin");
	d.turns[d.n - 1].missing = 100000 - 5 + 2;
	CLIENT, PUT('E', "\0\0\0\0\0"), PUT('S', "");
	SERVER, PUT('1', ""), PUT('2', ""), PUT('C', "INSERT 0 1\0"), READY;
	CUT("request INSERT t" PG " db.query.text=\"INSERT INTO t VALUES ($1)\" db.query.summary=\"INSERT t\""
	    " db.operation.name=\"INSERT\" db.collection.name=\"t\" n=100066\nresponse n=32\n");
}

/* ... and without anything after it, what was bound is what will be executed. */
static void end_not_captured(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT('P', "\0INSERT INTO t VALUES ($1)\0\0\0"), RAW("B\0\1\x86\xb0\0\0\0\0\0\1\0\1\x86\xa0" "begin");
	d.turns[d.n - 1].missing = 200000;
	SERVER, PUT('1', ""), PUT('2', ""), PUT('C', "INSERT 0 1\0"), READY;
	CUT("response n=32\n"
	    "request INSERT t" PG " db.query.text=\"INSERT INTO t VALUES ($1)\" db.query.summary=\"INSERT t\""
	    " db.operation.name=\"INSERT\" db.collection.name=\"t\" n=200054 cut open\n");
}

static void query_not_captured(void **state)
{
	struct dialogue d = {0};
	CLIENT, RAW("Q\0\0\x10\4SELECT a FROM t WHERE b = 'sec");
	d.turns[d.n - 1].missing = 4096 - 30;
	SERVER, PUT('C', "SELECT 0\0"), READY;
	CLIENT, RAW("");
	d.turns[d.n - 1].missing = 64; /* shed whole */
	SERVER, PUT('C', "SELECT 0\0"), READY;
	CUT("request SELECT t" PG " db.query.text=\"SELECT a FROM t WHERE b = ?\" db.query.summary=\"SELECT t\""
	    " db.operation.name=\"SELECT\" db.collection.name=\"t\" n=4101 cut\n"
	    "response db.response.returned_rows=0 n=20\n"
	    "response db.response.returned_rows=0 n=20\n"
	    "request postgresql" PG " n=64 cut open\n");
}

/* ---- bounds ---- */

static void many_statements(void **state)
{
	struct harness h;
	char body[64], name[16];
	static struct dialogue d;

	harness__open(&h, &protocol_postgresql, WS_ROLE_ACCEPTED);
	for (int i = 0; i < 1000; i++) {
		d.n = d.used = 0;
		CLIENT;
		int n = snprintf(body, sizeof(body), "s%d%cSELECT a FROM t%d%c%c%c", i, 0, i, 0, 0, 0);
		dialogue__message(&d, 'P', body, (size_t)n);
		PUT('S', "");
		SERVER, PUT('1', ""), READY;
		harness__turn(&h, &d.turns[0], 0);
		harness__turn(&h, &d.turns[1], 0);
	}
	fflush(h.out);
	assert_int_equal(h.forgotten, 1000 - PG_STATEMENTS_MAX);
	size_t before = h.text_n;
	for (int i = 0; i < 1000; i += 999) { /* the first is forgotten, the last known */
		d.n = d.used = 0;
		CLIENT;
		int n = snprintf(name, sizeof(name), "%cs%d%c%c%c%c%c%c%c", 0, i, 0, 0, 0, 0, 0, 0, 0);
		dialogue__message(&d, 'B', name, (size_t)n);
		PUT('E', "\0\0\0\0\0"), PUT('S', "");
		harness__turn(&h, &d.turns[0], 0);
	}
	fflush(h.out);
	char *text = harness__close(&h);
	assert_non_null(strstr(text + before, "request postgresql"));
	assert_non_null(strstr(text + before, "request SELECT t999"));
	free(text);
}

static void long_query(void **state)
{
	static struct dialogue d;
	static char text[40000];

	memset(&d, 0, sizeof(d));
	memset(text, ' ', sizeof(text) - 1);
	memcpy(text, "SELECT a FROM t", 15);
	CLIENT, dialogue__message(&d, 'Q', text, sizeof(text));
	SERVER, PUT('C', "SELECT 0\0"), READY;
	char *got = harness__play(&protocol_postgresql, WS_ROLE_ACCEPTED, d.turns, d.n, 0, 9000);
	char *whole = harness__play(&protocol_postgresql, WS_ROLE_ACCEPTED, d.turns, d.n, 0, 0);
	assert_string_equal(got, whole);
	assert_non_null(strstr(whole, "request SELECT t" PG " db.query.text=\"SELECT a FROM t\""));
	assert_non_null(strstr(whole, " n=40005 cut\n"));
	free(got);
	free(whole);
}

static void bad(void **state)
{
	static const struct { enum decode_side side; struct slice bytes; } rows[] = {
		{SIDE_CLIENT, SLICE("GET / HTTP/1.1\r\n")}, {SIDE_CLIENT, SLICE("POST / HTTP/1.1\r\n")},
		{SIDE_SERVER, SLICE("HTTP/1.1 200 OK\r\n")}, {SIDE_CLIENT, SLICE("*1\r\n$4\r\nPING\r\n")},
		{SIDE_SERVER, SLICE("+OK\r\n")}, {SIDE_CLIENT, SLICE("Q\0\0\0\3")}, {SIDE_SERVER, SLICE("Z\0\0\0\7III")},
		{SIDE_CLIENT, SLICE("\0\0\0\7\0\3\0\0")}, {SIDE_CLIENT, SLICE("\0\0\0\x10\0\2\0\0")}, {SIDE_CLIENT, SLICE("\x80\0\0\0\4")},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(harness__status(&protocol_postgresql, rows[i].side, rows[i].bytes), DECODE_BAD);
}

/* What an error says of the schema is told, what it repeats of the user's is not. */
static void errors(void **state)
{
	static const struct {
		const char *code, *text, *file, *told;
	} rows[] = {
		{"23505", "duplicate key value violates unique constraint \"payments_order_id_key\"", "nbtinsert.c",
		 "duplicate key value violates unique constraint \"payments_order_id_key\""},
		{"42P01", "relation \"u 1\" does not exist", "parse_relation.c", "relation \"u 1\" does not exist"},
		{"42703", "column t.b does not exist", "parse_relation.c", "column t.b does not exist"},
		{"42883", "function f(integer) does not exist", "", "function f(integer) does not exist"},
		{"3D000", "database \"x1\" does not exist", "", "database \"x1\" does not exist"},
		{"40P01", "deadlock detected", "", "deadlock detected"},
		{"22P02", "invalid input syntax for type integer: \"hunter43\"", "numutils.c",
		 "invalid input syntax for type integer: ?"},
		{"22P02", "invalid input syntax for type uuid: \"a\"hunter", "", "invalid input syntax for type uuid: ?"},
		{"22P02", "ung\303\274ltige Eingabesyntax \302\273hunter\302\253 ist", "", "ung? ist"},
		{"42601", "unterminated quoted string at or near \"'hunter45\"", "", "unterminated quoted string at or near ?"},
		{"42601", "syntax error at or near \"'x\"", "", "syntax error at or near ?"},
		{"42601", "syntax error at end of input", "", "syntax error at end of input"},
		{"22003", "value \"hun\"ter\" is out of range for type int4", "", "value ? is out of range for type int4"},
		{"22003", "value 7355608 is out of range", "", "value ? is out of range"},
		{"22003", "value '1' or \"hunter", "", "value ?"},
		{"22021", "invalid byte sequence for encoding \"UTF8\": 0x68 0x75", "", "invalid byte sequence for encoding ?: ?"},
		{"22P05", "character with byte sequence 0x68 0x75 has none", "", "character with byte sequence ? ? has none"},
		{"22001", "value too long for type character varying(4)", "", "value too long for type character varying(?)"},
		{"57014", "canceling statement due to user request", "", "canceling statement due to user request"},
		{"P0001", "no account hunter43", "pl_exec.c", ""},
		{"23505", "taken: hunter43", "../src/pl/plpgsql/src/pl_exec.c", ""},
		{"38000", "ValueError: hunter43", "plpy_elog.c", ""},
		{"UE001", "own code hunter43", "", ""},
		{"", "no code hunter43", "", ""},
	};
	char body[512], want[512];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dialogue d = {0};
		struct slice code = slice__of(rows[i].code);
		int n = sprintf(body, "SERROR%cM%s%c", 0, rows[i].text, 0);
		n += code.n ? sprintf(body + n, "C%s%c", rows[i].code, 0) : 0;
		n += sprintf(body + n, "F%s%c%c", rows[i].file, 0, 0);
		CLIENT, PUT('Q', "\0");
		SERVER, dialogue__message(&d, 'E', body, (size_t)n), READY;
		size_t w = (size_t)sprintf(want, "request postgresql" PG " n=6\nresponse");
		w += code.n ? (size_t)sprintf(want + w, " db.response.status_code=\"%s\"", rows[i].code) : 0;
		sprintf(want + w, " n=%d error=%s \"%s\"\n", n + 11, code.n ? rows[i].code : "_OTHER", rows[i].told);
		CHECK(want);
	}
}

/* Who raised it comes last: without that, nothing is told. */
static void error_not_captured(void **state)
{
	struct dialogue d = {0};
	CLIENT, PUT('Q', "\0");
	SERVER, RAW("E\0\0\1\0SERROR\0C23505\0Mtaken by hunter43\0Dx");
	d.turns[d.n - 1].missing = 0x101 - (5 + 7 + 7 + 19 + 2);
	SERVER, READY;
	CUT("request postgresql" PG " n=6\nresponse db.response.status_code=\"23505\" n=263 error=23505 \"\" cut\n");
}

static void recognised_clients(void **state)
{
	static const struct beginning rows[] = {
		{SIDE_CLIENT, 2, SLICE("\0\0\0\x08\x04\xd2\x16\x2f")},
		{SIDE_CLIENT, 2, SLICE("\0\0\0\x20\0\3\0\0user\0")},
		{SIDE_CLIENT, 1, SLICE("\0\0\0\x20\0\3")},
		{SIDE_CLIENT, 0, SLICE("\0\0\0\x20\0\4\0\0user\0")},
		{SIDE_CLIENT, 0, SLICE("\0\x20\0\0\0\3\0\0")},
		{SIDE_CLIENT, 2, SLICE("Q\0\0\0\x0dSELECT 1\0")},
		{SIDE_CLIENT, 2, SLICE("Q\0\0\xff\x0dSELECT * FROM")},
		{SIDE_CLIENT, 0, SLICE("Q\0\0\0\x0dSELECT\0 1\0")},
		{SIDE_CLIENT, 0, SLICE("Q\0\0\0\x0fHello there")},
		{SIDE_CLIENT, 2, SLICE("P\0\0\0\x10\0SELECT 1\0\0\0")},
		{SIDE_CLIENT, 2, SLICE("B\0\0\0\x0c\0\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4")},
		{SIDE_CLIENT, 0, SLICE("B\0\0\0\x0c\0\0\0\7\0\0\0\0")},
		{SIDE_CLIENT, 2, SLICE("S\0\0\0\4")},
		{SIDE_CLIENT, 1, SLICE("S\0\0")},
		{SIDE_CLIENT, 0, SLICE("S\0\0\0\5x")},
		{SIDE_CLIENT, 0, SLICE("GET / HTTP/1.1\r\n")},
		{SIDE_CLIENT, 0, SLICE("POST ")},
		{SIDE_CLIENT, 0, SLICE("DELETE ")},
		{SIDE_CLIENT, 0, SLICE("CONNECT ")},
		{SIDE_CLIENT, 0, SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
		{SIDE_CLIENT, 0, SLICE("*1\r\n$4\r\nPING\r\n")},
		{SIDE_CLIENT, 0, SLICE("\x16\x03\x01\x02\x00")},
		{SIDE_CLIENT, 2, SLICE("P" "\0\0\0\x17" "st\0" "SELECT $1\0" "\0\1" "\0\0\0\27")},
		{SIDE_CLIENT, 1, SLICE("P\0\0\0\x17" "st")},
		{SIDE_CLIENT, 2, SLICE("P\0\0\0\x17" "\0SELECT *")},
		{SIDE_CLIENT, 0, SLICE("P" "\0\0\0\x11" "\0" "Hello you\0" "\0\0")},
		{SIDE_CLIENT, 0, SLICE("P" "\0\0\0\x12" "a\1\0" "SELECT 1\0" "\0\0")},
		{SIDE_CLIENT, 0, SLICE("B" "\0\0\0\x0d" "\1\0" "\0" "\0\0" "\0\0" "\0\0")},
		{SIDE_CLIENT, 2, SLICE("B" "\0\0\0\x19" "\0" "\0" "\0\1\0\1" "\0\2" "\0\0\0\1x" "\377\377\377\377" "\0\1\0\0")},
		{SIDE_CLIENT, 0, SLICE("B" "\0\0\0\x13" "\0" "\0" "\0\0" "\0\1" "\0\0\0\1x" "\0\1\0\7")},
		{SIDE_CLIENT, 2, SLICE("D" "\0\0\0\x08" "S" "s1\0")},
		{SIDE_CLIENT, 0, SLICE("D" "\0\0\0\x08" "X" "s1\0")},
		{SIDE_CLIENT, 0, SLICE("C" "\0\0\0\x07" "P" "\1\0")},
		{SIDE_CLIENT, 2, SLICE("C" "\0\0\0\x06" "P" "\0")},
		{SIDE_CLIENT, 2, SLICE("E" "\0\0\0\x0a" "p\0" "\0\0\0\0")},
		{SIDE_CLIENT, 0, SLICE("E" "\0\0\0\x0a" "\1\0" "\0\0\0\0")},
		{SIDE_CLIENT, 1, SLICE("E\0\0\0\x0b" "p")},
		{SIDE_CLIENT, 0, SLICE("\0\0\0\x09\x04\xd2\x16\x2f")},
		{SIDE_CLIENT, 2, SLICE("\0\0\0\x10\x04\xd2\x16\x2e")},
		{SIDE_CLIENT, 0, SLICE("\0\0\0\4\0\3\0\0")},
	};

	harness__recognise(&protocol_postgresql, rows, sizeof(rows) / sizeof(*rows));
}

static void recognised_servers(void **state)
{
	static const struct beginning rows[] = {
		{SIDE_SERVER, 1, SLICE("S")},
		{SIDE_SERVER, 1, SLICE("N")},
		{SIDE_SERVER, 2, SLICE("R\0\0\0\x08\0\0\0\0")},
		{SIDE_SERVER, 2, SLICE("Z\0\0\0\5I")},
		{SIDE_SERVER, 0, SLICE("Z\0\0\0\5X")},
		{SIDE_SERVER, 2, SLICE("T\0\0\0\x06\0\0D\0\0\0\x06\0\0")},
		{SIDE_SERVER, 2, SLICE("D\0\0\0\x0b\0\1\0\0\0\1x")},
		{SIDE_SERVER, 0, SLICE("D\0\0\0\x0b\0\1\0\0\0\2x")},
		{SIDE_SERVER, 1, SLICE("D\0\0\x10\x0b\0\1\0\0\x10\1xxx")},
		{SIDE_SERVER, 2, SLICE("C\0\0\0\x0dSELECT 1\0")},
		{SIDE_SERVER, 2, SLICE("E\0\0\0\x20SERROR\0C22")},
		{SIDE_SERVER, 2, SLICE("T" "\0\0\0\x1a" "\0\1" "a\0" "\0\0\0\0\0\0" "\0\0\0\27\0\4" "\377\377\377\377\0\0")},
		{SIDE_SERVER, 0, SLICE("T" "\0\0\0\x1a" "\0\1" "\1\0" "\0\0\0\0\0\0" "\0\0\0\27\0\4" "\377\377\377\377\0\0")},
		{SIDE_SERVER, 2, SLICE("t" "\0\0\0\x0a" "\0\1" "\0\0\0\27")},
		{SIDE_SERVER, 0, SLICE("t" "\0\0\0\x0b" "\0\1" "\0\0\0\27x")},
		{SIDE_SERVER, 0, SLICE("C" "\0\0\0\x0d" "select 1\0")},
		{SIDE_SERVER, 1, SLICE("E\0\0\0\x20")},
		{SIDE_SERVER, 1, SLICE("E\0\0\0\x20S")},
		{SIDE_SERVER, 0, SLICE("E\0\0\0\x20X")},
		{SIDE_SERVER, 2, SLICE("S" "\0\0\0\x11" "TimeZone\0" "UTC\0")},
		{SIDE_SERVER, 0, SLICE("S" "\0\0\0\x09" "\0" "UTC\0")},
		{SIDE_SERVER, 0, SLICE("S" "\0\0\0\x09" "a\1\0" "b\0")},
		{SIDE_SERVER, 1, SLICE("S\0\0\0\x20" "Time")},
		{SIDE_SERVER, 0, SLICE("\200\0\0\0\4")},
		{SIDE_SERVER, 0, SLICE("Z\1\0\0\0")},
		{SIDE_SERVER, 1, SLICE("R\0\0\0\x08\0")},
		{SIDE_SERVER, 1, SLICE("d\0\0\0\5x")},
		{SIDE_SERVER, 0, SLICE("HTTP/1.1 200 OK\r\n")},
		{SIDE_SERVER, 0, SLICE("HT")},
		{SIDE_SERVER, 0, SLICE("+OK\r\n")},
		{SIDE_SERVER, 0, SLICE("$2\r\nhi\r\n")},
		{SIDE_SERVER, 0, SLICE(":1\r\n")},
	};

	harness__recognise(&protocol_postgresql, rows, sizeof(rows) / sizeof(*rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_up), cmocka_unit_test(encrypted), cmocka_unit_test(refused), cmocka_unit_test(cancel),
		cmocka_unit_test(two_round_trips), cmocka_unit_test(named_statements), cmocka_unit_test(batches),
		cmocka_unit_test(pipeline), cmocka_unit_test(many_and_long), cmocka_unit_test(copies), cmocka_unit_test(unasked), cmocka_unit_test(function_call),
		cmocka_unit_test(only_sync), cmocka_unit_test(old_strings), cmocka_unit_test(joined_late),
		cmocka_unit_test(rows_not_captured), cmocka_unit_test(value_not_captured), cmocka_unit_test(end_not_captured),
		cmocka_unit_test(query_not_captured), cmocka_unit_test(many_statements), cmocka_unit_test(long_query),
		cmocka_unit_test(bad), cmocka_unit_test(recognised_clients), cmocka_unit_test(recognised_servers),
		cmocka_unit_test(errors), cmocka_unit_test(error_not_captured),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
