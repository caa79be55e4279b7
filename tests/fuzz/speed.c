/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed.c - what decode costs: ns for a request of 400 bytes and its response of 300 through
 * decode__chunk, messages thrown away. A figure, never a verdict. usage: speed [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "decode/decode.h"

static uint64_t messages;

void exchanges__message(struct exchanges *x, struct connection *conn, const struct message *m)
{
	messages += m->attrs.n > 0;
}

void exchanges__opaque(struct exchanges *x, struct connection *conn, enum ws_dir dir, const struct stamp *at) {}
void exchanges__lost(struct exchanges *x, struct connection *conn, enum ws_dir dir, uint64_t bytes) {}

static const char request[] =
	"POST /orders?customer=4711&express=true HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux)\r\n"
	"Accept: text/html,application/json;q=0.9\r\nAccept-Encoding: gzip, deflate\r\nAccept-Language: de,en;q=0.7\r\n"
	"Content-Type: application/json\r\nConnection: keep-alive\r\n"
	"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nContent-Length: 22\r\n\r\n{\"item\":17,\"count\":10}";
static const char response[] =
	"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n"
	"Content-Length: 64\r\nConnection: keep-alive\r\nETag: \"12345678-40\"\r\nCache-Control: no-store\r\nVary: Accept\r\n\r\n"
	"{\"order\":\"0123456789abcdef\",\"status\":\"accepted\",\"total\":\"12.50\"} ";

/* CPU time of this process: others may be running. */
static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void round__run(struct decode *d, struct connection *conn, struct chunk *in, struct chunk *out)
{
	decode__chunk(d, conn, in);
	out->peer_offset = in->offset += in->bytes.n;
	decode__chunk(d, conn, out);
	in->peer_offset = out->offset += out->bytes.n;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 100000;
	struct decode *d = decode__new(NULL);
	struct connection conn = {.id = 1, .role = WS_ROLE_ACCEPTED};
	struct chunk in = {.dir = WS_DIR_IN, .bytes = {request, sizeof(request) - 1}, .turned = true, .at.end_ns = 1};
	struct chunk out = {.dir = WS_DIR_OUT, .bytes = {response, sizeof(response) - 1}, .turned = true, .at.end_ns = 2};
	double best = 1e9;
	for (int batch = 0; batch < 20; batch++) {
		double begin = now_ns();
		for (long i = 0; i < rounds; i++)
			round__run(d, &conn, &in, &out);
		double ns = (now_ns() - begin) / (double)rounds;
		best = ns < best ? ns : best;
	}

	printf("%zu + %zu bytes, %.1f messages a round: %.0f ns (best of 20 batches)\n", in.bytes.n, out.bytes.n,
	       (double)messages / (double)rounds / 20, best);
	decode__closed(d, &conn, 3);
	decode__free(d);
	return 0;
}
