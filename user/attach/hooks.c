/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.c - the table behind load.c and doctor.c. Contract: hooks.h. */
#include "attach/hooks.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/text.h"

#define SOCK (1u << ATTACH_PLAN_SOCK)
#define ENTRY (1u << ATTACH_PLAN_FENTRY)
#define CALL (1u << ATTACH_PLAN_SYSCALL)
#define ALL (SOCK | ENTRY | CALL)

#define NOTHING "nothing can be traced"
#define FILE_HELPER "sock_from_file"

/* clang-format off */
const struct hook hooks[] = {
	{"io__sent", "sock_send_length", "6.3", SOCK, true, "bytes sent", NOTHING, NULL, NULL},
	{"io__received", "sock_recv_length", "6.3", SOCK, true, "bytes received", NOTHING, NULL, NULL},
	{"entry__sendmsg_returns", "fexit/tcp_sendmsg_locked", "5.5", ENTRY, true, "bytes sent", NOTHING, NULL, NULL},
	{"entry__recvmsg_returns", "fexit/tcp_recvmsg", "5.5", ENTRY, true, "bytes received", NOTHING, NULL, NULL},
	{"entry__sendpage_begins", "fentry/tcp_sendpage", "5.5 to 6.4", ENTRY, false, "when sendfile and splice began", "in later kernels the hooks above see it", NULL, NULL},
	{"entry__sendpage_returns", "fexit/tcp_sendpage", "5.5 to 6.4", ENTRY, false, "bytes sent by sendfile and splice", "in later kernels the hooks above see them", NULL, NULL},
	{"io__send_starts", "tcp_sendmsg_locked", "6.17", SOCK | ENTRY, false, "when a send began", "only its end is known", "tcp_sendmsg_locked", NULL},
	{"io__data_ready", "sk_data_ready", "6.3", ALL, false, "when bytes became readable", "only when they were read", "sock_def_readable", NULL},
	{"io_ring__submitted", "io_uring_submit_req", "6.4", SOCK, false, "bytes that io_uring received", "only their number is known", NULL, NULL},
	{"io__read_unseen", "tcp_rcv_space_adjust", "4.16", SOCK | ENTRY, false, "bytes received by splice", "they are gaps", NULL, NULL},
	{"call__enters", "sys_enter", "2.6.34", CALL, true, "system calls begin", NOTHING, NULL, NULL},
	{"call__returns", "sys_exit", "2.6.34", CALL, true, "bytes sent and received", NOTHING, NULL, NULL},
	{"conn__set_state", "inet_sock_set_state", "4.16", ALL, true, "life of connections", NOTHING, NULL, NULL},
	{"conn__destroyed", "tcp_destroy_sock", "4.16", ALL, true, "end of connections", NOTHING, NULL, NULL},
	{"proc__fork", "sched_process_fork", "2.6.34", ALL, true, "children are selected", NOTHING, NULL, NULL},
	{"proc__exec", "sched_process_exec", "3.4", ALL, true, "new programs are selected", NOTHING, NULL, NULL},
	{"proc__exit", "sched_process_exit", "2.6.34", ALL, true, "processes are forgotten", NOTHING, NULL, NULL},
	{"proc__cgroup_made", "cgroup_mkdir", "4.18", ALL, false, "new containers are selected", "when their first program starts", NULL, NULL},
	{"proc__cgroup_gone", "cgroup_rmdir", "4.18", ALL, false, "old containers are forgotten", "their entries stay until others need the room", NULL, NULL},
	{"sched__switch", "sched_switch", "2.6.34", ALL, false, "turns of event loops", "more of their calls have an unknown parent", NULL, NULL},
	{"wake__waking", "sched_waking", "2.6.34", ALL, false, "who completes in pools of threads", "parents of their calls are unknown", NULL, NULL},
	{"existing__listeners", "iter/tcp", "5.9", ALL, false, "which ports are servers", "roles of open connections are guessed", NULL, NULL},
	{"existing__select", "iter/task_file", "5.8", ALL, false, "running processes by rule", "they are selected by their next use", NULL, FILE_HELPER},
	{"existing__sockets", "iter/task_file", "5.8", ALL, false, "connections open before", "they are announced by their next use", NULL, FILE_HELPER},
	{"existing__select_walk", "iter/task_file", "5.8", ALL, false, "running processes by rule", "they are selected by their next use", NULL, "!" FILE_HELPER},
	{"existing__sockets_walk", "iter/task_file", "5.8", ALL, false, "connections open before", "they are announced by their next use", NULL, "!" FILE_HELPER},
};
/* clang-format on */
const size_t hooks_n = sizeof(hooks) / sizeof(*hooks);

/* Helper functions of BPF are enumerators: BPF_FUNC_task_pt_regs. */
bool kernel__has_helper(const struct btf *vmlinux, const char *name)
{
	const struct btf_type *t = btf__type_by_id(vmlinux, (__u32)btf__find_by_name_kind(vmlinux, "bpf_func_id", BTF_KIND_ENUM));

	for (int i = 0; t && btf_is_enum(t) && i < btf_vlen(t); i++) {
		const char *text = btf__name_by_offset(vmlinux, btf_enum(t)[i].name_off);

		if (strncmp(text, "BPF_FUNC_", 9) == 0 && strcmp(text + 9, name) == 0)
			return true;
	}
	return false;
}

unsigned kernel__args(const struct btf *vmlinux, const char *function)
{
	int id = btf__find_by_name_kind(vmlinux, function, BTF_KIND_FUNC);
	const struct btf_type *t = id > 0 ? btf__type_by_id(vmlinux, (__u32)id) : NULL;

	t = t ? btf__type_by_id(vmlinux, t->type) : NULL;
	return t && btf_is_func_proto(t) ? btf_vlen(t) : 0;
}

bool hook__applies(const struct btf *vmlinux, const struct hook *h, enum attach_plan plan)
{
	if (!(h->plans & (1u << plan)))
		return false;
	if (!h->helper)
		return true;
	return h->helper[0] == '!' ? !kernel__has_helper(vmlinux, h->helper + 1) : kernel__has_helper(vmlinux, h->helper);
}

/* Tried with a program that does nothing: kernels refuse at loading or at attaching, for many reasons. */
static int entry__try(const struct btf *vmlinux, const char *function)
{
	const struct bpf_insn nothing[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	int id = btf__find_by_name_kind(vmlinux, function, BTF_KIND_FUNC), prog, link, rc;
	LIBBPF_OPTS(bpf_prog_load_opts, o, .expected_attach_type = BPF_TRACE_FENTRY, .attach_btf_id = (__u32)id);

	if (id <= 0)
		return -ENOENT;
	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "wirespan_try", "GPL", nothing, 2, &o);
	if (prog < 0)
		return prog;
	link = bpf_raw_tracepoint_open(NULL, prog);
	rc = link < 0 ? link : 0;
	if (link >= 0)
		close(link);
	close(prog);
	return rc;
}

/* Tracepoints leave a typedef in BTF, iterators a function (kernel/bpf/bpf_iter.c: bpf_iter_<target>). */
int hook__available(const struct btf *vmlinux, const struct hook *h)
{
	const char *slash = strchr(h->what, '/');
	char name[64];

	if (slash && strncmp(h->what, "iter/", 5) != 0)
		return entry__try(vmlinux, slash + 1);
	snprintf(name, sizeof(name), "%s%s", slash ? "bpf_iter_" : "btf_trace_", slash ? slash + 1 : h->what);
	return btf__find_by_name_kind(vmlinux, name, slash ? BTF_KIND_FUNC : BTF_KIND_TYPEDEF) > 0 ? 0 : -ENOENT;
}

bool hook__by_entry(const struct btf *vmlinux, const struct hook *h)
{
	return h->entry && hook__available(vmlinux, h) != 0 && entry__try(vmlinux, h->entry) == 0;
}

const struct hook *hooks__lacking(const struct btf *vmlinux, enum attach_plan plan, int *rc)
{
	for (size_t i = 0; i < hooks_n; i++)
		if (hooks[i].required && hook__applies(vmlinux, &hooks[i], plan) &&
		    (*rc = hook__available(vmlinux, &hooks[i])) != 0)
			return &hooks[i];
	return NULL;
}

enum attach_plan hooks__choose(const struct btf *vmlinux, enum attach_plan wanted)
{
	int rc;

	if (wanted != ATTACH_PLAN_AUTO)
		return wanted;
	for (enum attach_plan plan = ATTACH_PLAN_SOCK; plan < ATTACH_PLAN_SYSCALL; plan++)
		if (!hooks__lacking(vmlinux, plan, &rc))
			return plan;
	return ATTACH_PLAN_SYSCALL;
}

static const char *const names[] = {"auto", "sock", "fentry", "syscall"};

const char *plan__name(enum attach_plan plan)
{
	return names[plan];
}

int attach__parse_plan(const char *text, enum attach_plan *plan, char *err, size_t err_size)
{
	int i = text__one_of(text, names, sizeof(names) / sizeof(*names));

	if (i < 0) {
		snprintf(err, err_size, "capture plan \"%s\": there are auto, sock, fentry, syscall", text);
		return i;
	}
	*plan = (enum attach_plan)i;
	return 0;
}
