/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.c - the table behind attach.c and doctor.c. Contract: hooks.h. */
#include "attach/hooks.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOCK (1u << ATTACH_PLAN_SOCK)
#define CALL (1u << ATTACH_PLAN_SYSCALL)
#define BOTH (SOCK | CALL)

const struct hook hooks[] = {
	{"io__sent", "sock_send_length", "6.3", SOCK, true, "bytes sent", "nothing can be traced"},
	{"io__received", "sock_recv_length", "6.3", SOCK, true, "bytes received", "nothing can be traced"},
	{"io__send_starts", "tcp_sendmsg_locked", "6.17", SOCK, false, "when a send began", "only its end is known"},
	{"io__data_ready", "sk_data_ready", "6.3", BOTH, false, "when bytes became readable", "only when they were read"},
	{"io_ring__submitted", "io_uring_submit_req", "6.4", SOCK, false, "bytes that io_uring received", "only their number is known"},
	{"io__read_unseen", "tcp_rcv_space_adjust", "4.16", SOCK, false, "bytes received by splice", "they are gaps"},
	{"call__enters", "sys_enter", "2.6.34", CALL, true, "system calls begin", "nothing can be traced"},
	{"call__returns", "sys_exit", "2.6.34", CALL, true, "bytes sent and received", "nothing can be traced"},
	{"", "bpf_task_pt_regs", "5.15", BOTH, true, "arguments of system calls", "nothing can be traced"},
	{"conn__set_state", "inet_sock_set_state", "4.16", BOTH, true, "life of connections", "nothing can be traced"},
	{"conn__destroyed", "tcp_destroy_sock", "4.16", BOTH, true, "end of connections", "nothing can be traced"},
	{"proc__fork", "sched_process_fork", "2.6.34", BOTH, true, "children are selected", "nothing can be traced"},
	{"proc__exec", "sched_process_exec", "3.4", BOTH, true, "new programs are selected", "nothing can be traced"},
	{"proc__exit", "sched_process_exit", "2.6.34", BOTH, true, "processes are forgotten", "nothing can be traced"},
	{"sched__switch", "sched_switch", "2.6.34", BOTH, false, "turns of event loops", "more of their calls have an unknown parent"},
	{"existing__listeners", "iter/tcp", "5.9", BOTH, false, "which ports are servers", "roles of open connections are guessed"},
	{"existing__select", "iter/task_file", "5.9", BOTH, false, "running processes by rule", "they are selected by their next use"},
	{"existing__sockets", "iter/task_file", "5.9", BOTH, false, "connections open before", "they are announced by their next use"},
};
const size_t hooks_n = sizeof(hooks) / sizeof(*hooks);

/* Helper functions of BPF are enumerators: BPF_FUNC_task_pt_regs. */
static bool helper__available(const struct btf *vmlinux, const char *name)
{
	const struct btf_type *t = btf__type_by_id(vmlinux, (__u32)btf__find_by_name_kind(vmlinux, "bpf_func_id", BTF_KIND_ENUM));

	for (int i = 0; t && btf_is_enum(t) && i < btf_vlen(t); i++) {
		const char *text = btf__name_by_offset(vmlinux, btf_enum(t)[i].name_off);

		if (strncmp(text, "BPF_FUNC_", 9) == 0 && strcmp(text + 9, name) == 0)
			return true;
	}
	return false;
}

/* Tracepoints leave a typedef in BTF, iterators a function (kernel/bpf/bpf_iter.c: bpf_iter_<target>). */
bool hook__available(const struct btf *vmlinux, const struct hook *h)
{
	char name[64];

	if (strncmp(h->what, "iter/", 5) == 0) {
		snprintf(name, sizeof(name), "bpf_iter_%s", h->what + 5);
		return btf__find_by_name_kind(vmlinux, name, BTF_KIND_FUNC) > 0;
	}
	if (strncmp(h->what, "bpf_", 4) == 0)
		return helper__available(vmlinux, h->what + 4);
	snprintf(name, sizeof(name), "btf_trace_%s", h->what);
	return btf__find_by_name_kind(vmlinux, name, BTF_KIND_TYPEDEF) > 0;
}

/* Tried with a program that does nothing: kernels refuse at loading or at attaching, for many reasons. */
static bool entry__allowed(int function)
{
	const struct bpf_insn nothing[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	LIBBPF_OPTS(bpf_prog_load_opts, o, .expected_attach_type = BPF_TRACE_FENTRY, .attach_btf_id = (__u32)function);
	int prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "wirespan_try", "GPL", nothing, 2, &o), link;

	if (prog < 0)
		return false;
	link = bpf_raw_tracepoint_open(NULL, prog);
	if (link >= 0)
		close(link);
	close(prog);
	return link >= 0;
}

bool hook__by_entry(const struct btf *vmlinux, const struct hook *h)
{
	int function;

	if (strcmp(h->program, "io__send_starts") != 0 || hook__available(vmlinux, h))
		return false;
	function = btf__find_by_name_kind(vmlinux, h->what, BTF_KIND_FUNC);
	return function > 0 && entry__allowed(function);
}

static bool plan__available(const struct btf *vmlinux, enum attach_plan plan)
{
	for (size_t i = 0; i < hooks_n; i++)
		if (hooks[i].required && hooks[i].plans & (1u << plan) && !hook__available(vmlinux, &hooks[i]))
			return false;
	return true;
}

enum attach_plan hooks__choose(const struct btf *vmlinux, enum attach_plan wanted)
{
	if (wanted != ATTACH_PLAN_AUTO)
		return wanted;
	return plan__available(vmlinux, ATTACH_PLAN_SOCK) ? ATTACH_PLAN_SOCK : ATTACH_PLAN_SYSCALL;
}

static const char *const names[] = {"auto", "sock", "syscall"};

const char *plan__name(enum attach_plan plan)
{
	return names[plan];
}

int attach__parse_plan(const char *text, enum attach_plan *plan, char *err, size_t err_size)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(names[i], text) == 0) {
			*plan = (enum attach_plan)i;
			return 0;
		}
	}
	snprintf(err, err_size, "capture plan \"%s\": there are auto, sock, syscall", text);
	return -EINVAL;
}
