#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# `wirespan doctor`: what this machine offers and what is used.
load helper

setup() { e2e_setup; }
teardown() { e2e_teardown; }

@test "doctor exits 0 here and says that the programs load and attach" {
	run -0 --separate-stderr "$wirespan" doctor
	same "messages" "$stderr" ""
	[[ $output == *"ok   trial"*"programs load and attach"* ]]
	run ! grep -q '^NO ' <<< "$output"
}

@test "doctor names kernel, type information, lockdown, capabilities, memory and the limits" {
	run -0 "$wirespan" doctor
	for word in "kernel  .*$(uname -r)" "type information" lockdown capabilities "locked memory" "pid namespace" "MiB"; do
		grep -q "$word" <<< "$output" || { echo "$word is missing"; false; }
	done
	grep -q "^what is not traced" <<< "$output"
	grep -q TLS <<< "$output"
}

@test "doctor names each hook with what it gives" {
	run -0 "$wirespan" doctor
	for hook in sock_send_length sock_recv_length tcp_sendmsg_locked sk_data_ready inet_sock_set_state \
		sched_process_fork sched_process_exec sched_process_exit sched_switch iter/tcp iter/task_file; do
		grep -Eq "^(ok|note) +$hook +[a-z]" <<< "$output" || { echo "$hook is missing"; false; }
	done
	# What it says is attached is what a tracer attaches.
	server server "$progs/http_server.py"
	tracer trace trace --json --pid "$pid"
	loaded=$(sed -sn 's/^prog_id:\t//p' /proc/"$pid"/fdinfo/* | sort -u | wc -l)
	same "programs" "$(sed -n 's/^ok   trial *\([0-9]*\) programs.*/\1/p' <<< "$output")" "$loaded"
}

@test "doctor says how much memory the maps take: at most 16 MiB by default" {
	run -0 "$wirespan" doctor
	mib=$(sed -n 's/.*maps take \([0-9.]*\) MiB.*/\1/p' <<< "$output")
	awk -v n="$mib" 'BEGIN { exit !(n > 0 && n <= 16) }'
}

@test "doctor without privileges says what is missing and exits 1" {
	cp "$wirespan" "$T/wirespan"
	run -1 --separate-stderr setpriv --reuid nobody --regid nogroup --clear-groups --bounding-set=-all "$T/wirespan" doctor
	[[ $output == *"NO   capabilities"*CAP_BPF* ]]
	[[ $output == *"NO   trial"* ]]
}

@test "without privileges tracing fails with a message that says what is needed" {
	cp "$wirespan" "$T/wirespan"
	run -1 --separate-stderr setpriv --reuid nobody --regid nogroup --clear-groups --bounding-set=-all "$T/wirespan" trace -- true
	[[ $stderr == *"no CAP_BPF and CAP_PERFMON"*root* ]]
	run ! grep -q ready <<< "$stderr"
}

@test "least privilege: CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE are enough to trace" {
	cp "$wirespan" "$T/wirespan"
	traces setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps=-all,+bpf,+perfmon,+sys_ptrace \
		--ambient-caps=-all,+bpf,+perfmon,+sys_ptrace --bounding-set=-all,+bpf,+perfmon,+sys_ptrace "$T/wirespan"
}

# without CAP...: a server of user nobody, named by its environment, is traced as root with the four capabilities
# of the DaemonSet but these. $status, $T/trace.err, and in $names the services of its spans.
without() {
	local cap set=+bpf,+perfmon,+sys_ptrace,+dac_read_search
	for cap; do set=$(sed "s/+$cap,\{0,1\}//; s/,$//" <<< "$set"); done
	: > "$T/trace.out"
	spawn trace setpriv --bounding-set="-all,$set" --inh-caps=-all "$wirespan" trace --json --exe "$T/server"
	until_ok 20 said_ready_or_ended trace "$pid"
	status=0
	if said_ready trace; then
		get "http://127.0.0.1:$port/"
		kill "$pid"
	fi
	ends "$pid" 20
	names=$(jq -r '.resource["service.name"]' "$T/trace.out" | sort -u | xargs)
}

@test "each capability removed in turn: a clear message, and the very loss that it names" {
	cp "$(readlink -f "$py")" "$T/server"   # only this one matches --exe
	export OTEL_SERVICE_NAME=named
	server server setpriv --reuid nobody --regid nogroup --clear-groups "$T/server" "$progs/http_server.py"
	unset OTEL_SERVICE_NAME
	without
	same "with all four" "$status $names" "0 named"
	lacks "$T/trace.err" CAP_
	without bpf
	same "status" "$status" 1
	holds "$T/trace.err" "BPF programs cannot be loaded: Operation not permitted, for there is no CAP_BPF;"
	without perfmon
	same "status" "$status" 1
	holds "$T/trace.err" "for there is no CAP_PERFMON;"
	# Programs of other users are not recognised: nothing matches --exe.
	without sys_ptrace
	same "without CAP_SYS_PTRACE" "$status $names" "0 "
	holds "$T/trace.err" "no CAP_SYS_PTRACE: programs of other users are not recognised"
	lacks "$T/trace.err" CAP_DAC_READ_SEARCH
	# Their environment is not read: their name is the program's.
	without dac_read_search
	same "without CAP_DAC_READ_SEARCH" "$status $names" "0 server"
	holds "$T/trace.err" "no CAP_DAC_READ_SEARCH: environments of other users' processes are not read"
	lacks "$T/trace.err" CAP_SYS_PTRACE
}
