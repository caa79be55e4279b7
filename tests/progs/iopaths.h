/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iopaths.h - what the parts of iopaths share.
 *
 *   iopaths.c        the table of ways, and who plays which end of a connection
 *   iopaths_end.c    one end: the expected bytes, the log of calls, the loop that moves bytes
 *   iopaths_calls.c  one function for each kind of call
 *   iopaths_uring.c  the same through io_uring
 *   iopaths_pass.c   ends whose descriptor another process or thread uses
 */
#ifndef IOPATHS_H
#define IOPATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum dir { DIR_IN, DIR_OUT }; /* as enum ws_dir */

struct end;
/* One call that moves at most n bytes; the number moved, or -1 with errno (EAGAIN: try again). */
typedef ssize_t call_fn(struct end *e, char *p, size_t n);
/* Moves n bytes of that direction, by other hands than the caller's. */
typedef void pass_fn(struct end *e, enum dir dir, size_t n);

enum family { IPV4, IPV6, MAPPED, UNIX };

enum way_flags {
	EARLY = 1,	  /* the client has sent all before the server accepts */
	FASTOPEN = 2,	  /* the first bytes travel with the SYN; in a network namespace of its own */
	EXISTING = 4,	  /* connected before the tracer looks */
	HALF_CLOSE = 8,	  /* the client shuts its side before the answer */
	WAIT_SENT = 16,	  /* the receiver begins when all was sent */
	SMALL_BUFFER = 32, /* socket buffers far smaller than the data, not blocking */
	UNREAD = 64,	  /* the server closes with half of the bytes unread: a reset */
	LINGER0 = 128,	  /* the client closes with a reset, when all was read */
	ANY_THREAD = 256, /* the kernel may move the bytes on another thread of the process */
	ANY_TIME = 512,	  /* ... and ahead of the call that fetches them */
	NEED_KTLS = 1024,
	NEED_URING_6_0 = 2048,	    /* zero-copy sends and multishot receives came together */
	NEED_URING_NONFIXED = 4096, /* a polling thread that takes any descriptor: 5.11 */
};

/* Why bytes of a direction may be missing: names of check.py, "" none. */
struct way {
	const char *name;
	call_fn *send, *recv;
	size_t up, down; /* bytes from client to server and back */
	size_t piece;	 /* bytes a call; 0: all */
	unsigned flags;	 /* enum way_flags */
	pass_fn *pass_send, *pass_recv;
	enum family family;
	const char *out, *in; /* cap that is in order where payload is missing, by direction */
};

#define CALLS_MAX 40000

struct call {
	uint64_t offset, from_ns, to_ns;
	uint32_t n, tid, tgid, dir;
};

/* What was done, in shared memory: other processes add to it. */
struct done {
	uint64_t bytes[2];
	uint32_t calls_n, pad;
	struct call calls[CALLS_MAX];
};

struct uring;

struct end {
	const struct way *way;
	const char *name; /* "client" or "server" */
	int fd, done_fd;
	uint64_t cookie;
	uint16_t ports[2]; /* own, peer's; 0: not known yet */
	struct done *done;
	char *buf;
	size_t size;
	struct uring *uring; /* of this process, made when first used */
};

extern const struct way ways[];
extern const size_t ways_n;

/* iopaths_end.c */
__attribute__((noreturn)) void die(const char *what);
uint64_t now_ns(void);
void pattern__fill(const struct way *w, bool up, size_t offset, char *p, size_t n);
struct end *end__new(const struct way *w, bool client);
void end__use(struct end *e, int fd); /* from now on this socket */
void end__move(struct end *e, enum dir dir, size_t n);
void end__move_by(struct end *e, enum dir dir, size_t n); /* as the way says */
void end__print(const struct end *e, int to);
void end__free(struct end *e);
struct end *end__again(const struct way *w, bool client, int fd, int done_fd); /* after exec */
bool end__is_client(const struct end *e);

/* iopaths_calls.c */
call_fn call__write, call__read, call__send, call__recv, call__send_more, call__send_dontwait, call__recv_dontwait;
call_fn call__recv_waitall, call__recv_peek, call__recv_trunc, call__writev1, call__readv1, call__writev3, call__readv3;
call_fn call__writev_head, call__readv_head, call__writev100, call__readv100, call__pwritev2, call__preadv2;
call_fn call__sendmsg, call__recvmsg, call__sendmmsg, call__recvmmsg, call__sendmmsg40, call__recvmmsg40,
	call__sendmmsg200, call__recvmmsg200, call__zerocopy, call__sendfile;
call_fn call__splice_out, call__tee_out, call__splice_in, call__write_dup, call__read_dup;

/* iopaths_uring.c */
call_fn uring__write, uring__read, uring__send, uring__recv, uring__sendmsg, uring__recvmsg, uring__writev, uring__readv;
call_fn uring__send_zc, uring__recv_multishot, uring__send_fixed_file, uring__recv_fixed_file;
call_fn uring__send_sqpoll, uring__recv_sqpoll, uring__send_worker, uring__recv_worker;
void uring__free(struct uring *u);
const char *uring__lacks(unsigned flags); /* NULL, or what of enum way_flags this kernel has not */

/* iopaths_pass.c */
pass_fn pass__thread, pass__fork, pass__exec, pass__scm_rights, pass__pidfd;
int pass__exec_main(char **argv);

#endif
