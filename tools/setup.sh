#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tools/setup.sh [--check] [build|demo|test|kernels|oracle]...
#
# Installs what Wirespan's build, demo and tests need and this machine does not have, and says what
# before it does so. Without a part it sees to build, demo and test; test includes the other two, kernels
# (for make test-kernels, a part of make check) all of them; the kernels that it boots go into the cache. oracle: test,
# and what the other servers of make oracle are built with; these need Go 1.26, which Debian 12 has not.
#
#   --check   only report what is missing; exit status 1 if anything is
#
# What is there already in another way (a Go, Node or JDK of your own on PATH, a library in
# /usr/local) is used. Packages come by apt on Debian 12 and 13; other systems get the list.
# None that is there is removed for them. No service that a package brings, or one that it depends on, is
# started, now or at boot. A run with nothing to do needs no network and no root. Exit status: 0 all there, 1 something is missing, 2 usage.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin
shop=tests/progs/shop

say() { echo "setup: $*" >&2; }

# --- what is needed ---------------------------------------------------------------------------
# part, Debian package, how to see that it is there: a word of the functions below and its argument.

needs() {
	cat <<'LIST'
build make                       command make
build gcc                        command cc
build libc6-dev                  header stdio.h
build clang                      command clang
build bpftool                    command bpftool
build libbpf-dev                 header bpf/libbpf.h
build libelf-dev                 header libelf.h
build zlib1g-dev                 header zlib.h
build libcurl4-openssl-dev       header curl/curl.h
build libjansson-dev             header jansson.h
build libyaml-dev                header yaml.h
build libmicrohttpd-dev          header microhttpd.h
demo  ca-certificates            file /etc/ssl/certs/ca-certificates.crt
demo  util-linux                 command setpriv
demo  nginx-light                command nginx
demo  redis-server               command redis-server
demo  postgresql                 file /usr/lib/postgresql/*/bin/postgres
demo  nodejs                     command node
demo  python3                    file /usr/bin/python3
demo  python3-flask              python flask
demo  python3-requests           python requests
demo  gunicorn                   python gunicorn
demo  gunicorn                   file /usr/bin/gunicorn
demo  default-jdk-headless       command javac
demo  golang-go                  command go
test  llvm                       command llvm-symbolizer
test  libclang-rt-dev            file /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a
test  libcmocka-dev              header cmocka.h
test  bats                       command bats
test  libprotobuf-c-dev          header protobuf-c/protobuf-c.h
test  protobuf-c-compiler        command protoc-gen-c
test  protobuf-compiler          command protoc
test  wrk                        command wrk
test  jq                         command jq
test  curl                       command curl
test  runc                       command runc
test  containerd                 command containerd
test  docker.io                  command dockerd
test  podman                     command podman
test  iptables                   command iptables-legacy
test  openssl                    command openssl
test  iproute2                   command ip
test  python3-yaml               python yaml
test  haproxy                    command haproxy
test  php-fpm                    file /usr/sbin/php-fpm*
test  puma                       command puma
test  cargo                      command cargo
test  mono-mcs                   command mcs
test  maven                      command mvn
test  python3-pip                python pip
oracle npm                       command npm
oracle maven                     command mvn
kernels qemu-system-x86          command qemu-system-x86_64
kernels busybox-static           command busybox
kernels cpio                     command cpio
LIST
}

# The kernels of tests/kernels that are not in the cache.
missing_kernels() {
	local suite
	while read -r suite _; do
		[ -s "${XDG_CACHE_HOME:-$HOME/.cache}/wirespan/kernels/$suite/vmlinuz" ] || echo "$suite"
	done < <(grep -v '^#' tests/kernels/suites)
}

there_command() { command -v "$1" > /dev/null; }
there_file() { compgen -G "$1" > /dev/null; }
there_header() { there_file "/usr/include/$1" || there_file "/usr/include/*-linux-gnu/$1" || there_file "/usr/local/include/$1"; }
there_python() { there_file "/usr/lib/python3/dist-packages/$1" || /usr/bin/python3 -c "import $1" 2> /dev/null; }

# missing PART...: the packages of these parts that are not there, one a line.
missing() {
	local part package how what
	while read -r part package how what; do
		[[ " $* " = *" $part "* ]] || continue
		"there_$how" "$what" || echo "$package"
	done < <(needs) | sort -u
	if [[ " $* " = *" demo "* ]] && ! express && ! command -v npm > /dev/null; then
		echo node-express
	fi
}

express() { there_file build/shop/node_modules/express/package.json || there_file /usr/share/nodejs/express/package.json; }

gomodules() { command -v go > /dev/null && there_file "$(go env GOMODCACHE)/github.com/lib/pq@$(sed -n 's/^require .* //p' $shop/go.mod)"; }

# --- apt --------------------------------------------------------------------------------------

policy=/usr/sbin/policy-rc.d
marker='# Of the tools/setup.sh of Wirespan, while it installs. What was enabled before:'
before=

interrupted() { grep -qsxF "$marker" $policy; }

# enabled: what would start by itself, one a line: the links that enable systemd's units, the names of
# sysvinit's services (whose links change their numbers when others come).
enabled() {
	find /etc/systemd/system /etc/systemd/user -type l \( -path '*.wants/*' -o -path '*.requires/*' \) 2> /dev/null || true
	{ compgen -G '/etc/rc[2-5].d/S*' || true; } | sed 's|.*/S[0-9]*||' | sort -u
}

# hold_services: no service may start by being installed: Debian's own switch for that, put back afterwards.
# Nor may one start at the next boot because of us: release_services disables what is enabled by then and
# was not before. The switch tells that, for the run that comes after one that was killed; one at a time.
hold_services() {
	exec 8< "${policy%/*}"
	flock 8   # a killed run's apt-get still has it while it works
	if interrupted; then
		say "finishing what an interrupted run began"
		before=$(sed '1,3d; s/^# //' $policy)
	else
		before=$(enabled)
		[ ! -e $policy ] || mv $policy $policy.wirespan
	fi
	trap release_services EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	{ printf '#!/bin/sh\nexit 101\n%s\n' "$marker"; sed 's/^/# /' <<< "$before"; } > $policy.new
	chmod 755 $policy.new
	mv $policy.new $policy
}

release_services() {
	local what disabled=
	while read -r what; do
		case $what in
		/*) rm -f "$what" ;;   # deb-systemd-helper takes that for disabled, and keeps it so
		*) update-rc.d "$what" disable < /dev/null >&2 || true ;;
		esac
		disabled+=" ${what##*/}"
	done < <(enabled | grep -vxF -f <(echo "$before"))
	[ -z "$disabled" ] || say "not started, now or at boot:$disabled"
	[ -z "$disabled" ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload || true
	if [ -e $policy.wirespan ]; then
		mv $policy.wirespan $policy
	else
		rm -f $policy
	fi
	trap - EXIT INT TERM HUP
	exec 8<&-
}

# Nothing that is there is removed for our sake, as docker-ce would be for docker.io.
apt_install() {
	apt-get install -q=2 -y --no-remove --no-install-recommends -o Dpkg::Use-Pty=0 "$@" < /dev/null >&2
}

# apt_install_possible PACKAGE...: all, or else those that can be.
apt_install_possible() {
	local package possible=() refused=
	! apt_install "$@" || return 0
	for package; do
		if apt_install --simulate "$package" > /dev/null 2>&1; then
			possible+=("$package")
		else
			refused+=" $package"
		fi
	done
	[ -z "$refused" ] || say "apt-get cannot install these, or not without removing others:$refused"
	[ ${#possible[@]} = 0 ] || apt_install "${possible[@]}" || say "apt-get failed"
}

# install_packages [PACKAGE]...: without one it only finishes an interrupted run.
install_packages() {
	local system
	system=$(. /etc/os-release 2> /dev/null && echo "${ID-}:${VERSION_ID-}") || true
	if [[ $system != debian:12 && $system != debian:13 ]]; then
		say "this is not Debian 12 or 13; please install what these packages hold there:"
		printf '  %s\n' "$@" >&2
		exit 1
	fi
	if [ "$(id -u)" != 0 ]; then
		say "needs root to install: $*"
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
	hold_services
	dpkg --configure -a >&2   # what an interrupted run left half done
	if [ $# != 0 ]; then
		say "installing by apt:" "$@"
		apt-get update -q=2 < /dev/null >&2 || say "apt-get update failed; trying with the lists at hand"
		apt_install_possible "$@"
	fi
	release_services
}

# --- main -------------------------------------------------------------------------------------

check='' parts=
for word; do
	case $word in
	--check) check=1 ;;
	build | demo) parts+=" $word" ;;
	test) parts+=" build demo test" ;;
	kernels | oracle) parts+=" build demo test $word" ;;
	*) sed -n '4,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
done
parts=${parts:- build demo test}

packages=$(missing $parts)
if [ -n "$check" ]; then
	[ -z "$packages" ] || say "missing packages:" $packages
	[[ $parts != *demo* ]] || express || packages+=" express"
	[[ $parts != *demo* ]] || gomodules || packages+=" lib/pq"
	[[ $parts != *kernels* ]] || [ -z "$(missing_kernels)" ] || { packages+=" kernels"; say "missing: kernels of" $(missing_kernels); }
	[[ " $packages " != *" express "* ]] || say "missing: Node's module express"
	[[ " $packages " != *" lib/pq "* ]] || say "missing: Go's module lib/pq"
	[ -z "${packages// }" ] || exit 1
	say "all there for$parts"
	exit 0
fi
if [ -n "$packages" ] || { interrupted && [ "$(id -u)" = 0 ]; }; then
	install_packages $packages
	packages=$(missing $parts)
	[ -z "$packages" ] || { say "could not be installed:" $packages; exit 1; }
fi
if [[ $parts = *demo* ]]; then
	if ! express; then
		say "fetching Node's module express into build/shop by npm"
		mkdir -p build/shop
		cp $shop/package.json $shop/package-lock.json build/shop
		npm ci --prefix build/shop --prefer-offline --ignore-scripts --no-audit --no-fund --loglevel error >&2
	fi
	if ! gomodules; then
		say "fetching Go's module lib/pq"
		(cd $shop && GOFLAGS=-mod=mod GOWORK=off go mod download >&2)
	fi
fi
if [[ $parts = *kernels* ]]; then
	for suite in $(missing_kernels); do
		say "fetching Debian's kernel of $suite for make test-kernels"
		tests/kernels/fetch "$suite" > /dev/null
	done
fi
