// SPDX-License-Identifier: Apache-2.0
/* test_confine.c - what a confined process can do and can't, each tried for real in a child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/confine.h"

static char dir[] = "/tmp/test_confine.XXXXXX";

/* Each returns 0 or errno. `there` is a file that is there, `new` one that is not. */
static char there[64], new[64];

static int of(long r)
{
	return r < 0 ? errno : 0;
}

static int opens(const char *path, int flags)
{
	int fd = open(path, flags, 0600), r = of(fd);

	if (fd >= 0)
		close(fd);
	return r;
}

static int try_read(void) { return opens(there, O_RDONLY | O_CLOEXEC) ?: opens(dir, O_RDONLY | O_DIRECTORY); }
static int try_write(void) { return opens(there, O_WRONLY); }
static int try_append(void) { return opens(there, O_WRONLY | O_APPEND); }
static int try_both(void) { return opens(there, O_RDWR); }
static int try_truncate_open(void) { return opens(there, O_RDONLY | O_TRUNC); }
static int try_create(void) { return opens(new, O_RDONLY | O_CREAT); }
static int try_tmpfile(void) { return opens(dir, O_TMPFILE | O_RDWR); }
static int try_openat(void) { return of(syscall(SYS_openat, AT_FDCWD, there, O_WRONLY)); }
static int try_through_proc(void)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/self/root%s", there);
	return opens(path, O_WRONLY);
}
static int try_mkdir(void) { return of(mkdir(new, 0700)); }
static int try_unlink(void) { return of(unlink(there)); }
static int try_rename(void) { return of(rename(there, new)); }
static int try_link(void) { return of(link(there, new)); }
static int try_symlink(void) { return of(symlink(there, new)); }
static int try_chmod(void) { return of(chmod(there, 0777)); }
static int try_truncate(void) { return of(truncate(there, 0)); }
static int try_exec(void) { return of(execl("/bin/true", "true", NULL)); }
static int try_ptrace(void) { return of(ptrace(PTRACE_TRACEME, 0, NULL, NULL)); }
static int try_write_process(void)
{
	char a = 1, b = 0;
	struct iovec from = {&a, 1}, to = {&b, 1};

	return of(process_vm_writev(getpid(), &from, 1, &to, 1, 0));
}
/* Allowed it fails too, for there is nothing: ENOENT, which counts as done. */
static int try_umount(void)
{
	int r = of(umount2(new, 0));

	return r == ENOENT ? 0 : r;
}
static int try_listen(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = of(listen(fd, 1));

	close(fd);
	return r;
}
static int try_connect(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = of(connect(fd, (struct sockaddr *)&a, sizeof(a)));

	close(fd);
	return r == ECONNREFUSED ? 0 : r;
}
static int try_resolve(void)
{
	struct addrinfo *a = NULL;
	int r = getaddrinfo("localhost", "80", NULL, &a);

	if (a)
		freeaddrinfo(a);
	return r;
}
static void *nothing(void *arg) { return arg; }
static int try_thread(void)
{
	pthread_t t;
	int r = pthread_create(&t, NULL, nothing, NULL);

	return r ? r : pthread_join(t, NULL);
}
static void *write_from_thread(void *arg)
{
	*(int *)arg = try_write();
	return NULL;
}
static int try_write_in_thread(void)
{
	pthread_t t;
	int r = 0;

	return pthread_create(&t, NULL, write_from_thread, &r) ?: pthread_join(t, NULL) ?: r;
}

enum { FILES = 1, ALWAYS = 2, NEVER = 4 }; /* refused without files, in both, in none */
static const struct { const char *name; int (*try)(void); int refused; } attempts[] = {
	{"read", try_read, NEVER}, {"connect", try_connect, NEVER}, {"resolve", try_resolve, NEVER}, {"thread", try_thread, NEVER},
	{"write", try_write, FILES}, {"append", try_append, FILES}, {"read and write", try_both, FILES}, {"O_TRUNC", try_truncate_open, FILES},
	{"create", try_create, FILES}, {"O_TMPFILE", try_tmpfile, FILES}, {"openat", try_openat, FILES}, {"/proc/self/root", try_through_proc, FILES},
	{"write in a thread", try_write_in_thread, FILES}, {"mkdir", try_mkdir, FILES}, {"unlink", try_unlink, FILES},
	{"rename", try_rename, FILES}, {"link", try_link, FILES}, {"symlink", try_symlink, FILES}, {"chmod", try_chmod, FILES},
	{"truncate", try_truncate, FILES}, {"exec", try_exec, ALWAYS}, {"ptrace", try_ptrace, ALWAYS},
	{"process_vm_writev", try_write_process, ALWAYS}, {"umount", try_umount, ALWAYS}, {"listen", try_listen, ALWAYS},
};

/* 0 or errno of one attempt, in a child of its own, with the files as they should be; confined: 0, 1, 2 with files. */
static int attempt(size_t i, int confined)
{
	int status;
	pid_t pid;

	unlink(new);
	rmdir(new);
	unlink(there);
	close(open(there, O_CREAT | O_WRONLY | O_TRUNC, 0600));
	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(confined && confine__now(confined == 2) ? 255 : attempts[i].try());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

static void test_attempts(void **state)
{
	for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++) {
		int free = attempt(i, 0);

		/* umount takes root, which a unit test need not be. */
		if (free && attempts[i].try != try_umount)
			fail_msg("%s fails without being confined: %s", attempts[i].name, strerror(free));
		for (int confined = 1; confined <= 2; confined++) {
			int r = attempt(i, confined);
			bool refused = attempts[i].refused == ALWAYS || (attempts[i].refused == FILES && confined == 1);

			if (r != (refused ? EPERM : 0))
				fail_msg("%s (%d): %s", attempts[i].name, confined, strerror(r));
		}
	}
}

static int set_up(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(there, sizeof(there), "%s/there", dir);
	snprintf(new, sizeof(new), "%s/new", dir);
	return 0;
}

static int tear_down(void **state)
{
	unlink(there);
	unlink(new);
	rmdir(new);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_attempts)};

	return cmocka_run_group_tests_name("confine", tests, set_up, tear_down);
}
