#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Started with too little: it says exactly what is missing, or does without. Capabilities are in
# doctor.bats, lockdown is in tests/kernels (init, check), for it cannot be undone.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

# apart SETUP: into `apart` the words that run a command in a mount namespace of its own that SETUP has changed.
apart() { apart=(unshare --mount --propagation private sh -c "$1"' && exec "$@"' apart); }

# refuses PATTERN RUNNER...: trace ends with status 1 before it was ready, and says that.
refuses() {
	local pattern=$1
	shift
	run -1 --separate-stderr "$@" "$wirespan" trace --json -- true
	[[ $stderr == *$pattern* ]] || { echo "no '$pattern' in: $stderr"; false; }
	[[ $stderr != *"wirespan: ready"* && -z $output ]]
}

@test "no type information: doctor and trace name the file and the kernel option" {
	apart 'mount -t tmpfs none /sys/kernel/btf'
	refuses "/sys/kernel/btf/vmlinux: No such file or directory; the kernel needs CONFIG_DEBUG_INFO_BTF" "${apart[@]}"
	run -1 "${apart[@]}" "$wirespan" doctor
	grep -q '^NO   type information .*CONFIG_DEBUG_INFO_BTF' <<< "$output"
	grep -q '^NO   trial' <<< "$output"
}

@test "bpf() forbidden by seccomp: doctor and trace say so" {
	refuses "Operation not permitted; a seccomp filter is active" "$progs/nobpf.py"
	run -1 "$progs/nobpf.py" "$wirespan" doctor
	grep -q '^NO   system call .*bpf() is refused: Operation not permitted; a seccomp filter is active' <<< "$output"
	grep -q '^ok   capabilities' <<< "$output"
}

@test "/sys read-only: traces" {
	apart 'mount -o remount,bind,ro /sys && grep -q " /sys sysfs ro" /proc/mounts'
	traces "${apart[@]}" "$wirespan"
}

@test "no tracefs, no debugfs, no bpffs: traces" {
	apart 'for m in /sys/kernel/tracing /sys/kernel/debug /sys/fs/bpf; do umount -l $m 2> /dev/null; done; ! ls /sys/kernel/tracing/events 2> /dev/null'
	traces "${apart[@]}" "$wirespan"
}

@test "no ring buffer: perf buffers carry the same" {
	traces "$wirespan"
	tracer perf trace --json --transport perf --pid "$server_pid"
	perf=$pid
	get "http://127.0.0.1:$port/perf"
	stop_tracer perf "$perf"
	same "spans" "$(jq -r '.attributes["url.path"]' "$T/perf.out")" /perf
	same "names" "$(jq -r .name "$T/perf.out")" "$(jq -r .name "$T/trace.out")"
	"$root/tests/e2e/ledger.py" --nothing-lost "$T/perf.err"
}

@test "a plan that the kernel refuses is named, with what was refused and why" {
	run "$wirespan" doctor
	if grep -q '^note fentry  *not possible: the kernel refuses' <<< "$output"; then
		run -1 --separate-stderr "$wirespan" trace --capture fentry -- true
		[[ $stderr == *"the kernel refuses fexit/tcp_sendmsg_locked, which is needed for: bytes sent: "*"--capture auto"* ]]
	else
		run -0 --separate-stderr "$wirespan" trace --capture fentry -- true
	fi
}
