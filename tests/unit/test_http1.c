/* SPDX-License-Identifier: Apache-2.0 */
/* test_http1.c - HTTP/1.0 and 1.1: dialogues and what must come of them (parser_harness.h). */
#include <stdio.h>

#include "parser_harness.h"

#define P (&protocol_http1)
#define V11 " network.protocol.name=\"http\" network.protocol.version=\"1.1\""
#define V10 " network.protocol.name=\"http\" network.protocol.version=\"1.0\""
/* What a server's end says of "METHOD /path" with "Host: a". */
#define GOT(method, path)                                                                                              \
	"request " method " http.request.method=\"" method "\" url.path=\"" path "\" url.scheme=\"http\""              \
	" server.address=\"a\" server.port=80" V11
#define STATUS(code) "response http.response.status_code=" #code
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK0 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define GET_LINE GOT("GET", "/") " n=27\n"
#define OK0_LINE STATUS(200) " n=38\n"

static void test_simple(void **state)
{
	harness__check(P,
		       TURNS(TURN_CLIENT("POST /orders?id=1&token=xyz HTTP/1.1\r\nHost: shop.example:8080\r\n"
					 "User-Agent: curl/8\r\nAuthorization: Bearer abc\r\nCookie: a=b\r\n"
					 "Content-Length: 5\r\n\r\nhello"),
			     TURN_SERVER("HTTP/1.1 201 Created\r\nSet-Cookie: s=1\r\nContent-Length: 2\r\n\r\nok")),
		       "request POST http.request.method=\"POST\" url.path=\"/orders\" url.query=\"id=1&token=REDACTED\""
		       " url.scheme=\"http\" server.address=\"shop.example\" server.port=8080" V11
		       " user_agent.original=\"curl/8\" http.request.body.size=5 n=149 unsent-ok\n"
		       "response http.response.status_code=201 http.response.body.size=2 n=62\n");
}

static void test_keep_alive_and_pipelining(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT(GET), TURN_SERVER(OK0), TURN_CLIENT(GET), TURN_SERVER(OK0)),
		       GET_LINE OK0_LINE GET_LINE OK0_LINE);
	harness__check(P, TURNS(TURN_CLIENT(GET GET "\r\n" GET), TURN_SERVER(OK0 OK0 OK0)),
		       GET_LINE GET_LINE GET_LINE OK0_LINE OK0_LINE OK0_LINE);
	/* Lines that end with LF alone. */
	harness__check(P, TURNS(TURN_CLIENT("GET / HTTP/1.1\nHost: a\n\n"), TURN_SERVER("HTTP/1.1 204\n\n")),
		       GOT("GET", "/") " n=24\n" STATUS(204) " n=14\n");
}

static void test_no_body(void **state)
{
	harness__check(P,
		       TURNS(TURN_CLIENT("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" GET GET GET),
			     TURN_SERVER("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"
					 "HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n"
					 "HTTP/1.1 204 No Content\r\n\r\n" OK0)),
		       GOT("HEAD", "/") " n=28\n" GET_LINE GET_LINE GET_LINE STATUS(200) " n=40\n" STATUS(304) " n=50\n"
		       STATUS(204) " n=27\n" OK0_LINE);
}

static void test_chunked(void **state)
{
	harness__check(P,
		       TURNS(TURN_CLIENT("PUT /x HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\n\r\n"
					 "5;name=\"v\"\r\nhello\r\n0A \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n" GET),
			     TURN_SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
					 "1\r\na\r\n0\r\n\r\n" OK0)),
		       GOT("PUT", "/x") " http.request.body.size=15 n=109 unsent-ok\n" GET_LINE
		       STATUS(200) " http.response.body.size=1 n=64\n" OK0_LINE);
}

static void test_interim(void **state)
{
	harness__check(P,
		       TURNS(TURN_CLIENT("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
			     TURN_SERVER("HTTP/1.1 100 Continue\r\n\r\n"), TURN_CLIENT("abc"),
			     TURN_SERVER("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK0)),
		       GOT("POST", "/") " http.request.body.size=3 n=72 unsent-ok\n" OK0_LINE);
}

static void test_until_close(void **state)
{
	harness__check(P,
		       TURNS(TURN_CLIENT("GET / HTTP/1.0\r\n\r\n"),
			     TURN_SERVER("HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nall that comes HTTP/1.1 200")),
		       "request GET http.request.method=\"GET\" url.path=\"/\" url.scheme=\"http\"" V10 " n=18\n"
		       STATUS(200) " http.response.body.size=27 n=65\n");
}

static void test_upgrade(void **state)
{
	harness__check(P,
		       TURNS(TURN_CLIENT("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"),
			     TURN_SERVER("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x01x"),
			     TURN_CLIENT("\x81\x81xxxxx")),
		       GOT("GET", "/") " n=47\n" STATUS(101) " n=56\n");
	harness__check(P,
		       TURNS(TURN_CLIENT("CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n"),
			     TURN_SERVER("HTTP/1.1 200 Go\r\n\r\n"), TURN_CLIENT("\x16\x03\x01")),
		       "request CONNECT http.request.method=\"CONNECT\" server.address=\"db.example\" server.port=5432" V11
		       " n=59\n" STATUS(200) " n=19\n");
	harness__check(P,
		       TURNS(TURN_CLIENT("CONNECT a:1 HTTP/1.1\r\n\r\n"),
			     TURN_SERVER("HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\nx"), TURN_CLIENT(GET)),
		       "request CONNECT http.request.method=\"CONNECT\" server.address=\"a\" server.port=1" V11 " n=24\n"
		       STATUS(403) " http.response.body.size=1 n=39 error=403 \"\" client-error\n" GET_LINE);
}

static void test_errors(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT(GET), TURN_SERVER("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")),
		       GET_LINE STATUS(503) " n=40 error=503 \"\"\n");
	harness__check(P, TURNS(TURN_CLIENT(GET), TURN_SERVER("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")),
		       GET_LINE STATUS(404) " n=45 error=404 \"\" client-error\n");
	harness__check(P, TURNS(TURN_CLIENT("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n"), TURN_SERVER(OK0)),
		       "request HTTP http.request.method=\"_OTHER\" http.request.method_original=\"BREW\" url.path=\"/pot\""
		       " url.scheme=\"http\" server.address=\"a\" server.port=80" V11 " n=31\n" OK0_LINE);
}

static void test_targets(void **state)
{
	harness__check_role(P, WS_ROLE_CONNECTED,
			    TURNS(TURN_CLIENT("GET http://u:pw@[::1]:81/p?sig=1 HTTP/1.1\r\nHost: other\r\n\r\n")),
			    "request GET http.request.method=\"GET\" url.path=\"/p\" url.query=\"sig=REDACTED\""
			    " url.full=\"http://REDACTED:REDACTED@[::1]:81/p?sig=REDACTED\" url.scheme=\"http\""
			    " server.address=\"::1\" server.port=81" V11 " n=58\n");
	harness__check_role(P, WS_ROLE_CONNECTED, TURNS(TURN_CLIENT("GET /p?x=1 HTTP/1.1\r\nHost: a:9\r\n\r\n")),
			    "request GET http.request.method=\"GET\" url.path=\"/p\" url.query=\"x=1\""
			    " url.full=\"http://a:9/p?x=1\" url.scheme=\"http\" server.address=\"a\" server.port=9" V11
			    " n=34\n");
	harness__check(P, TURNS(TURN_CLIENT("OPTIONS https://a HTTP/1.1\r\nHost: b\r\n\r\n")),
		       "request OPTIONS http.request.method=\"OPTIONS\" url.path=\"/\" url.scheme=\"https\""
		       " server.address=\"a\" server.port=443" V11 " n=39\n");
}

static void test_trace_headers(void **state)
{
	harness__check(P,
		       TURNS(TURN_CLIENT("GET / HTTP/1.1\r\nHost: a\r\nTracestate: k=1\r\n"
					 "traceparent:\t00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 \r\n"
					 "tracestate: j=2, \r\n\tl=3\r\nBaggage: user=1\r\n\r\n")),
		       GOT("GET", "/") " wirespan.baggage=true n=157"
		       " trace=0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 state=k=1,j=2, l=3\n");
}

/* It ends the head, even before a body that begins like a folded line. */
static void test_empty_line(void **state)
{
	harness__check(P, TURNS(TURN_CLIENT("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n {}" GET),
				TURN_SERVER("HTTP/1.1 200 OK\nContent-Length: 4\n\n\t{}\n" OK0)),
		       GOT("PUT", "/") " http.request.body.size=3 n=49 unsent-ok\n" GET_LINE
		       STATUS(200) " http.response.body.size=4 n=39\n" OK0_LINE);
}

/* 12 KiB of other fields before the one that counts, one of them folded. Split everywhere. */
static void test_long_head(void **state)
{
	static char head[16384];
	char want[512];
	size_t n = (size_t)sprintf(head, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 12; i++)
		n += (size_t)sprintf(head + n, "X-Filler-%02d: %0*d\r\n", i, 1000, i);
	n += (size_t)sprintf(head + n, "b3:\r\n 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1\r\n\r\n");
	snprintf(want, sizeof(want), "%s n=%zu trace=0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
		 GOT("GET", "/"), n);
	struct turn t = {SIDE_CLIENT, {head, n}, 0};
	char *got;
	for (size_t at = 0; at < n; at += at < n - 200 ? 97 : 1) {
		got = harness__play(P, WS_ROLE_ACCEPTED, &t, 1, 0, at);
		assert_string_equal(got, want);
		free(got);
	}
	got = harness__play(P, WS_ROLE_ACCEPTED, &t, 1, SIZE_MAX, 0);
	assert_string_equal(got, want);
	free(got);
}

static void test_cut(void **state)
{
	struct turn get = TURN_CLIENT(GET);
	/* A body whose length is known needs no bytes. */
	struct turn known[] = {get, {SIDE_SERVER, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab"), 98}, get};
	harness__cut(P, known, 3, GET_LINE STATUS(200) " http.response.body.size=100 n=140\n" GET_LINE);
	/* The last chunk is known by its length. */
	struct turn last[] = {get, {SIDE_SERVER, SLICE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nab"), 37}};
	harness__cut(P, last, 2, GET_LINE STATUS(200) " http.response.body.size=32 n=90\n");
	/* Otherwise the end of a chunked body can not be known. */
	last[1].missing = 45;
	harness__cut(P, last, 2, GET_LINE STATUS(200) " n=98 cut open\n");
	/* A head that was not captured whole says what it can; half a query is not shown. */
	struct turn head[] = {{SIDE_CLIENT, SLICE("GET /a?token=ab"), 100}};
	harness__cut(P, head, 1,
		     "request GET http.request.method=\"GET\" url.path=\"/a\" url.scheme=\"http\" n=115 cut open\n");
	struct turn fields[] = {{SIDE_CLIENT, SLICE("HEAD /a?b=c HTTP/1.1\r\nHost: h\r\nUser-Ag"), 100},
				{SIDE_SERVER, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"), 0},
				{SIDE_SERVER, SLICE("HTTP/1.1 500 Oh"), 9}};
	harness__cut(P, fields, 3,
		     STATUS(200) " n=38\n"
		     "request HEAD http.request.method=\"HEAD\" url.path=\"/a\" url.query=\"b=c\" url.scheme=\"http\""
		     " server.address=\"h\" server.port=80" V11 " n=138 cut open\n"
		     STATUS(500) " n=24 error=500 \"\" cut open\n");
}

/* Not one byte of a message, or not even its first line: it counts all the same. */
static void test_unseen(void **state)
{
	struct turn get = TURN_CLIENT(GET), ok = TURN_SERVER(OK0);
	struct turn response[] = {get, {SIDE_SERVER, SLICE(""), 300}, get, ok, get, {SIDE_SERVER, SLICE("HTTP/1.1 2"), 300}};
	harness__cut(P, response, 6,
		     GET_LINE GET_LINE "response n=300 cut open\n" OK0_LINE GET_LINE "response n=310 cut open\n");
	struct turn request[] = {{SIDE_CLIENT, SLICE(""), 300}, ok, get, ok, {SIDE_CLIENT, SLICE("PO"), 300}, ok};
	harness__cut(P, request, 6,
		     OK0_LINE "request HTTP url.scheme=\"http\" n=300 cut open\n" GET_LINE OK0_LINE OK0_LINE
		     "request HTTP url.scheme=\"http\" n=302 cut open\n");
	/* 100 (Continue) is no answer. */
	struct turn put[] = {TURN_CLIENT("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"),
			     {SIDE_SERVER, SLICE(""), 25}, {SIDE_CLIENT, SLICE(""), 3}, ok};
	harness__cut(P, put, 4, GOT("PUT", "/") " http.request.body.size=3 n=49 unsent-ok\n" OK0_LINE);
	/* More after a whole message, in one turn: nobody knows how many. */
	struct turn more[] = {{SIDE_CLIENT, SLICE(GET), 300}, ok};
	harness__cut(P, more, 2, GET_LINE OK0_LINE);
}

/* A response whose request was not seen: no method, so the next turn may correct the end. */
static void test_unknown_method(void **state)
{
	harness__check(P, TURNS(TURN_SERVER("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), TURN_CLIENT(GET), TURN_SERVER(OK0)),
		       STATUS(200) " http.response.body.size=5 n=43\n" GET_LINE OK0_LINE);
	struct turn head[] = {TURN_SERVER("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), TURN_CLIENT(GET), TURN_SERVER(OK0)};
	harness__cut(P, head, 3, GET_LINE STATUS(200) " http.response.body.size=5 n=38 open\n" OK0_LINE);
	/* Records of two threads: the response overtakes its request; the methods stay in step. */
	struct turn early[] = {TURN_CLIENT(GET), TURN_SERVER(OK0 "HTTP/1.1 204 No\r\n\r\n"), TURN_CLIENT(GET),
			       TURN_CLIENT("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
			       TURN_SERVER("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" OK0)};
	harness__cut(P, early, 5,
		     GET_LINE OK0_LINE STATUS(204) " n=19\n" GET_LINE GOT("HEAD", "/") " n=28\n" STATUS(200) " n=38\n" OK0_LINE);
}

/* RFC 9112, 6.3: one length or none. */
static const struct {
	enum decode_side side;
	const char *text;
	enum decode_status status;
} framing[] = {
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", DECODE_OK},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc", DECODE_OK},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length: 3, 4\r\n\r\nabc", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length: -3\r\n\r\nabc", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length: 0x3\r\n\r\nabc", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length: \r\n\r\nabc", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length:\r\n 3\r\n\r\nabc", DECODE_BAD},
	/* Both: the coding is stronger. */
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", DECODE_OK},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nxyz\r\n", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabc", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nTransfer-Encoding:\x0b" "chunked\r\n\r\n0\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", DECODE_BAD},
	{SIDE_SERVER, "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n", DECODE_OK},
	{SIDE_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", DECODE_OK},
	{SIDE_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\n Folded: x\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\nno colon\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/1.1\r\n: no name\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "POST / HTTP/2.0\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "POST / http/1.1\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "GET /\r\n", DECODE_BAD},
	{SIDE_CLIENT, "GET  / HTTP/1.1\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "GET /a b HTTP/1.1\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "G\x01T / HTTP/1.1\r\n\r\n", DECODE_BAD},
	{SIDE_CLIENT, "\x16\x03\x01\x02", DECODE_BAD},
	{SIDE_CLIENT, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH", DECODE_BAD},
	{SIDE_SERVER, "HTTP/1.1 2x0 OK\r\n\r\n", DECODE_BAD},
	{SIDE_SERVER, "HTTP/1.1 2000 OK\r\n\r\n", DECODE_BAD},
	{SIDE_SERVER, "HTTP/1.1 099 OK\r\n\r\n", DECODE_BAD},
	{SIDE_SERVER, "HTTP/1.1 20\r\n\r\n", DECODE_BAD},
	{SIDE_SERVER, "ICY 200 OK\r\n\r\n", DECODE_BAD},
	/* Chunks. */
	{SIDE_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", DECODE_BAD},
	{SIDE_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", DECODE_BAD},
	{SIDE_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 x\r\na\r\n", DECODE_BAD},
	{SIDE_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n", DECODE_BAD},
	{SIDE_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", DECODE_BAD},
	{SIDE_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n", DECODE_BAD},
	{SIDE_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", DECODE_MORE},
};

static void test_framing(void **state)
{
	for (size_t i = 0; i < sizeof(framing) / sizeof(framing[0]); i++) {
		enum decode_status got = harness__status(P, framing[i].side, slice__of(framing[i].text));
		if (got != framing[i].status)
			print_error("case %zu: %s\n", i, framing[i].text);
		assert_int_equal(got, framing[i].status);
	}
}

static const struct beginning beginnings[] = {
	{SIDE_CLIENT, 2, SLICE("GET / HTTP/1.1\r\n")}, {SIDE_CLIENT, 2, SLICE("\r\nGET / HTTP/1.0\n")}, {SIDE_CLIENT, 1, SLICE("GET /x")},
	{SIDE_CLIENT, 2, SLICE("FROB /x HTTP/1.1\r\n")}, {SIDE_CLIENT, 1, SLICE("P")}, {SIDE_CLIENT, 1, SLICE("\r\n")},
	{SIDE_CLIENT, 0, SLICE("GET key\r\n")}, {SIDE_CLIENT, 0, SLICE("*1\r\n$4\r\nPING\r\n")}, {SIDE_CLIENT, 0, SLICE("PRI * HTTP/2.0\r\n")},
	{SIDE_CLIENT, 0, SLICE("\x16\x03\x01")}, {SIDE_CLIENT, 1, SLICE("Q")}, {SIDE_CLIENT, 0, SLICE("HTTP/1.1 200 OK\r\n")},
	{SIDE_SERVER, 2, SLICE("HTTP/1.1 200 OK\r\n")}, {SIDE_SERVER, 2, SLICE("HTTP/1.1 200")}, {SIDE_SERVER, 1, SLICE("HTTP/1.1 2")},
	{SIDE_SERVER, 0, SLICE("+OK\r\n")}, {SIDE_SERVER, 0, SLICE("HTTP/2 200\r\n")}, {SIDE_SERVER, 0, SLICE("GET / HTTP/1.1\r\n")},
};

static void test_recognise(void **state)
{
	char url[400] = "GET /";

	harness__recognise(P, beginnings, sizeof(beginnings) / sizeof(*beginnings));
	memset(url + 5, 'x', sizeof(url) - 5);
	assert_int_equal(P->recognise(SIDE_CLIENT, (struct slice){url, sizeof(url)}), 2);
}

/* More requests in flight than the queue remembers: methods are forgotten, order is not. */
static void test_many_pending(void **state)
{
	struct harness h;
	harness__open(&h, P, WS_ROLE_ACCEPTED);
	for (int i = 0; i < 100; i++)
		harness__feed(&h, SIDE_CLIENT, SLICE(GET), 0, i == 0);
	for (int i = 0; i < 100; i++)
		harness__feed(&h, SIDE_SERVER, SLICE(OK0), 0, i == 0);
	harness__feed(&h, SIDE_CLIENT, SLICE("HEAD / HTTP/1.1\r\n\r\n"), 0, true);
	harness__feed(&h, SIDE_SERVER, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" OK0), 0, true);
	harness__finish(&h);
	char *text = harness__close(&h), *at = text;
	int responses = 0;
	for (; (at = strstr(at, "response http")); at++)
		responses++;
	assert_int_equal(responses, 102);
	assert_null(strstr(text, "open"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple),	      cmocka_unit_test(test_keep_alive_and_pipelining),
		cmocka_unit_test(test_no_body),	      cmocka_unit_test(test_chunked),
		cmocka_unit_test(test_interim),	      cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_upgrade),	      cmocka_unit_test(test_errors),
		cmocka_unit_test(test_targets),	      cmocka_unit_test(test_trace_headers),
		cmocka_unit_test(test_long_head),     cmocka_unit_test(test_cut),
		cmocka_unit_test(test_unseen),	      cmocka_unit_test(test_empty_line),
		cmocka_unit_test(test_unknown_method), cmocka_unit_test(test_framing),
		cmocka_unit_test(test_recognise),     cmocka_unit_test(test_many_pending),
	};
	return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
