#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What is installed: the image and its root file system, manifests and chart, systemd unit, Debian package.
load helper

CAPS=BPF,PERFMON,SYS_PTRACE,DAC_READ_SEARCH

setup_file() {
	make -s -C "$BATS_TEST_DIRNAME/../.." image deb > /dev/null
	tools=$("$BATS_TEST_DIRNAME/../../tools/kubernetes.sh" debs kubectl helm)
	export tools
}
setup() {
	e2e_setup
	out=$root/build/deploy
}
teardown() {
	local id
	for id in "$T"/runc/*; do
		[ ! -e "$id" ] || "$tools/runc" --root "$T/runc" delete --force "${id##*/}"
	done
	e2e_teardown
}

# bundle NAME CAPS ARGUMENT...: a bundle that runs `wirespan ARGUMENT...` as a node would: root with exactly
# these capabilities, read-only root, the host's pids and network, nothing of the host but /sys.
bundle() {
	local dir=$T/$1 caps=$2 args
	shift 2
	mkdir -p "$dir"
	args=$(printf "%s\n" /usr/sbin/wirespan "$@" | jq -Rnc "[inputs]")
	caps=$(jq -Rc '[splits(",") | select(. != "") | "CAP_" + .]' <<< "$caps,")
	cat > "$dir/config.json" <<-JSON
		{"ociVersion":"1.0.2","root":{"path":"$out/root","readonly":true},
		 "process":{"user":{"uid":0,"gid":0},"cwd":"/","args":$args,"noNewPrivileges":true,
		  "env":["PATH=/usr/sbin","WIRESPAN_E2E=$T"$(env | sed -n 's/^\(OTEL_[A-Z_]*=.*\)/,"\1"/p')],
		  "capabilities":{"bounding":$caps,"effective":$caps,"permitted":$caps}},
		 "mounts":[{"destination":"/proc","type":"proc","source":"proc","options":["nosuid","noexec","nodev"]},
		  {"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","noexec","mode=755"]},
		  {"destination":"/sys","type":"none","source":"/sys","options":["rbind","nosuid","noexec","nodev","ro"]}],
		 "linux":{"namespaces":[{"type":"mount"},{"type":"ipc"}],"cgroupsPath":"/wirespan-e2e-${T##*.}-${dir##*/}",
		  "maskedPaths":["/proc/kcore","/proc/keys"],"readonlyPaths":["/proc/sys","/proc/sysrq-trigger"]}}
	JSON
}

runc() { "$tools/runc" --root "$T/runc" "$@"; }

# --- the image --------------------------------------------------------------------------------

@test "image: at most 25 MB, one program and its libraries, no shell; the same bytes again" {
	archive=$(ls "$out"/wirespan-*.oci.tar)
	[ "$(stat -c %s "$archive")" -le 25000000 ]
	[ "$(du -sb "$out/root" | cut -f1)" -le 25000000 ]
	programs=$(find "$out/root" -type f -perm /111 ! -path '*/usr/lib/wirespan/*' -printf '%P\n')
	same "programs" "$programs" usr/sbin/wirespan
	same "links, devices, setuid" "$(find "$out/root" ! -type f ! -type d -o -perm /6000)" ""
	before=$(sha256sum "$out"/*.tar*)
	WIRESPAN=$out/root/usr/sbin/wirespan "$root/tools/image.sh" "$root/build/wirespan-bundled" "$out" > /dev/null
	same "a second image" "$(sha256sum "$out"/*.tar*)" "$before"
}

@test "image: a folder root that it did not make stays as it is" {
	mkdir -p "$T/out/root/usr/sbin" "$T/out/root/etc/wirespan"
	echo mine | tee "$T/out/root/etc/wirespan/wirespan.yaml" > "$T/out/root/usr/sbin/wirespan"
	run -1 --separate-stderr "$root/tools/image.sh" "$root/build/wirespan-bundled" "$T/out"
	[[ $stderr == *"$T/out/root"*"/etc/wirespan/wirespan.yaml"*"has not made it"* ]] || { echo "$stderr"; return 1; }
	same "files" "$(cat "$T/out/root/usr/sbin/wirespan" "$T/out/root/etc/wirespan/wirespan.yaml" | xargs; ls -A "$T/out")" "mine mine
root"
	mv "$T/out/root" "$T/theirs"
	ln -s "$T/theirs" "$T/out/root"
	run -1 --separate-stderr "$root/tools/image.sh" "$root/build/wirespan-bundled" "$T/out"
	[[ $stderr == *"no folder"* ]] || { echo "$stderr"; return 1; }
	same "still there" "$(cat "$T/theirs/usr/sbin/wirespan")" mine
}

@test "image: an OCI layout whose digests and sizes are right" {
	mkdir "$T/layout"
	tar -C "$T/layout" -xf "$out"/wirespan-*.oci.tar
	"$py" - "$T/layout" <<-'PY'
		import gzip, hashlib, json, os, sys
		os.chdir(sys.argv[1])
		def blob(d):
		    data = open("blobs/" + d["digest"].replace(":", "/"), "rb").read()
		    assert len(data) == d["size"] and "sha256:" + hashlib.sha256(data).hexdigest() == d["digest"], d
		    return data
		assert json.load(open("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
		index = json.load(open("index.json"))
		manifest = json.loads(blob(index["manifests"][0]))
		config = json.loads(blob(manifest["config"]))
		layer = gzip.decompress(blob(manifest["layers"][0]))
		assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]
		assert config["config"]["User"] == "0:0" and config["config"]["Entrypoint"] == ["/usr/sbin/wirespan"]
		named = {d["digest"] for d in [index["manifests"][0], manifest["config"], *manifest["layers"]]}
		assert named == {"sha256:" + f for f in os.listdir("blobs/sha256")}, "a blob that nothing names"
	PY
}

@test "image: its program runs where there is no library at all, and on a system with others" {
	mkdir -p "$T/empty"
	tar -C "$T/empty" -xzf "$out"/wirespan-*.tar.gz
	same "what is there" "$(ls "$T/empty")" usr
	same "version" "$(chroot "$T/empty" /usr/sbin/wirespan --version)" "$("$wirespan" --version)"
	# musl's loader would be at this place; a wrong library of the system's must not be taken.
	mkdir -p "$T/empty/lib" "$T/empty/lib64"
	echo nonsense > "$T/empty/lib/ld-musl-x86_64.so.1"
	echo nonsense | tee "$T/empty/lib/libc.so.6" "$T/empty/lib64/libcurl.so.4" > /dev/null
	chroot "$T/empty" /usr/sbin/wirespan agent --print-config > "$T/printed"
	holds "$T/printed" "ring-size: 8 # default"
}

@test "image: under runc, with a read-only root and four capabilities, it traces and exports" {
	sink
	server server "$progs/http_server.py"
	export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$sink_port OTEL_BSP_SCHEDULE_DELAY=100
	bundle agent $CAPS agent --pid "$pid"
	spawn agent "$tools/runc" --root "$T/runc" run --bundle "$T/agent" agent
	until_ok 30 said_ready_or_ended agent "$pid"
	said_ready agent
	runc_pid=$pid
	inside=$(jq .init_process_pid "$T/runc/agent/state.json")
	same "capabilities" "$(awk '/CapEff/ { print $2 }' "/proc/$inside/status")" 000000c000080004
	[[ $(awk '$2 == "/" { print $4 }' "/proc/$inside/mounts") = ro,* ]]
	same "filters, no new privileges" "$(awk '/^(Seccomp|NoNewPrivs):/ { print $2 }' "/proc/$inside/status" | xargs)" "1 2"
	curl -sS "http://127.0.0.1:$port/1" "http://127.0.0.1:$port/2" > "$T/answers"
	until_ok 10 grep -q '"/2"' "$T/spans"
	runc kill agent TERM
	ends "$runc_pid" 20
	same "exit status" "$status" 0
	balanced "$T/agent.err"
	same "spans" "$(jq -r '.attributes["url.path"]' "$T/spans" | xargs)" "/1 /2"
	# The name that its environment gives is known, which takes SYS_PTRACE and DAC_READ_SEARCH.
	same "service" "$(jq -r '.resource["service.name"]' "$T/spans" | sort -u)" http_server
}

# --- manifests --------------------------------------------------------------------------------

helm() { HELM_CACHE_HOME=$T/helm HELM_CONFIG_HOME=$T/helm HELM_DATA_HOME=$T/helm "$tools/helm" "$@"; }
chart() { helm template wirespan "$root/deploy/chart" --namespace wirespan "$@"; }

# objects FILE: a manifest's objects as sorted JSON, a line each.
objects() {
	"$py" - "$1" <<-'PY'
		import json, sys, yaml
		docs = [d for d in yaml.safe_load_all(open(sys.argv[1])) if d]
		print("\n".join(sorted(json.dumps(d, sort_keys=True) for d in docs)))
	PY
}

# agent_of FILE JQ: of the DaemonSet in it.
agent_of() { objects "$1" | jq -r "select(.kind == \"DaemonSet\") | .spec.template.spec | $2"; }

@test "chart: helm lint is content, the schema refuses what is wrong" {
	helm lint --strict "$root/deploy/chart"
	refused() {
		! chart "$@" > "$T/refused" 2>&1 || { echo "taken: $*" >&2; return 1; }
		grep -qi "schema" "$T/refused" || { cat "$T/refused" >&2; return 1; }
	}
	refused --set capabilities='{SYS_MODULE}'
	refused --set nosuchvalue=1
	refused --set image.pullPolicy=Sometimes
	refused --set resources.limits=null
	refused --set config=null
	refused --set priorityClass.value=2000000000
	refused --set spool.hostPath=var
	refused --set state.hostPath=run
	# What YAML 1.1 makes of "off" without quotes.
	refused --set config.metrics=false
}

@test "chart: probes only where the agent has an address at which it answers" {
	local row
	for row in "127.0.0.1:9000 3" "[::1]:10 3" "off 0" "127.0.0.1:0 0" "[::1]:00 0"; do
		chart --set-string "config.metrics=${row% *}" > "$T/chart.yaml"
		same "$row" "$(agent_of "$T/chart.yaml" '[.containers[0] | keys[] | select(endswith("Probe"))] | length')" "${row#* }"
	done
	chart --set 'extraEnv[0].name=WIRESPAN_METRICS,extraEnv[0].value=off' > "$T/chart.yaml"
	same "variable" "$(agent_of "$T/chart.yaml" '[.containers[0] | keys[] | select(endswith("Probe"))] | length')" 0
}

@test "chart: every value is in the schema" {
	same "values" "$("$py" -c 'import sys, yaml; print(*sorted(yaml.safe_load(open(sys.argv[1]))))' "$root/deploy/chart/values.yaml")" \
		"$(jq -r '.properties | del(.global) | keys | sort | join(" ")' "$root/deploy/chart/values.schema.json")"
}

@test "manifest, Kustomize base and chart say the same" {
	version=$("$wirespan" --version | cut -d' ' -f2)
	same "the image's version in the chart" "$(sed -n 's/^appVersion: //p' "$root/deploy/chart/Chart.yaml")" "$version"
	chart > "$T/chart.yaml"
	objects "$T/chart.yaml" > "$T/chart"
	objects "$root/deploy/kubernetes/wirespan.yaml" > "$T/manifest"
	"$tools/kubectl" kustomize "$root/deploy/kubernetes" > "$T/kustomize.yaml"
	objects "$T/kustomize.yaml" | grep -v '"kind": "Namespace"' > "$T/kustomize"
	diff "$T/chart" "$T/manifest"
	diff "$T/chart" "$T/kustomize"
	[ "$(wc -l < "$T/chart")" -ge 6 ]
}

@test "manifest: least rights" {
	m=$root/deploy/kubernetes/wirespan.yaml
	agent_of "$m" '.containers[0].securityContext' > "$T/context"
	same "capabilities" "$(jq -r '.capabilities | "-\(.drop[]) +\(.add | join(","))"' "$T/context")" "-ALL +$CAPS"
	same "the rest" "$(jq -c '[.privileged, .allowPrivilegeEscalation, .readOnlyRootFilesystem, .runAsUser]' "$T/context")" "[false,false,true,0]"
	same "pod" "$(agent_of "$m" '[.hostPID, .hostNetwork, .hostIPC, .securityContext.seccompProfile.type, .enableServiceLinks] | tostring')" \
		'[true,null,null,"RuntimeDefault",false]'
	same "ports" "$(agent_of "$m" '.containers[0].ports')" null
	same "mounts that can be written to" "$(agent_of "$m" '.containers[0].volumeMounts[] | select(.readOnly | not) | .mountPath')" /run/wirespan
	objects "$m" | jq -r 'select(.kind == "ConfigMap").data["wirespan.yaml"]' > "$T/config"
	holds "$T/config" "state-dir: /run/wirespan"
	chart --set state.enabled=false > "$T/stateless.yaml"
	same "mounts without a state" "$(agent_of "$T/stateless.yaml" '.containers[0].volumeMounts[] | select(.readOnly | not)')" ""
	lacks "$T/stateless.yaml" state-dir
	same "verbs" "$(objects "$m" | jq -r 'select(.kind == "ClusterRole") | .rules[].verbs | sort | join(" ")' | sort -u)" "list watch"
	same "resources" "$(objects "$m" | jq -c 'select(.kind == "ClusterRole") | .rules[].resources')" '["pods"]'
	chart --set rbac.services=true > "$T/services.yaml"
	same "with services" "$(objects "$T/services.yaml" | jq -c 'select(.kind == "ClusterRole") | .rules[].resources')" '["pods","services"]'
	objects "$T/services.yaml" | jq -r 'select(.kind == "ConfigMap").data["wirespan.yaml"]' > "$T/config"
	holds "$T/config" "kubernetes-services: true"
	chart --set spool.enabled=true > "$T/spool.yaml"
	same "mounts with a spool" "$(agent_of "$T/spool.yaml" '.containers[0].volumeMounts[] | select(.readOnly | not) | .mountPath' | xargs)" "/run/wirespan /var/lib/wirespan"
	objects "$T/spool.yaml" | jq -r 'select(.kind == "ConfigMap").data["wirespan.yaml"]' > "$T/spool-config"
	holds "$T/spool-config" "spool: /var/lib/wirespan"
}

@test "the configuration in the manifest and in the package is one that the agent takes" {
	objects "$root/deploy/kubernetes/wirespan.yaml" | jq -r 'select(.kind == "ConfigMap").data["wirespan.yaml"]' > "$T/wirespan.yaml"
	"$wirespan" agent --config "$T/wirespan.yaml" --print-config > "$T/out"
	holds "$T/out" "# $T/wirespan.yaml:"
	"$wirespan" agent --config "$root/deploy/wirespan.yaml" --print-config > "$T/out"
	sed 's/^#\([a-z]\)/\1/' "$root/deploy/wirespan.yaml" > "$T/all.yaml"
	"$wirespan" agent --config "$T/all.yaml" --print-config > "$T/out"
	holds "$T/out" "all: true" "comm: [nginx]"
	# As it comes it selects nothing, and says so.
	run -2 "$wirespan" agent --config "$root/deploy/wirespan.yaml"
	[[ $output = *"nothing selected"* ]]
}

# --- the unit and the package -----------------------------------------------------------------

unit() { sed -n "s/^$1=//p" "$root/deploy/systemd/wirespan.service"; }

@test "unit: systemd understands it; it has the rights and limits of the DaemonSet" {
	command -v systemd-analyze > /dev/null || skip "no systemd-analyze here"
	sed "s|/usr/sbin/wirespan|$wirespan|" "$root/deploy/systemd/wirespan.service" > "$T/wirespan.service"
	systemd-analyze verify --man=no "$T/wirespan.service" > "$T/verify" 2>&1
	same "what systemd says" "$(grep wirespan.service "$T/verify" || true)" ""
	same "capabilities" "$(unit CapabilityBoundingSet | sed 's/CAP_//g; s/ /,/g')" "$CAPS"
	m=$root/deploy/kubernetes/wirespan.yaml
	same "memory" "$(unit MemoryMax)i" "$(agent_of "$m" '.containers[0].resources.limits.memory')"
	mib=$(sed -n 's/^max-memory: //p' "$root/deploy/wirespan.yaml")
	same "what the agent keeps to" "$mib" "$(objects "$m" | jq -r 'select(.kind == "ConfigMap").data["wirespan.yaml"]' | sed -n 's/^ *max-memory: //p')"
	[ "$mib" -lt "$(unit MemoryMax | tr -d M)" ]
	same "CPU" "$(unit CPUQuota)" "$(($(agent_of "$m" '.containers[0].resources.limits.cpu') * 100))%"
	same "time to stop" "$(unit TimeoutStopSec)" "$(agent_of "$m" .terminationGracePeriodSeconds)"
	same "command" "$(unit ExecStart)" "/usr/sbin/wirespan $(agent_of "$m" '.containers[0].args | join(" ")')"
}

@test "package: the same bytes again; it installs, runs, and goes without a trace" {
	deb=$(ls "$out"/wirespan_*.deb)
	before=$(sha256sum "$deb")
	"$root/tools/deb.sh" "$wirespan" "$out" > /dev/null
	same "a second package" "$(sha256sum "$deb")" "$before"
	# Into a copy of this very system: its own dpkg, with the dependencies that are installed here.
	mkdir "$T/system"
	unshare -m bash -euc '
		mount -t tmpfs tmpfs "$1"
		mkdir "$1/upper" "$1/work" "$1/all"
		mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/all"
		cp "$2" "$1/all/w.deb"
		rm -rf "$1/all/run"; mkdir "$1/all/run"; mount --rbind /proc "$1/all/proc"; mount --rbind /dev "$1/all/dev"
		in="chroot $1/all env DEBIAN_FRONTEND=noninteractive"
		! $in dpkg -s wirespan > /dev/null 2>&1
		$in dpkg -i /w.deb
		$in dpkg --verify wirespan
		$in /usr/sbin/wirespan --version
		$in test -e /lib/systemd/system/wirespan.service
		$in sh -c "echo ring-size: 16 >> /etc/wirespan/wirespan.yaml"
		$in dpkg -i /w.deb < /dev/null
		$in /usr/sbin/wirespan agent --config /etc/wirespan/wirespan.yaml --print-config | grep "ring-size: 16"
		$in dpkg --purge wirespan
		left=$(cd "$1/upper"; find etc usr lib var/lib/wirespan -path "*wirespan*" ! -type c ! -path "var/lib/dpkg/*" 2> /dev/null || true)
		[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
	' _ "$T/system" "$deb" > "$T/install.log" 2>&1
	holds "$T/install.log" "$("$wirespan" --version)" "ring-size: 16"
}
