#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tools/image.sh BINARY DIR [NAME]: the agent with all that it needs, in three forms:
#
#   DIR/root/                        a root file system: the program, its libraries, certificates; no shell
#   DIR/wirespan-VERSION-ARCH.tar.gz the program and its libraries, to be unpacked at / of any distribution
#   DIR/wirespan-VERSION-ARCH.oci.tar  a container image (OCI image layout 1.0, one file), named
#                                    NAME:VERSION, NAME being localhost/wirespan unless given
#
# No registry and no daemon take part. BINARY is build/wirespan-bundled, which has its loader and libraries
# in /usr/lib/wirespan (see deploy/deploy.mk). The same input gives the same bytes: names are sorted, times
# are SOURCE_DATE_EPOCH or 0.
set -euo pipefail

binary=${1-} dir=${2-} name=${3:-localhost/wirespan}
[ -x "$binary" ] && [ -n "$dir" ] || { sed -n '4,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
lib=usr/lib/wirespan
time=@${SOURCE_DATE_EPOCH:-0}

# Needs what it is linked with: asked of the loader of this system, before the bundle has one of its own.
libraries() {
	LD_TRACE_LOADED_OBJECTS=1 LD_LIBRARY_PATH='' "$system_loader" "$binary" |
		sed -n 's/^\t\([^ /]*\) => \(\/[^ ]*\) .*/\1 \2/p'
}

archive() { # of a folder, reproducible
	tar -C "$1" --sort=name --mtime="$time" --owner=0 --group=0 --numeric-owner --format=ustar --mode=u+rwX,go=rX -cf - "${@:2}"
}

root_filesystem() {
	local soname file
	mkdir -p "$root/$lib" "$root/usr/sbin" "$root/etc/ssl/certs" "$root/etc/wirespan" "$root/tmp" "$root/proc" "$root/sys" "$root/dev"
	install -m 755 "$binary" "$root/usr/sbin/wirespan"
	install -m 755 "$system_loader" "$root/$lib/$loader"
	while read -r soname file; do
		install -m 755 "$file" "$root/$lib/$soname"
	done < <(libraries)
	strip -s "$root/usr/sbin/wirespan"
	# The collector's certificate is judged by these unless OTEL_EXPORTER_OTLP_CERTIFICATE names others.
	install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
	echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
	printf 'root:x:0:0:root:/:/usr/sbin/nologin\n' > "$root/etc/passwd"
}

# DIR/root goes only if it is one of ours: nothing is in it that root_filesystem would not have put there.
replaceable() {
	local found strange folders files
	[ -e "$dir/root" ] || [ -L "$dir/root" ] || return 0
	[ -d "$dir/root" ] && [ ! -L "$dir/root" ] || { echo "image: '$dir/root' is no folder" >&2; return 1; }
	folders="usr|usr/sbin|usr/lib|$lib|etc|etc/ssl|etc/ssl/certs|etc/wirespan|tmp|proc|sys|dev" # runtimes make dev themselves
	files="usr/sbin/wirespan|$lib/[^/]+\.so[.0-9]*|etc/passwd|etc/nsswitch\.conf|etc/ssl/certs/ca-certificates\.crt"
	found=$(find "$dir/root" -mindepth 1 -printf '%P %y\n')
	strange=$(grep -vxE "($folders) d|($files) f|" <<< "$found") || return 0
	echo "image: '$dir/root' holds '/${strange%% *}', so this script has not made it: name another DIR, or remove it" >&2
	return 1
}

# blob FILE: it becomes a blob of the layout; prints its digest.
blob() {
	local digest
	digest=$(sha256sum "$1" | cut -d' ' -f1)
	mv "$1" "$layout/blobs/sha256/$digest"
	echo "$digest"
}

size() { stat -c %s "$layout/blobs/sha256/$1"; }

# OCI image-spec 1.0: image-layout.md, config.md, manifest.md. Entrypoint and nothing else to run.
image() {
	local diff layer config manifest created
	created=$(date -u -d "$time" +%FT%TZ)
	mkdir -p "$layout/blobs/sha256"
	archive "$root" . > "$work/layer.tar"
	diff=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
	gzip -9n "$work/layer.tar"
	layer=$(blob "$work/layer.tar.gz")
	printf '{"created":"%s","architecture":"%s","os":"linux","config":{"User":"0:0","Env":["PATH=/usr/sbin"],"Entrypoint":["/usr/sbin/wirespan"],"Cmd":["agent","--config","/etc/wirespan/wirespan.yaml"],"WorkingDir":"/","Labels":{"org.opencontainers.image.title":"wirespan","org.opencontainers.image.version":"%s","org.opencontainers.image.licenses":"Apache-2.0"}},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"%s","created_by":"tools/image.sh"}]}' \
		"$created" "$arch" "$version" "$diff" "$created" > "$work/config"
	config=$(blob "$work/config")
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%s}]}' \
		"$config" "$(size "$config")" "$layer" "$(size "$layer")" > "$work/manifest"
	manifest=$(blob "$work/manifest")
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"annotations":{"io.containerd.image.name":"%s:%s","org.opencontainers.image.ref.name":"%s"},"platform":{"architecture":"%s","os":"linux"}}]}' \
		"$manifest" "$(size "$manifest")" "$name" "$version" "$version" "$arch" > "$layout/index.json"
	printf '{"imageLayoutVersion":"1.0.0"}' > "$layout/oci-layout"
	archive "$layout" . > "$work/image.tar"
	mv "$work/image.tar" "$dir/wirespan-$version-$arch.oci.tar"
}

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
replaceable
binary=$(readlink -f "$binary")
work=$(mktemp -d "$dir/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root layout=$work/layout
case $(uname -m) in
x86_64) arch=amd64 loader=ld-linux-x86-64.so.2 system_loader=/lib64/ld-linux-x86-64.so.2 ;;
aarch64) arch=arm64 loader=ld-linux-aarch64.so.1 system_loader=/lib/ld-linux-aarch64.so.1 ;;
*) echo "image: unknown machine $(uname -m)" >&2; exit 1 ;;
esac
version=$("$system_loader" "$binary" --version | cut -d' ' -f2)
root_filesystem
archive "$root" usr | gzip -9n > "$work/bundle"
mv "$work/bundle" "$dir/wirespan-$version-$arch.tar.gz"
image
rm -rf "$dir/root"
mv "$root" "$dir/root"
echo "$dir/wirespan-$version-$arch.oci.tar"
