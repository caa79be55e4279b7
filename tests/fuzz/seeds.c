/* SPDX-License-Identifier: Apache-2.0 */
/* seeds.c - short, valid dialogues of every protocol: what mutation starts from. */
#include "drive.h"

#define C(...) {SIDE_CLIENT, SLICE(__VA_ARGS__)}
#define S(...) {SIDE_SERVER, SLICE(__VA_ARGS__)}

#define PG_STARTUP "\0\0\0\x1b\0\3\0\0user\0u\0database\0d\0\0"
#define PG_READY "Z\0\0\0\x05I"
#define PG_WELCOME "R\0\0\0\x08\0\0\0\0" "S\0\0\0\x19" "client_encoding\0UTF8\0" "K\0\0\0\x0c\0\0\0\1\0\0\0\2" PG_READY
#define PG_ROW_TYPE "T\0\0\0\x1a\0\1" "a\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"
#define PG_ROW "D\0\0\0\x0b\0\1\0\0\0\1" "1"
#define PG_ERROR "E\0\0\0\x18" "SERROR\0" "C23505\0" "Mdup\0" "\0"

const struct seed seeds[] = {
	{"http",
	 {C("GET /a?b=c&token=d HTTP/1.1\r\nHost: h:80\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-"
	    "b7ad6b7169203331-01\r\ntracestate: a=1\r\nUser-Agent: x\r\n\r\n"),
	  S("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
	  C("POST http://u:p@h/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nb3: 0\r\n\r\n3;e=1\r\nabc\r\n0\r\nT: 1\r\n\r\n"),
	  S("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
	  C("HEAD / HTTP/1.0\r\nX-B3-TraceId: 0af7651916cd43dd8448eb211c80319c\r\nX: a\r\n b\r\n\r\n"),
	  S("HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.0 404 No\r\n\r\nto the end")}},
	{"http",
	 {C("CONNECT h:1 HTTP/1.1\r\n\r\n"), S("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"),
	  C("GET / HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc"),
	  S("HTTP/1.1 101 Go\r\n\r\n\x81\x01x")}},
	{"postgresql",
	 {C(PG_STARTUP), S(PG_WELCOME), C("Q\0\0\0\x0d" "SELECT 1\0"),
	  S(PG_ROW_TYPE PG_ROW PG_ROW "C\0\0\0\x0dSELECT 2\0" PG_READY),
	  C("P\0\0\0\x23s1\0INSERT INTO t VALUES ($1)\0\0\0" "B\0\0\0\x13\0s1\0\0\0\0\1\0\0\0\1" "5\0\0"
	    "D\0\0\0\6P\0" "E\0\0\0\x09\0\0\0\0\0" "S\0\0\0\4"),
	  S("1\0\0\0\4" "2\0\0\0\4" "n\0\0\0\4" PG_ERROR PG_READY), C("X\0\0\0\4")}},
	{"postgresql",
	 {C("\0\0\0\x08\x04\xd2\x16\x2f"), S("N"), C(PG_STARTUP), S("R\0\0\0\x08\0\0\0\3"), C("p\0\0\0\6x\0"), S(PG_WELCOME),
	  C("Q\0\0\0\x16" "COPY t FROM STDIN\0" "d\0\0\0\6" "1\n" "c\0\0\0\4"),
	  S("G\0\0\0\x09\0\0\1\0\0" "C\0\0\0\x0b" "COPY 1\0" PG_READY "A\0\0\0\x0c\0\0\0\1c\0p\0" "N\0\0\0\x08Mhi\0")}},
	{"redis",
	 {C("*1\r\n$4\r\nPING\r\n"), S("+PONG\r\n"), C("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"),
	  S("+OK\r\n$5\r\nvalue\r\n"), C("GET k\r\nPING\r\n"), S("-WRONGTYPE no\r\n:42\r\n"),
	  C("*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n*1\r\n$4\r\nEXEC\r\n"), S("+OK\r\n+QUEUED\r\n*1\r\n:1\r\n")}},
	{"redis",
	 {C("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"), S("%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n"),
	  C("*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n"), S(">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"),
	  C("*1\r\n$4\r\nPING\r\n"), S("~2\r\n#t\r\n,1.5\r\n"), C("*1\r\n$4\r\nPING\r\n"), S("|1\r\n+a\r\n+b\r\n_\r\n(12\r\n=7\r\ntxt:abc\r\n!3\r\nERR\r\n$-1\r\n*-1\r\n")}},
	{"fastcgi",
	 {C("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0" "\1\4\0\1\0\53\1\0" "\16\4REQUEST_METHODPOST" "\13\12REQUEST_URI/a?token=x" "\0"
	    "\1\4\0\1\0\0\0\0" "\1\5\0\1\0\2\0\0ok" "\1\5\0\1\0\0\0\0"),
	  S("\1\6\0\1\0\22\0\0Status: 500 No\r\n\r\n" "\1\7\0\1\0\1\0\0e" "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0")}},
};
const unsigned seeds_n = sizeof(seeds) / sizeof(seeds[0]);

const struct seed *seed__first(const char *protocol)
{
	for (unsigned i = 0; i < seeds_n; i++)
		if (strcmp(seeds[i].protocol, protocol) == 0)
			return &seeds[i];
	return NULL;
}
