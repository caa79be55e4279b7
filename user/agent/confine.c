// SPDX-License-Identifier: Apache-2.0
#include "agent/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif
#define X32_BIT 0x40000000 /* __X32_SYSCALL_BIT: the same calls under other numbers */
#define ROOM 128

/* Nothing that an agent does, once it runs. io_uring and openat2 would go round the rules on files. */
static const int never[] = {
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_listen, SYS_io_uring_setup, SYS_openat2,
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_mount,
	SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsmount, SYS_fspick,
	SYS_mount_setattr, SYS_setuid, SYS_setgid, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_userfaultfd,
	SYS_settimeofday, SYS_clock_settime, SYS_sethostname, SYS_acct, SYS_quotactl, SYS_open_by_handle_at, SYS_syslog,
	SYS_kcmp, SYS_process_madvise,
};

/* Changes in a file system, without opening what is changed. */
static const int changes[] = {
	SYS_mkdirat, SYS_mknodat, SYS_unlinkat, SYS_symlinkat, SYS_linkat, SYS_renameat2, SYS_truncate, SYS_fchmodat, SYS_fchownat,
	SYS_setxattr, SYS_lsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_utimensat,
#ifdef SYS_renameat
	SYS_renameat,
#endif
#ifdef SYS_fchmodat2
	SYS_fchmodat2,
#endif
#ifdef SYS_open /* x86-64 has the older forms too */
	SYS_mkdir, SYS_mknod, SYS_unlink, SYS_rmdir, SYS_symlink, SYS_link, SYS_rename, SYS_creat, SYS_chmod, SYS_chown, SYS_lchown,
	SYS_utime, SYS_utimes, SYS_futimesat,
#endif
};

struct program {
	struct sock_filter code[ROOM * 2];
	unsigned short n;
};

static void emit(struct program *p, uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
	p->code[p->n++] = (struct sock_filter){code, yes, no, k};
}

static void emit__refuse(struct program *p)
{
	emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM);
}

/* The number of the call is in the accumulator. */
static void emit__never(struct program *p, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)calls[i]);
		emit__refuse(p);
	}
}

/* Opening for more than reading: the flags are this argument, their low half. Others go on with the number. */
static void emit__read_only(struct program *p, int call, unsigned argument)
{
	const uint32_t low = (uint32_t)(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));

	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (uint32_t)call);
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, low);
	emit(p, BPF_JMP | BPF_JSET | BPF_K, 0, 1, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY));
	emit__refuse(p);
	emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
}

static void emit__all(struct program *p, bool files)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCH);
	emit__refuse(p); /* calls of 32-bit programs */
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
	emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
	emit__refuse(p);
#endif
	emit__never(p, never, sizeof(never) / sizeof(*never));
	if (!files) {
		emit__never(p, changes, sizeof(changes) / sizeof(*changes));
#ifdef SYS_open
		emit__read_only(p, SYS_open, 1);
#endif
		emit__read_only(p, SYS_openat, 2);
	}
	emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
}

_Static_assert(2 * (sizeof(never) + sizeof(changes)) / sizeof(int) + 20 < ROOM * 2, "the program has room for all rules");

int confine__now(bool files)
{
	struct program p = {.n = 0};
	struct sock_fprog prog;

	emit__all(&p, files);
	prog = (struct sock_fprog){p.n, p.code};
	/* prctl, as seccomp(2) itself is not among systemd's @system-service. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0))
		return -errno;
	return 0;
}
