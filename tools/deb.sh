#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tools/deb.sh BINARY DIR: a Debian package of the agent, DIR/wirespan_VERSION_ARCH.deb, for the release that
# it is made on: it depends on that release's libraries. tools/image.sh makes what runs anywhere.
# It holds the program, its man page, the systemd unit and the configuration file. No service is started at
# installation, as nothing is selected yet. The same input gives the same bytes (SOURCE_DATE_EPOCH, or 0).
set -euo pipefail

binary=${1-} dir=${2-}
[ -x "$binary" ] && [ -n "$dir" ] || { sed -n '4,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
binary=$(readlink -f "$binary")
work=$(mktemp -d "$dir/.deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
tree=$work/tree
version=$("$binary" --version | cut -d' ' -f2)
arch=$(dpkg --print-architecture)

install -D -m 755 "$binary" "$tree/usr/sbin/wirespan"
strip --remove-section=.comment --remove-section=.note -s "$tree/usr/sbin/wirespan"
install -D -m 644 "$top/man/wirespan.8" "$tree/usr/share/man/man8/wirespan.8"
install -D -m 644 "$top/deploy/systemd/wirespan.service" "$tree/lib/systemd/system/wirespan.service"
install -D -m 600 "$top/deploy/wirespan.yaml" "$tree/etc/wirespan/wirespan.yaml"
doc=$tree/usr/share/doc/wirespan
mkdir -p "$doc"
cat > "$doc/copyright" <<'TEXT'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: wirespan

Files: *
Copyright: The Wirespan authors
License: Apache-2.0
 The full text is in /usr/share/common-licenses/Apache-2.0.

Files: bpf/*
Copyright: The Wirespan authors
License: GPL-2.0-only or BSD-3-Clause
 The full texts are in /usr/share/common-licenses/GPL-2 and /usr/share/common-licenses/BSD.
TEXT
cat > "$doc/changelog" <<TEXT
wirespan ($version) stable; urgency=medium

  * Built from the sources by tools/deb.sh.

 -- The Wirespan authors <wirespan@localhost>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
TEXT
gzip -9n "$doc/changelog" "$tree/usr/share/man/man8/wirespan.8"

# What the libraries' packages are called and from which version on they have what is used: dpkg-shlibdeps
# finds out, in the tree of a source package, which it thinks this is.
mkdir -p "$work/debian" "$tree/DEBIAN"
printf 'Source: wirespan\n\nPackage: wirespan\nArchitecture: any\n' > "$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O "$tree/usr/sbin/wirespan" 2> /dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { echo "deb: dpkg-shlibdeps found no libraries" >&2; exit 1; }
cat > "$tree/DEBIAN/control" <<TEXT
Package: wirespan
Version: $version
Architecture: $arch
Maintainer: The Wirespan authors <wirespan@localhost>
Installed-Size: $(du -sk --apparent-size "$tree" | cut -f1)
Depends: $depends
Recommends: ca-certificates
Section: admin
Priority: optional
Description: trace the requests of unmodified programs from the kernel
 Wirespan copies the bytes that cross the sockets of selected processes, finds
 out which outgoing call was made for which incoming request, and exports
 OpenTelemetry spans. Nothing is written into a traced process.
TEXT
echo /etc/wirespan/wirespan.yaml > "$tree/DEBIAN/conffiles"
cat > "$tree/DEBIAN/postinst" <<'TEXT'
#!/bin/sh
set -e
# The service is for who has said in /etc/wirespan/wirespan.yaml what is traced: systemctl enable --now wirespan
if [ "$1" = configure ] && [ -z "${DPKG_ROOT-}" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
	if [ -n "$2" ]; then
		systemctl try-restart wirespan.service || true
	fi
fi
TEXT
cat > "$tree/DEBIAN/prerm" <<'TEXT'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -z "${DPKG_ROOT-}" ] && [ -d /run/systemd/system ]; then
	systemctl --now disable wirespan.service || true
fi
TEXT
cat > "$tree/DEBIAN/postrm" <<'TEXT'
#!/bin/sh
set -e
if [ "$1" = purge ]; then
	rm -rf "${DPKG_ROOT-}/var/lib/wirespan"
fi
if [ -z "${DPKG_ROOT-}" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
TEXT
chmod 755 "$tree/DEBIAN/postinst" "$tree/DEBIAN/prerm" "$tree/DEBIAN/postrm"
(cd "$tree" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum) > "$tree/DEBIAN/md5sums"
chmod -R u+w,go=rX "$tree/usr" "$tree/lib" "$tree/DEBIAN"
chmod 755 "$tree/etc" "$tree/etc/wirespan"
dpkg-deb --root-owner-group -Zxz --build "$tree" "$work/wirespan.deb" > /dev/null
mv "$work/wirespan.deb" "$dir/wirespan_${version}_$arch.deb"
echo "$dir/wirespan_${version}_$arch.deb"
