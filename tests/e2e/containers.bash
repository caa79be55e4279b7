# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# containers.bash: containers for the tests, by runc, with the host's programs, read-only, as their image. The
# agent looks for the runtimes' files below $host (WIRESPAN_HOST_ROOT), so that no other container is met.

# For files that need no more than these.
setup() {
	e2e_setup
	containers_setup
}
teardown() {
	containers_teardown
	e2e_teardown
}

containers_setup() {
	command -v runc > /dev/null || { echo "runc is not there: tools/setup.sh" >&2; return 1; }
	host=$T/host
	mkdir -p "$host/run/runc" "$T/bundles"
	export WIRESPAN_HOST_ROOT=$host
	tag=wirespan-e2e-${T##*.}
}

runc_() { runc --root "$host/run/runc" "$@"; }

# random_id: as the runtimes make them.
random_id() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# bundle ID CGROUP NETNS COMMAND...: $T/bundles/ID; NETNS: "" one of its own, "host", or a path. $binds: more folders,
# to be seen at the same place, read-write. $cwd, $container_env: lines NAME=VALUE. $shared_pids: no pid namespace.
bundle() {
	local id=$1 cgroup=$2 netns=$3 dir=$T/bundles/$1 d
	shift 3
	mkdir -p "$dir/rootfs"
	for d in bin etc lib lib64 proc sbin sys tmp usr dev opt root run var $root $T ${binds-}; do mkdir -p "$dir/rootfs/${d#/}"; done
	(cd "$dir" && runc spec)
	# shellcheck disable=SC2016
	jq --arg cgroup "$cgroup" --arg netns "$netns" --arg mark "WIRESPAN_E2E=$T" --arg binds "${binds-}" --argjson args "$(printf '%s\n' "$@" | jq -R . | jq -s .)" --arg cwd "${cwd-/}" --arg shared "${shared_pids-}" \
		--arg ro "/bin /etc /lib /lib64 /sbin /usr /opt $(cd "$root" && pwd)" \
		'.process.args = $args | .process.terminal = false | .process.noNewPrivileges = false
		| .process.env += [$mark, "PYTHONDONTWRITEBYTECODE=1"] + ($ENV.container_env // "" | split("\n") | map(select(. != "")))
		| .process.cwd = $cwd | .process.rlimits = [] | .root.readonly = true
		| .process.capabilities |= map_values(. + ["CAP_NET_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SYS_ADMIN"])
		| .linux.cgroupsPath = $cgroup | .linux.resources = {}
		| .mounts |= map(select(.destination != "/sys/fs/cgroup"))
		| .mounts += [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]
		| .mounts += ($ro | split(" ") | map(select(. != "") | {"destination": ., "type": "bind", "source": ., "options": ["rbind", "ro"]}))
		| .mounts += ($binds | split(" ") | map(select(. != "") | {"destination": ., "type": "bind", "source": ., "options": ["rbind", "rw"]}))
		| .linux.namespaces |= if $shared != "" then map(select(.type != "pid")) else . end
		| .linux.namespaces |= if $netns == "host" then map(select(.type != "network"))
			elif $netns == "" then . else map(if .type == "network" then .path = $netns else . end) end' \
		"$dir/config.json" > "$dir/config.new"
	mv "$dir/config.new" "$dir/config.json"
}

# annotate ID KEY VALUE
annotate() {
	# shellcheck disable=SC2016
	jq --arg k "$2" --arg v "$3" '.annotations[$k] = $v' "$T/bundles/$1/config.json" > "$T/bundles/$1/config.new"
	mv "$T/bundles/$1/config.new" "$T/bundles/$1/config.json"
}

# container_run ID: in the background; $pid is runc's, which ends with it.
container_run() {
	spawn "run-$1" runc --root "$host/run/runc" run --bundle "$T/bundles/$1" "$1"
	echo "$1" >> "$T/containers"
}

# as_docker ID NAME IMAGE [LABELS]: what `docker create` leaves on disk.
as_docker() {
	local dir=$host/var/lib/docker/containers/$1
	mkdir -p "$dir"
	printf '{"ID":"%s","Name":"/%s","Config":{"Image":"%s","Labels":%s}}' "$1" "$2" "$3" "${4-{\}}" > "$dir/config.v2.json"
}

# as_cri ID NAME POD NAMESPACE UID IMAGE: what containerd's CRI leaves, before it calls runc.
as_cri() {
	local dir=$host/run/containerd/io.containerd.runtime.v2.task/k8s.io/$1
	mkdir -p "$dir"
	printf '{"annotations":{"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.container-name":"%s",
		"io.kubernetes.cri.sandbox-name":"%s","io.kubernetes.cri.sandbox-namespace":"%s",
		"io.kubernetes.cri.sandbox-uid":"%s","io.kubernetes.cri.image-name":"%s"}}' "${@:2}" > "$dir/config.json"
}

containers_teardown() {
	local id
	if [ -e "${T-}/containers" ]; then
		while read -r id; do runc_ delete --force "$id" 2> /dev/null; done < "$T/containers"
	fi
	# What runc made above the containers' own: only folders of this test's name.
	find /sys/fs/cgroup -depth -type d -path "*/$tag*" -exec rmdir {} + 2> /dev/null
	return 0
}
