# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# kubernetes.bash: a real Kubernetes node (tests/e2e/kubernetes/node) with a Collector, and the DaemonSet of deploy/
# on it, which traces the namespace shop. What the Collector got is in $F/collected/spans.jsonl.

ADDRESS=10.99.0.1   # of the node

# node_up IMAGE.tar...: with the agent's image and these.
node_up() {
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	make -s -C "$root" image > /dev/null
	e2e_setup_file
	bin=$("$root/tools/kubernetes.sh")
	collectors=${WIRESPAN_BACKENDS:-$("$root/tools/backends.sh" 3>&-)}
	version=$("$wirespan" --version | cut -d' ' -f2)
	export bin version
	echo 'int main(void) { for (;;) pause(); }' | cc -include unistd.h -O2 -static -x c -o "$F/pause" -
	pack pause "$F/pause"
	spawn node "$root/tests/e2e/kubernetes/node" "$bin" "$F/node" "$F/pause.tar" "$root"/build/deploy/wirespan-*.oci.tar "$@"
	until_ok 180 node_ready_or_ended "$pid"
	[ -e "$F/node/ready" ]
	mkdir "$F/collected"
	OUT=$F/collected HTTP_HOST=$ADDRESS spawn otelcol "$F/node/enter" "$collectors/otelcol" --config "$root/tests/e2e/backends/otelcol.yaml"
	until_ok 30 inside curl -sf "http://127.0.0.1:13133/"
}

node_down() {
	if [ -n "${F-}" ]; then
		[ ! -e "$F/node/enter" ] || inside kubectl get pods -A -o wide >&2 || true
		tail -n 5 "$F"/node/log/* "$F"/*.err >&2 || true
	fi
	e2e_teardown_file
}

node_ready_or_ended() { [ -e "$F/node/ready" ] || ! is_running "$1"; }
inside() { "$F/node/enter" "$@"; }
kubectl() { inside kubectl "$@"; }

# pack NAME PROGRAM: an image that holds one static program, as PROGRAM.tar (docker-archive).
pack() {
	"$py" - "$1" "$2" "$2.tar" <<-'PY'
		import hashlib, io, json, sys, tarfile
		name, program, out = sys.argv[1:]
		layer = io.BytesIO()
		with tarfile.open(fileobj=layer, mode="w") as t:
		    info = tarfile.TarInfo("program")
		    data = open(program, "rb").read()
		    info.size, info.mode = len(data), 0o755
		    t.addfile(info, io.BytesIO(data))
		diff = "sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()
		config = {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/program"]}, "rootfs": {"type": "layers", "diff_ids": [diff]}}
		manifest = [{"Config": "config.json", "RepoTags": ["localhost/%s:1" % name], "Layers": ["layer.tar"]}]
		with tarfile.open(out, "w") as t:
		    for path, data in ("config.json", json.dumps(config).encode()), ("manifest.json", json.dumps(manifest).encode()), ("layer.tar", layer.getvalue()):
		        info = tarfile.TarInfo(path)
		        info.size = len(data)
		        t.addfile(info, io.BytesIO(data))
	PY
}

# values: what this node needs beside the chart's own. Its runtime keeps its files in a mount namespace that
# the machine's first process has not.
values() {
	cat <<-Y
		config:
		  namespace: [shop]
		  otel.exporter.otlp.endpoint: http://$ADDRESS:4318
		  otel.bsp.schedule.delay: 200
		rbac: {services: true}
		extraEnv: [{name: WIRESPAN_HOST_ROOT, value: /host}]
		extraVolumes: [{name: containerd, hostPath: {path: /run/containerd}}]
		extraVolumeMounts: [{name: containerd, mountPath: /host/run/containerd, readOnly: true}]
	Y
}

deploy() {
	kubectl apply -f "$root/deploy/kubernetes/namespace.yaml"
	values > "$F/values.yaml"
	inside helm template wirespan "$root/deploy/chart" -n wirespan -f "$F/values.yaml" > "$F/manifest.yaml"
	kubectl apply -f "$F/manifest.yaml"
}

agent_pod() { kubectl -n wirespan get pod -l app.kubernetes.io/name=wirespan --field-selector=status.phase=Running -o 'jsonpath={.items[0].metadata.name}'; }

# The agent as the machine sees it.
agent_pid() {
	local id
	id=$(kubectl -n wirespan get pod "$(agent_pod)" -o 'jsonpath={.status.containerStatuses[0].containerID}')
	inside ctr -a /run/containerd.sock -n k8s.io task ls | awk -v id="${id#containerd://}" '$1 == id { print $2 }'
}

# Until the Collector has got nothing for two seconds.
sleep_until_quiet() {
	local before=-1 now
	now=$(stat -c %s "$F/collected/spans.jsonl")
	while [ "$now" != "$before" ]; do
		before=$now
		sleep 2
		now=$(stat -c %s "$F/collected/spans.jsonl")
	done
}
