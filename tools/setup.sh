#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tools/setup.sh [--check] [build|demo|test|kernels]...
#
# Installs what Wirespan's build, demo and tests need and this machine does not have, and says what
# before it does so. Without a part it sees to build, demo and test; test includes the other two, kernels
# (for make test-kernels) all of them.
#
#   --check   only report what is missing; exit status 1 if anything is
#
# What is there already in another way (a Go, Node or JDK of your own on PATH, a library in
# /usr/local) is used. Packages come by apt on Debian 12 and 13; other systems get the list.
# No service that a package brings is started, now or at boot. A run with nothing to do needs no
# network and no root. Exit status: 0 all there, 1 something is missing, 2 usage.
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
kernels qemu-system-x86          command qemu-system-x86_64
kernels busybox-static           command busybox
kernels cpio                     command cpio
LIST
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
ours=

# hold_services PACKAGE...: no service may start by being installed: Debian's own switch for that, put
# back afterwards. Nor may one start at the next boot because of us: those that come by one of these
# packages, or by one that an interrupted run left half installed, are disabled.
hold_services() {
	local service package
	for service in nginx:nginx-light redis-server:redis-server postgresql:postgresql; do
		package=${service#*:}
		if [[ " $* " = *" $package "* || $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2> /dev/null) = i[UFHWt]* ]]; then
			ours+=" ${service%:*}"
		fi
	done
	[ ! -e $policy ] || [ -e $policy.wirespan ] || mv $policy $policy.wirespan
	printf '#!/bin/sh\nexit 101\n' > $policy
	chmod 755 $policy
	trap release_services EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

release_services() {
	local service
	for service in $ours; do
		[ ! -e "/etc/init.d/$service" ] || update-rc.d "$service" disable || true
	done
	rm -f $policy
	[ ! -e $policy.wirespan ] || mv $policy.wirespan $policy
}

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
	say "installing by apt:" "$@"
	export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
	hold_services "$@"
	dpkg --configure -a >&2   # what an interrupted run left half done
	apt-get update -q=2 < /dev/null >&2 || say "apt-get update failed; trying with the lists at hand"
	apt-get install -q=2 -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" < /dev/null >&2
	release_services
	trap - EXIT INT TERM HUP
}

# --- main -------------------------------------------------------------------------------------

check='' parts=
for word; do
	case $word in
	--check) check=1 ;;
	build | demo) parts+=" $word" ;;
	test) parts+=" build demo test" ;;
	kernels) parts+=" build demo test kernels" ;;
	*) sed -n '4,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d' >&2; exit 2 ;;
	esac
done
parts=${parts:- build demo test}

packages=$(missing $parts)
if [ -n "$check" ]; then
	[ -z "$packages" ] || say "missing packages:" $packages
	[[ $parts != *demo* ]] || express || packages+=" express"
	[[ $parts != *demo* ]] || gomodules || packages+=" lib/pq"
	[[ " $packages " != *" express "* ]] || say "missing: Node's module express"
	[[ " $packages " != *" lib/pq "* ]] || say "missing: Go's module lib/pq"
	[ -z "${packages// }" ] || exit 1
	say "all there for$parts"
	exit 0
fi
[ -z "$packages" ] || install_packages $packages
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
packages=$(missing $parts)
[ -z "$packages" ] || { say "still missing after the installation:" $packages; exit 1; }
