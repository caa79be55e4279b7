/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.c - what this machine offers, what was chosen and why. Two tables: checks of the machine here,
 * the hooks in hooks.c; then the programs are really loaded and attached, with nothing selected.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "attach/attach.h"
#include "attach/hooks.h"
#include "attach/running.h"

enum verdict { FINE, NOTE, BAD };
static const char *const marks[] = {"ok  ", "note", "NO  "};

#define TEXT 400

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
	snprintf(text, TEXT, "%s: kprobes and fentry may be refused, they are not needed", mode[0] ? mode : "none");
	return FINE;
}

/* linux/capability.h */
static const struct { int bit; const char *name, *without; bool required; } caps[] = {
	{39, "BPF", "programs cannot be loaded", true},
	{38, "PERFMON", "tracing programs cannot be loaded", true},
	{19, "SYS_PTRACE", "programs of other users are not recognised (--exe, Go)", false},
	{21, "SYS_ADMIN", "listening ports of other network namespaces are not known at the start", false},
};

static enum verdict check_caps(char *text)
{
	FILE *f = fopen("/proc/self/status", "re");
	enum verdict v = FINE;
	uint64_t have = 0;
	char line[256];
	size_t at = 0;

	while (f && fgets(line, sizeof(line), f) && sscanf(line, "CapEff: %" SCNx64, &have) != 1)
		;
	if (f)
		fclose(f);
	if (have >> 21 & 1) /* CAP_SYS_ADMIN stands for both, capabilities(7) */
		have |= 3ull << 38;
	*text = 0;
	for (size_t i = 0; i < sizeof(caps) / sizeof(*caps) && at < TEXT; i++) {
		if (have >> caps[i].bit & 1)
			continue;
		at += (size_t)snprintf(text + at, TEXT - at, "%sno CAP_%s: %s", at ? "; " : "", caps[i].name,
				       caps[i].without);
		if (v != BAD)
			v = caps[i].required ? BAD : NOTE;
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

static const struct {
	const char *name;
	enum verdict (*run)(char *text);
} checks[] = {
	{"kernel", check_kernel},	  {"type information", check_btf}, {"lockdown", check_lockdown},
	{"capabilities", check_caps},	  {"locked memory", check_memlock}, {"pid namespace", check_pid_ns},
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

static enum verdict print_hooks(FILE *out)
{
	struct btf *btf = btf__load_vmlinux_btf();
	enum verdict worst = btf ? FINE : BAD;
	enum attach_plan plan = btf ? hooks__choose(btf, ATTACH_PLAN_AUTO) : ATTACH_PLAN_SOCK;

	fprintf(out, "\nhooks of capture plan \"%s\"%s\n", plan__name(plan),
		plan == ATTACH_PLAN_SOCK ? "" : ": this kernel has not those of \"sock\" (6.3 and later), which cost less");
	for (size_t i = 0; i < hooks_n; i++) {
		const struct hook *h = &hooks[i];
		bool entry, there;
		enum verdict v;

		if (!(h->plans & (1u << plan)))
			continue;
		entry = btf && hook__by_entry(btf, h);
		there = entry || (btf && hook__available(btf, h));
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
	struct attach_program programs[32];
	struct selection none = {0};
	struct attach_options o;
	struct attach *a;
	char err[512] = "";

	attach__defaults(&o);
	a = attach__new(&none, &o, err, sizeof(err));
	if (!a) {
		fprintf(out, "\nNO   trial             %s\n", err);
		return BAD;
	}
	fprintf(out, "\nok   trial             %zu programs load and attach; maps take %.1f MiB, %.1f of it the ring\n",
		attach__programs(a, programs, 32), (double)attach__map_bytes(a) / 1048576, (double)o.ring_bytes / 1048576);
	attach__free(a);
	return FINE;
}

static const char limits[] =
	"\nwhat is not traced\n"
	"     seen with sizes and times, but without bytes: sendfile, splice, what recvmmsg and 32-bit programs\n"
	"     receive; more than 16 vectors or 16 KiB in one call; before 6.17 what io_uring, sendmmsg and 32-bit\n"
	"     programs send; before 6.15 what io_uring receives\n"
	"     seen as ciphertext only: TLS\n"
	"     not seen: UDP, Unix sockets, MPTCP, kernel TLS ranges; as a gap: splice from a socket by io_uring\n"
	"     seen without the ids of its goroutines: what Go newer than 1.26 made\n"
	"     not seen in plan \"syscall\": io_uring, 32-bit programs, calls of more than 128 messages\n";

int doctor__run(FILE *out)
{
	enum verdict machine = print_checks(out), plan = print_hooks(out);
	enum verdict trial = machine == BAD || plan == BAD ? BAD : print_trial(out);

	if (machine == BAD || plan == BAD)
		fprintf(out, "\nNO   trial             not tried: see the lines that begin with NO\n");
	fputs(limits, out);
	return trial == BAD;
}
