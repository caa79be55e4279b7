#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# tools/setup.sh, by this system's apt and dpkg, on a copy of the file system (an overlay) that only the test sees:
# packages of the test's own that bring services or conflict with one that is there.
load helper

setup() {
	e2e_setup
	[[ $(. /etc/os-release && echo "${ID-}:${VERSION_ID-}") = debian:1[23] ]] || skip "tools/setup.sh installs on Debian 12 and 13"
}
teardown() { e2e_teardown; }

# package NAME FIELD... < POSTINST: of the files below $T/NAME, into the test's repository.
package() {
	local name=$1 dir=$T/$1 deb
	shift
	mkdir -p "$dir/DEBIAN"
	printf '%s\n' "Package: $name" "Version: 999" "Architecture: all" "Maintainer: test <t@example.org>" "Description: test" "$@" > "$dir/DEBIAN/control"
	{ printf '#!/bin/sh\nset -e\n'; cat; } > "$dir/DEBIAN/postinst"
	chmod 755 "$dir/DEBIAN/postinst"
	mkdir -p "$T/repo"
	deb=$T/repo/$name.deb
	dpkg-deb --root-owner-group -b "$dir" "$deb" > /dev/null
	{
		cat "$dir/DEBIAN/control"
		printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$name.deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
	} >> "$T/repo/Packages"
}

# unit PACKAGE UNIT WANTED-BY
unit() {
	mkdir -p "$T/$1/lib/systemd/system"
	printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=%s\n' "$3" > "$T/$1/lib/systemd/system/$2"
}

packages() {
	mkdir -p "$T/bpftool/usr/sbin" "$T/wst-dep/etc/init.d" "$T/libjansson-dev/usr/include"
	printf '#!/bin/sh\n' > "$T/bpftool/usr/sbin/bpftool"
	printf '#!/bin/sh\n### BEGIN INIT INFO\n# Provides: wst-dep\n# Required-Start:\n# Required-Stop:\n# Default-Start: 2 3 4 5\n# Default-Stop: 0 1 6\n### END INIT INFO\n' > "$T/wst-dep/etc/init.d/wst-dep"
	chmod 755 "$T/bpftool/usr/sbin/bpftool" "$T/wst-dep/etc/init.d/wst-dep"
	: > "$T/libjansson-dev/usr/include/jansson.h"
	unit bpftool wst.service multi-user.target
	unit bpftool wst.socket sockets.target
	unit wst-dep wst-dep.timer timers.target
	package wst-dep <<-'SH'
		deb-systemd-helper enable wst-dep.timer
		update-rc.d wst-dep defaults
		invoke-rc.d wst-dep start || true
		[ ! -e /kill ] || kill -9 "$(cat /kill)"
	SH
	package bpftool "Depends: wst-dep" <<-'SH'
		deb-systemd-helper enable wst.service
		deb-systemd-helper enable wst.socket
		deb-systemd-invoke start wst.service
		/usr/sbin/policy-rc.d wst start || echo "$?" > /policy
	SH
	package libjansson-dev "Conflicts: wst-mine" < /dev/null
	package wst-mine < /dev/null
}

# on_a_copy COMMAND...: with this system's files, less bpftool and jansson.h, and with wst-mine, a policy-rc.d
# and a service of the user's.
on_a_copy() {
	packages
	mkdir -p "$T/copy"
	cat > "$T/prepare" <<-'SH'
		set -e
		mount -t tmpfs -o mode=755 tmpfs "$T/copy"
		mkdir "$T/copy/up" "$T/copy/work" "$T/copy/root"
		mount -t overlay overlay -o "lowerdir=/,upperdir=$T/copy/up,workdir=$T/copy/work" "$T/copy/root"
		cd "$T/copy/root"
		mkdir -p ".$root" repo
		mount --rbind "$root" ".$root"
		mount -t proc proc proc
		mount --rbind /dev dev
		cp "$T/repo"/* repo
		chroot . dpkg --force-all --remove bpftool libjansson-dev > /dev/null 2>&1 || true
		rm -f usr/sbin/bpftool usr/bin/bpftool usr/local/*bin/bpftool sbin/bpftool usr/include/jansson.h usr/local/include/jansson.h
		rm -rf etc/apt/sources.list etc/apt/sources.list.d var/lib/apt/lists
		echo 'deb [trusted=yes] file:/repo ./' > etc/apt/sources.list
		chroot . dpkg -i /repo/wst-mine.deb > /dev/null
		printf '#!/bin/sh\n# mine\nexit 0\n' > usr/sbin/policy-rc.d
		chmod 755 usr/sbin/policy-rc.d
		mkdir -p etc/systemd/system/multi-user.target.wants
		ln -s /lib/systemd/system/wst-users.service etc/systemd/system/multi-user.target.wants/
		chroot . bash -c "cd '$root' && $1"
	SH
	export T root
	run timeout 120 unshare --mount bash "$T/prepare" "$*"
	echo "$output"
}

# What starts by itself, of the test's services and anything else that came.
look='find /etc/systemd -path "*wants/wst*" -printf "%f\n"; ls /etc/rc2.d | grep wst; cat /usr/sbin/policy-rc.d; ls /usr/sbin/policy-rc.d?* 2>&1 | grep -v cannot;
	cat /policy; dpkg-query -W -f "\${Package} \${db:Status-Status}\n" bpftool wst-dep wst-mine libjansson-dev 2> /dev/null | grep " installed"'

# What that finds after a run that has installed wst-dep.
left='wst-users.service
K01wst-dep
#!/bin/sh
# mine
exit 0
101
bpftool installed
wst-dep installed'

@test "setup: no service that comes is started or enabled; no package that is there is removed, and what cannot be installed is named" {
	on_a_copy "tools/setup.sh build; echo status \$?; echo ---; $look"
	[[ $output = *"cannot install these, or not without removing others: libjansson-dev"*"could not be installed: libjansson-dev"*"status 1"* ]]
	same "afterwards" "${output#*---$'\n'}" "$left
wst-mine installed"
}

@test "setup: what a run that is killed leaves, the next one puts in order, also if nothing is to be installed" {
	on_a_copy "(echo \$BASHPID > /kill; exec tools/setup.sh build); echo status \$?; flock /usr/sbin true; rm /kill
		grep -c exit.101 /usr/sbin/policy-rc.d; find /etc/systemd -name 'wst*' | grep -c .
		dpkg --purge wst-mine; touch /usr/include/jansson.h; tools/setup.sh build; echo status \$?; echo ---; $look"
	[[ $output = *"status 137"*"finishing what an interrupted run began"*"status 0"* ]]
	same "afterwards" "${output#*---$'\n'}" "$left"
}
