/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iopaths.c - a client and a server that exchange known bytes in every way a program can.
 *
 * usage: iopaths [-o FILE] [WAY]...   all ways without names; -l lists them
 *
 * Connects what must be open before the tracer looks, prints "pid N" and waits for a line on stdin.
 * Then one way after the other: the client (a child) sends `up` bytes, the server (this process)
 * reads them and sends `down` bytes back. FILE (default stdout) gets one JSON object for each end: the
 * socket's cookie, its bytes, and each call: [direction, offset, n, tgid, tid, from_ns, to_ns]; what the
 * bytes are is pattern__fill(). What this machine lacks is said ("absent"). tests/conformance/check.py
 * compares all that with what the tracer saw.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "iopaths.h"

#define MIB (1u << 20)
#define WRITE call__write, call__read
#define SEND call__send, call__recv

const struct way ways[] = {
	{"write-read", WRITE, 300, 5000},
	{"send-recv", SEND, 300, 5000},
	{"writev-readv-1", call__writev1, call__readv1, 300, 5000},
	{"writev-readv-3-first-empty", call__writev3, call__readv3, 300, 5000},
	{"writev-readv-head-straddles", call__writev_head, call__readv_head, 300, 5000},
	{"writev-readv-100", call__writev100, call__readv100, 300, 5000, .out = "max", .in = "max"},
	{"pwritev2-preadv2", call__pwritev2, call__preadv2, 300, 5000},
	{"recv-peek", call__send, call__recv_peek, 300, 5000},
	{"recv-trunc", call__send, call__recv_trunc, 300, 5000, .in = "no_address"},
	{"recv-waitall", call__send, call__recv_waitall, 3000, 5000, 1000},
	{"send-more", call__send_more, call__recv, 300, 5000, 100},
	{"dontwait", call__send_dontwait, call__recv_dontwait, 300, 5000},
	{"zerocopy", call__zerocopy, call__recv, 300, 100000, .out = "max", .in = "max"},
	{"sendmsg-recvmsg", call__sendmsg, call__recvmsg, 300, 5000},
	{"sendmmsg-recvmmsg", call__sendmmsg, call__recvmmsg, 300, 5000, .flags = WAIT_SENT, .out = "no_address",
	 .in = "no_address"},
	{"sendmmsg-recvmmsg-40", call__sendmmsg40, call__recvmmsg40, 300, 5000, .flags = WAIT_SENT, .out = "no_address",
	 .in = "no_address"},
	{"sendmmsg-recvmmsg-200", call__sendmmsg200, call__recvmmsg200, 3000, 5000, .flags = WAIT_SENT, .out = "no_address",
	 .in = "no_address"},
	{"sendfile", call__sendfile, call__read, 300, 100000, .out = "no_address", .in = "max"},
	{"splice-out", call__splice_out, call__read, 300, 20000, .out = "no_address", .in = "max"},
	{"tee-out", call__tee_out, call__read, 300, 20000, .out = "no_address", .in = "max"},
	{"splice-in", call__write, call__splice_in, 300, 20000, .in = "no_address", .out = "max"},
	{"uring-write-read", uring__write, uring__read, 300, 5000, .out = "no_address", .in = "no_address"},
	{"uring-writev-readv", uring__writev, uring__readv, 300, 5000, .out = "no_address", .in = "no_address"},
	{"uring-send-recv", uring__send, uring__recv, 300, 5000, .out = "no_address", .in = "no_address"},
	{"uring-sendmsg-recvmsg", uring__sendmsg, uring__recvmsg, 300, 5000, .out = "no_address", .in = "no_address"},
	{"uring-send-zc", uring__send_zc, uring__recv, 300, 5000, .flags = NEED_URING_6_0, .out = "no_address",
	 .in = "no_address"},
	{"uring-recv-multishot", uring__send, uring__recv_multishot, 300, 20000, 2000, .flags = ANY_TIME | NEED_URING_6_0,
	 .out = "no_address", .in = "no_address"},
	{"uring-fixed-file", uring__send_fixed_file, uring__recv_fixed_file, 300, 5000, .out = "no_address",
	 .in = "no_address"},
	{"uring-sqpoll", uring__send_sqpoll, uring__recv_sqpoll, 300, 5000, .flags = ANY_THREAD | NEED_URING_NONFIXED,
	 .out = "no_address", .in = "no_address"},
	{"uring-worker", uring__send_worker, uring__recv_worker, 300, 5000, .flags = ANY_THREAD, .out = "no_address",
	 .in = "no_address"},
	{"partial-sends", SEND, 300000, 300000, 65536, SMALL_BUFFER, .out = "max", .in = "max"},
	{"dup", call__write_dup, call__read_dup, 300, 5000},
	{"fork", WRITE, 300, 5000, .pass_send = pass__fork, .pass_recv = pass__fork},
	{"exec", WRITE, 300, 5000, .pass_send = pass__exec, .pass_recv = pass__exec},
	{"scm-rights", WRITE, 300, 5000, .pass_send = pass__scm_rights, .pass_recv = pass__scm_rights},
	{"pidfd-getfd", WRITE, 300, 5000, .pass_send = pass__pidfd, .pass_recv = pass__pidfd},
	{"threads", SEND, 300, 5000, .pass_send = pass__thread},
	{"threads-both", SEND, 300, 5000, .pass_send = pass__thread, .pass_recv = pass__thread},
	{"before-accept", SEND, 300, 5000, .flags = EARLY},
	{"fastopen", SEND, 300, 5000, .flags = FASTOPEN},
	{"half-close", SEND, 300, 5000, .flags = HALF_CLOSE},
	{"unread-reset", SEND, 4000, 0, .flags = UNREAD | WAIT_SENT},
	{"linger-0", SEND, 300, 5000, .flags = LINGER0},
	{"ipv6", SEND, 300, 5000, .family = IPV6},
	{"v4-mapped", SEND, 300, 5000, .family = MAPPED},
	{"unix-stream", SEND, 300, 5000, .family = UNIX},
	{"opened-before", SEND, 300, 5000, .flags = EXISTING},
	{"two-in-one-read", SEND, 600, 5000, 300, .flags = WAIT_SENT},
	{"thousand-writes", WRITE, 1000, 1000, 1},
	{"64-mib", SEND, 64 * MIB, 64 * MIB, MIB, .out = "max", .in = "max"},
	{"64-mib-sendfile", call__sendfile, call__recv, 300, 64 * MIB, 16 * MIB, .out = "no_address", .in = "max"},
	{"kernel-tls", SEND, 300, 5000, .flags = NEED_KTLS},
};
const size_t ways_n = sizeof(ways) / sizeof(*ways);

/* A way's two ends before they move bytes. Signals go through pipes, which are not traced. */
struct pairing {
	const struct way *w;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} addr;
	socklen_t addr_n;
	int listener, accepted; /* accepted: -1 not yet */
	int go[2], sent[2];	/* to the client: begin; from it: all was sent */
	pid_t client;
};

static int out = STDOUT_FILENO;

static void post(const int pipe_[2])
{
	if (write(pipe_[1], "x", 1) != 1)
		die("pipe");
}

static void await(const int pipe_[2])
{
	char c;

	if (read(pipe_[0], &c, 1) != 1)
		die("pipe");
}

/* Loopback of the namespace up, TFO for both sides without cookies: ip-sysctl.rst, tcp_fastopen. */
static void fastopen__allow(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int s, fd;

	if (unshare(CLONE_NEWNET) || (s = socket(AF_INET, SOCK_DGRAM, 0)) < 0 || ioctl(s, SIOCSIFFLAGS, &r))
		die("network namespace");
	close(s);
	fd = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY);
	if (fd < 0 || write(fd, "519", 3) != 3) /* 0x207 */
		die("tcp_fastopen");
	close(fd);
}

static void sock__configure(const struct way *w, int fd)
{
	int small = 8192;

	if (!(w->flags & SMALL_BUFFER))
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ioctl(fd, FIONBIO, &(int){1});
}

static void pairing__listen(struct pairing *p)
{
	static const int families[] = {[IPV4] = AF_INET, [IPV6] = AF_INET6, [MAPPED] = AF_INET6, [UNIX] = AF_UNIX};
	int family = families[p->w->family], backlog = 16;

	p->addr.any.sa_family = (sa_family_t)family;
	p->addr_n = sizeof(p->addr);
	if (family == AF_INET) {
		p->addr.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		p->addr_n = sizeof(p->addr.v4);
	} else if (family == AF_INET6) {
		p->addr.v6.sin6_addr = p->w->family == IPV6 ? in6addr_loopback : in6addr_any;
		p->addr_n = sizeof(p->addr.v6);
	} else {
		p->addr_n = sizeof(sa_family_t); /* autobind: unix(7) */
	}
	p->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->listener < 0 || bind(p->listener, &p->addr.any, p->addr_n))
		die("bind");
	if (p->w->flags & FASTOPEN && setsockopt(p->listener, IPPROTO_TCP, TCP_FASTOPEN, &backlog, sizeof(backlog)))
		die("TCP_FASTOPEN");
	p->addr_n = sizeof(p->addr);
	if (listen(p->listener, backlog) || getsockname(p->listener, &p->addr.any, &p->addr_n))
		die("listen");
}

static int client__connect(struct pairing *p)
{
	int fd = socket(p->w->family == MAPPED ? AF_INET6 : p->addr.any.sa_family, SOCK_STREAM, 0), one = 1;

	if (p->w->family == MAPPED) {
		static const uint8_t loopback[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

		memcpy(&p->addr.v6.sin6_addr, loopback, sizeof(loopback));
	}
	if (p->w->flags & FASTOPEN) /* connect() returns at once, the first write sends the SYN: tcp(7) */
		setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one));
	if (fd < 0 || connect(fd, &p->addr.any, p->addr_n))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	sock__configure(p->w, fd);
	return fd;
}

/* Until the other end has closed; what is left is thrown away by the close. */
static void end__await_eof(struct end *e)
{
	char c;

	ioctl(e->fd, FIONBIO, &(int){0});
	if (recv(e->fd, &c, 1, 0) > 0)
		fprintf(stderr, "iopaths: %s %s: more bytes than expected\n", e->way->name, e->name);
}

static void client__run(struct pairing *p)
{
	const struct way *w = p->w;
	struct end *e = end__new(w, true);
	int fd = client__connect(p);

	if (w->flags & EXISTING)
		await(p->go);
	end__use(e, fd);
	end__move_by(e, DIR_OUT, w->up);
	post(p->sent);
	if (w->flags & HALF_CLOSE)
		shutdown(fd, SHUT_WR);
	end__move_by(e, DIR_IN, w->down);
	if (w->flags & UNREAD)
		end__await_eof(e);
	if (w->flags & LINGER0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	uring__free(e->uring);
	e->uring = NULL;
	close(fd);
	end__print(e, out);
	end__free(e);
}

static void server__run(struct pairing *p)
{
	const struct way *w = p->w;
	struct end *e = end__new(w, false);
	int one = 1;

	if (w->flags & (EARLY | WAIT_SENT))
		await(p->sent);
	if (p->accepted < 0)
		p->accepted = accept4(p->listener, NULL, NULL, 0);
	if (p->accepted < 0)
		die("accept");
	setsockopt(p->accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	sock__configure(w, p->accepted);
	end__use(e, p->accepted);
	end__move_by(e, DIR_IN, w->flags & UNREAD ? w->up / 2 : w->up);
	end__move_by(e, DIR_OUT, w->down);
	if (!(w->flags & UNREAD))
		end__await_eof(e);
	close(p->accepted);
	end__print(e, out);
	end__free(e);
}

static struct pairing *pairing__new(const struct way *w)
{
	struct pairing *p = calloc(1, sizeof(*p));

	if (!p || pipe2(p->go, O_CLOEXEC) || pipe2(p->sent, O_CLOEXEC))
		die("pairing");
	p->w = w;
	p->accepted = -1;
	pairing__listen(p);
	p->client = fork();
	if (p->client < 0)
		die("fork");
	if (p->client == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would tell it to begin */
		client__run(p);
		exit(0);
	}
	if (w->flags & EXISTING && (p->accepted = accept4(p->listener, NULL, NULL, 0)) < 0)
		die("accept");
	return p;
}

static int pairing__finish(struct pairing *p)
{
	int status;

	post(p->go);
	server__run(p);
	if (waitpid(p->client, &status, 0) != p->client || status)
		fprintf(stderr, "iopaths: %s: the client ended with %x\n", p->w->name, status);
	close(p->listener);
	for (int i = 0; i < 2; i++) {
		close(p->go[i]);
		close(p->sent[i]);
	}
	free(p);
	return status != 0;
}

/* NULL, or what this machine lacks. */
static const char *way__absent(const struct way *w)
{
	char text[256] = "";
	bool there;
	int fd;

	if (w->flags & (NEED_URING_6_0 | NEED_URING_NONFIXED))
		return uring__lacks(w->flags);
	if (!(w->flags & NEED_KTLS))
		return NULL;
	fd = open("/proc/sys/net/ipv4/tcp_available_ulp", O_RDONLY);
	there = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strstr(text, "tls");
	close(fd);
	return there ? NULL : "this kernel has no TLS for sockets";
}

static int way__run(const struct way *w, struct pairing *open_before)
{
	const char *absent = way__absent(w);
	int status;
	pid_t pid;

	if (absent) {
		dprintf(out, "{\"way\":\"%s\",\"absent\":\"%s\"}\n", w->name, absent);
		return 0;
	}
	if (open_before)
		return pairing__finish(open_before);
	if (!(w->flags & FASTOPEN))
		return pairing__finish(pairing__new(w));
	pid = fork();
	if (pid == 0) {
		fastopen__allow();
		exit(pairing__finish(pairing__new(w)));
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

static bool way__wanted(const struct way *w, char **names)
{
	bool any = !*names;

	for (; *names && !any; names++)
		any = !strcmp(*names, w->name);
	return any;
}

int main(int argc, char **argv)
{
	struct pairing *open_before[sizeof(ways) / sizeof(*ways)] = {0};
	int failed = 0;
	char go;

	if (argc == 8 && !strcmp(argv[1], "--end"))
		return pass__exec_main(argv);
	argv++;
	if (*argv && !strcmp(*argv, "-l")) {
		for (size_t i = 0; i < ways_n; i++)
			puts(ways[i].name);
		return 0;
	}
	if (argc > 2 && !strcmp(*argv, "-o")) {
		if ((out = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
			die(argv[1]);
		argv += 2;
	}
	for (size_t i = 0; i < ways_n; i++)
		if (ways[i].flags & EXISTING && way__wanted(&ways[i], argv))
			open_before[i] = pairing__new(&ways[i]);
	fprintf(stderr, "pid %d\n", getpid());
	if (read(STDIN_FILENO, &go, 1) < 0)
		die("stdin");
	for (size_t i = 0; i < ways_n; i++)
		if (way__wanted(&ways[i], argv) && way__run(&ways[i], open_before[i])) {
			fprintf(stderr, "iopaths: %s failed\n", ways[i].name);
			failed++;
		}
	return failed != 0;
}
