#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tools/kubernetes.sh [-d DIR] [PROGRAM...]: get the programs of a one-node Kubernetes for the tests.
#
# Leaves in DIR/bin kube-apiserver, kube-controller-manager, kube-scheduler, kube-proxy, kubelet, kubectl (1.35.4) and
# helm, built from their Go modules, and etcd, containerd, ctr, containerd-shim-runc-v2 and runc from the
# distribution's packages, unpacked below DIR/deb (with the network plugins) and not installed. With names:
# only these; "debs" stands for all packages. DIR defaults to a cache outside the work tree,
# ${XDG_CACHE_HOME:-~/.cache}/wirespan/kubernetes, so that a clean tree, a second clone and CI reuse it.
# Prints DIR/bin on stdout, progress on stderr. Cold it takes about 20 minutes on two cores and 2 GiB of
# memory; a second run only looks. JOBS sets the parallelism of the builds.
set -euo pipefail

GO=1.26.8
KUBERNETES=v1.35.4
STAGING=v0.35.4           # its own modules, as published for that release
HELM=v3.20.2              # asks for the same ones, so that both share what is compiled
PROGRAMS="debs kubectl helm kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet"

. "$(dirname "$0")/gobuild.sh"

# Kubernetes replaces its staging modules by local folders, which the archive of a module lacks, and go
# refuses to install a module with replacements: one of our own repeats its requirements and checksums,
# with those replacements pointing to the published modules.
module() {
	[ ! -e "$work/module/go.mod" ] || return 0
	local src
	use_go
	mkdir -p "$work/module"
	cd "$work/module"
	src=$(GOFLAGS='' "$go" mod download -json k8s.io/kubernetes@$KUBERNETES | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
	sed -e 's|^module .*|module wirespan/kubernetes|' \
		-e "s|\(k8s.io/[a-z0-9-]*\) => ./staging/src/k8s.io/.*|\1 => \1 $STAGING|" "$src/go.mod" > go.mod
	cat "$src/go.sum" > go.sum
	echo 'package kubernetes' > kubernetes.go
	"$go" mod edit -require=k8s.io/kubernetes@$KUBERNETES -require=helm.sh/helm/v3@$HELM
}

build() {
	local name=$1 package=k8s.io/kubernetes/cmd/$1 v=k8s.io/component-base/version recipe flags
	flags="-X $v.gitVersion=$KUBERNETES -X $v.gitMajor=1 -X $v.gitMinor=35"
	if [ "$name" = helm ]; then
		package=helm.sh/helm/v3/cmd/helm
		# Else it would take the cluster for the oldest one that there is.
		flags="-X helm.sh/helm/v3/internal/version.version=$HELM"
		for v in helm.sh/helm/v3/pkg/chartutil helm.sh/helm/v3/pkg/lint/rules; do
			flags+=" -X $v.k8sVersionMajor=1 -X $v.k8sVersionMinor=35"
		done
	fi
	recipe="$package $KUBERNETES $HELM $flags"
	done_before "$name" "$recipe" && return
	module
	say "building $name"
	cd "$work/module"
	nice "$go" build -mod=mod -trimpath -ldflags "-s -w $flags" -o "$work/$name" "$package"
	finish "$name" "$recipe" "$work/$name"
}

debs() {
	local deb=$bin/../deb packages="etcd-server containerd runc containernetworking-plugins" file
	if ! done_before runc "$packages"; then
		say "fetching the packages $packages"
		mkdir -p "$deb" "$work/debs"
		cd "$work/debs"
		# shellcheck disable=SC2086
		apt-get download -q=2 -o APT::Sandbox::User=root $packages >&2
		for file in *.deb; do dpkg-deb -x "$file" "$deb"; done
		for file in usr/bin/etcd usr/bin/containerd usr/bin/ctr usr/bin/containerd-shim-runc-v2 usr/sbin/runc; do
			ln -sf "../deb/$file" "$bin/${file##*/}"
		done
		printf '%s\n' "$packages" > "$bin/runc.recipe"
	fi
}

dir=${XDG_CACHE_HOME:-$HOME/.cache}/wirespan/kubernetes
if [ "${1-}" = -d ]; then
	dir=${2:?-d needs a folder}
	shift 2
fi
case ${1-} in -*) sed -n '4,/^set/s/^# \{0,1\}//p' "$0"; exit 2 ;; esac
[ $# -gt 0 ] || set -- $PROGRAMS
for name; do
	[[ " $PROGRAMS " = *" $name "* ]] || { say "no program '$name' here: $PROGRAMS"; exit 2; }
done
cache__open "$dir"
for name; do
	if [ "$name" = debs ]; then debs; else build "$name"; fi
done
echo "$bin"
