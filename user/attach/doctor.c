/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.c - what this machine offers, what was chosen and why. Two tables: checks of the machine here,
 * the hooks in hooks.c; then the programs are really loaded and attached, with nothing selected.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "attach/attach.h"
#include "attach/hooks.h"
#include "attach/rights.h"
#include "attach/running.h"

enum verdict { FINE, NOTE, BAD };
static const char *const marks[] = {"ok  ", "note", "NO  "};

#define TEXT 800
#define PROGRAMS_MAX 64

static enum verdict check_kernel(char *text)
{
	struct utsname u;

	uname(&u);
	snprintf(text, TEXT, "%.100s %.60s", u.release, u.machine);
	return FINE;
}

static enum verdict check_btf(char *text)
{
	bool there = access("/sys/kernel/btf/vmlinux", R_OK) == 0;

	snprintf(text, TEXT, "/sys/kernel/btf/vmlinux %s",
		 there ? "is readable" : "cannot be read: the kernel needs CONFIG_DEBUG_INFO_BTF");
	return there ? FINE : BAD;
}

/* "none [integrity] confidentiality": the one in brackets holds. kernel_lockdown(7). */
static enum verdict check_lockdown(char *text)
{
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[80] = "", mode[20] = "";

	if (!f) {
		snprintf(text, TEXT, "unknown: /sys/kernel/security is not mounted (integrity would be fine)");
		return NOTE;
	}
	if (fgets(line, sizeof(line), f) && strchr(line, '['))
		sscanf(strchr(line, '[') + 1, "%19[a-z]", mode);
	fclose(f);
	if (strcmp(mode, "confidentiality") == 0) {
		snprintf(text, TEXT, "confidentiality: BPF may not read kernel memory; start with lockdown=integrity");
		return BAD;
	}
	snprintf(text, TEXT, "%s: fine", mode[0] ? mode : "none");
	return FINE;
}

static enum verdict check_caps(char *text)
{
	uint64_t have = rights__have();
	enum verdict v = FINE;
	size_t at = 0;

	*text = 0;
	for (size_t i = 0; i < rights_n && at < TEXT; i++) {
		if (have >> rights[i].bit & 1)
			continue;
		at += (size_t)snprintf(text + at, TEXT - at, "%sno %s: %s", at ? "; " : "", rights[i].name, rights[i].without);
		if (v != BAD)
			v = rights[i].need == RIGHT_REQUIRED ? BAD : NOTE;
	}
	if (!at)
		snprintf(text, TEXT, "all that are of use");
	return v;
}

static enum verdict check_memlock(char *text)
{
	struct rlimit l = {0};

	getrlimit(RLIMIT_MEMLOCK, &l);
	if (l.rlim_cur == RLIM_INFINITY)
		snprintf(text, TEXT, "unlimited");
	else
		snprintf(text, TEXT, "%llu KiB; of no effect on BPF from 5.11 on", (unsigned long long)l.rlim_cur >> 10);
	return FINE;
}

static enum verdict check_pid_ns(char *text)
{
	bool init = running__sees_all();

	snprintf(text, TEXT, "%s", init ? "the initial one" : "not the initial one: " RUNNING_SEES_ALL_ADVICE);
	return init ? FINE : BAD;
}

static enum verdict check_bpf(char *text)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "wirespan_try", 4, 4, 1, NULL), rc = fd < 0 ? fd : 0;
	char missing[64];

	if (fd >= 0)
		close(fd);
	rights__required(missing, sizeof(missing));
	snprintf(text, TEXT, "bpf() %s%s%s", rc ? "is refused: " : "is allowed", rc ? strerror(-rc) : "",
		 !rc	     ? "" :
		 *missing    ? "; see capabilities" :
		 rights__filtered() ? "; " RIGHTS_FILTER_ADVICE :
			       "");
	return rc ? BAD : FINE;
}

static enum verdict check_ring(char *text)
{
	int rc = attach__try_ring(ATTACH_RING_BYTES);

	snprintf(text, TEXT, rc ? "no ring buffer: %s; perf buffers are used, which cost a little more" : "ring buffer",
		 strerror(-rc));
	return rc ? NOTE : FINE;
}

static const struct {
	const char *name;
	enum verdict (*run)(char *text);
} checks[] = {
	{"kernel", check_kernel},	  {"type information", check_btf}, {"lockdown", check_lockdown},
	{"capabilities", check_caps},	  {"locked memory", check_memlock}, {"pid namespace", check_pid_ns},
	{"system call", check_bpf},	  {"transport", check_ring},
};

static enum verdict print_checks(FILE *out)
{
	enum verdict worst = FINE;

	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		char text[TEXT] = "";
		enum verdict v = checks[i].run(text);

		fprintf(out, "%s %-17s %s\n", marks[v], checks[i].name, text);
		if (v > worst)
			worst = v;
	}
	return worst;
}

/* Which plan, and why none of the others. */
static void print_plans(FILE *out, const struct btf *btf, enum attach_plan chosen)
{
	fprintf(out, "\ncapture plans, in order of choice\n");
	for (enum attach_plan plan = ATTACH_PLAN_SOCK; plan <= ATTACH_PLAN_SYSCALL; plan++) {
		int rc = 0;
		const struct hook *h = hooks__lacking(btf, plan, &rc);

		fprintf(out, "%s %-20s ", marks[plan == chosen || !h ? FINE : NOTE], plan__name(plan));
		if (plan == chosen)
			fprintf(out, "chosen\n");
		else if (!h)
			fprintf(out, "not chosen: it costs more\n");
		else if (rc == -ENOENT)
			fprintf(out, "not possible: this kernel has no %s (%s and later)\n", h->what, h->since);
		else
			fprintf(out, "not possible: the kernel refuses %s: %s\n", h->what, strerror(-rc));
	}
}

static enum verdict print_hooks(FILE *out)
{
	struct btf *btf = btf__load_vmlinux_btf();
	enum verdict worst = btf ? FINE : BAD;
	enum attach_plan plan = btf ? hooks__choose(btf, ATTACH_PLAN_AUTO) : ATTACH_PLAN_SOCK;

	if (btf)
		print_plans(out, btf, plan);
	fprintf(out, "\nhooks of capture plan \"%s\"\n", plan__name(plan));
	for (size_t i = 0; i < hooks_n; i++) {
		const struct hook *h = &hooks[i];
		bool entry, there;
		int rc;
		enum verdict v;

		if (btf ? !hook__applies(btf, h, plan) : !(h->plans & (1u << plan)))
			continue;
		rc = btf ? hook__available(btf, h) : -ENOENT;
		entry = rc && btf && hook__by_entry(btf, h);
		there = entry || rc == 0;
		v = there ? FINE : h->required ? BAD : NOTE;
		fprintf(out, "%s %-20s ", marks[v], h->what);
		if (there)
			fprintf(out, "%s%s\n", h->gives, entry ? ", by entering the function (fentry)" : "");
		else
			fprintf(out, "%s: not in this kernel (%s and later); %s\n", h->gives, h->since, h->without);
		if (v > worst)
			worst = v;
	}
	btf__free(btf);
	return worst;
}

/* The proof: with nothing selected, so nobody is observed. */
static enum verdict print_trial(FILE *out)
{
	struct attach_program programs[PROGRAMS_MAX];
	struct selection none = {0};
	struct attach_options o;
	struct attach *a;
	char err[512] = "";

	attach__defaults(&o);
	a = attach__new(&none, &o, err, sizeof(err));
	if (!a || attach__start(a, err, sizeof(err))) {
		attach__free(a);
		fprintf(out, "\nNO   trial             %s\n", err);
		return BAD;
	}
	fprintf(out, "\nok   trial             %zu programs load and attach; maps take %.1f MiB, %.1f of it the ring\n",
		attach__programs(a, programs, PROGRAMS_MAX), (double)attach__map_bytes(a) / 1048576, (double)o.ring_bytes / 1048576);
	attach__free(a);
	return FINE;
}

static const char limits[] =
	"\nwhat is not traced\n"
	"     seen with sizes and times, but without bytes: sendfile, splice, what recvmmsg and 32-bit programs\n"
	"     receive; more than 16 vectors or 16 KiB in one call; in plan \"sock\" before 6.17 what io_uring, sendmmsg\n"
	"     and 32-bit programs send, before 6.15 what io_uring receives\n"
	"     seen as ciphertext only: TLS\n"
	"     not seen: UDP, Unix sockets, MPTCP, kernel TLS ranges; as a gap: splice from a socket by io_uring\n"
	"     seen without the ids of its goroutines: what Go newer than 1.26 made\n"
	"     not seen in plan \"syscall\": 32-bit programs; as a gap: what io_uring moves\n";

int doctor__run(FILE *out)
{
	enum verdict machine = print_checks(out), plan = print_hooks(out);
	enum verdict trial = machine == BAD || plan == BAD ? BAD : print_trial(out);

	if (machine == BAD || plan == BAD)
		fprintf(out, "\nNO   trial             not tried: see the lines that begin with NO\n");
	fputs(limits, out);
	return trial == BAD;
}
