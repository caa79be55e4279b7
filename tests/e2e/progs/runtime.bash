# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# runtime.bash: daemons of container runtimes in mount and network namespaces of their own, for programs that
# are run by `unshare -m -n`. Before: dir, wirespan. Nothing stays behind.
export PATH=$PATH:/usr/sbin:/sbin

# Where these daemons keep things by default, and the agent looks: all of it is ours alone.
runtime__namespaces() {
	local d
	mount --make-rprivate /
	mount -t tmpfs tmpfs /run
	for d in /var/lib/docker /var/lib/containers /var/lib/containerd /var/lib/cni /etc/cni; do
		mkdir -p "$d"
		mount -t tmpfs tmpfs "$d"
	done
	ip link set lo up
	unset WIRESPAN_HOST_ROOT
}

daemons=() agent=
daemon() { "$@" > "$dir/${1##*/}.log" 2>&1 & daemons+=($!); }

agent_ends() {
	local pid=$agent
	agent=
	[ -z "$pid" ] || { kill "$pid" && wait "$pid"; }
}

finish() {
	local i
	! declare -F before_end > /dev/null || before_end
	agent_ends || true
	for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do
		kill "${daemons[i]}" && wait "${daemons[i]}" || true
	done
}

# until_ok COMMAND...: for 30 seconds.
until_ok() {
	local deadline=$((SECONDS + 30))
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || { echo "never came true: $*" >&2; return 1; }
		sleep 0.05
	done
}

# trace CONTAINER: the agent, ready when this returns. What it finds is in DIR/spans.
trace() {
	"$wirespan" trace --json ${WIRESPAN_E2E_WHY-} --container "$1" > "$dir/spans" 2> "$dir/agent.err" &
	agent=$!
	until_ok grep -q '^wirespan: ready' "$dir/agent.err"
}

containerd_up() {
	printf 'version = 2\nroot = "%s"\nstate = "/run/containerd"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "/run/containerd/containerd.sock"\n' \
		"$dir/containerd" > "$dir/containerd.toml"
	daemon containerd -c "$dir/containerd.toml"
	until_ok ctr version
}

docker_() { docker -H unix:///run/docker.sock "$@"; }

# docker_up OPTION...: of its network and its storage.
docker_up() {
	containerd_up
	daemon dockerd --containerd /run/containerd/containerd.sock --data-root /var/lib/docker --exec-root /run/docker -H unix:///run/docker.sock \
		--pidfile /run/docker.pid "$@"
	until_ok docker_ version
}

podman_() {
	podman --root /var/lib/containers/storage --runroot /run/containers/storage --runtime runc --cgroup-manager cgroupfs --events-backend file \
		--storage-driver "${storage:-vfs}" "$@"
}
podman_limits="--ulimit nofile=1024:1024 --ulimit nproc=4096:4096"   # none that would need CAP_SYS_RESOURCE
