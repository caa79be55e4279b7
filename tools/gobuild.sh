# SPDX-License-Identifier: Apache-2.0
#
# gobuild.sh - sourced by the scripts that build Go programs for the tests (backends.sh, kubernetes.sh).
# Before: GO, the version that the sources ask for. After cache__open: bin, work; use_go sets go.
#
# Everything comes through the Go module proxy. An older Go than the sources ask for (Debian 12 has
# 1.19) fetches the newer toolchain the same way, as the module that Go itself publishes it as.

say() { echo "$(basename "$0" .sh): $*" >&2; }

# cache__open DIR: DIR/bin is ours alone until this script ends; work is a scratch folder.
cache__open() {
	mkdir -p "$1/bin"
	bin=$(cd "$1/bin" && pwd)
	exec 9> "$bin/.lock"
	flock 9                   # a second caller waits for the first one's result
	work=$(mktemp -d)
	export TMPDIR=$work     # for what the builders leave behind
	trap 'rm -rf "$work"' EXIT
	export GOFLAGS="-buildvcs=false -p=${JOBS:-$(nproc)}" GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
}

# fetch_go VERSION: the folder of that toolchain, the module that Go publishes it as.
fetch_go() {
	local dir
	# In a directory without go.mod; the checksum database vouches for the archive.
	dir=$(cd / && GOTOOLCHAIN=local GOFLAGS=-mod=mod go mod download -json \
		"golang.org/toolchain@v0.0.1-go$1.$(go env GOOS)-$(go env GOARCH)" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
	[ -n "$dir" ] || { say "the toolchain $1 cannot be had"; return 1; }
	# Module archives carry no executable bits.
	if [ ! -x "$dir/bin/go" ]; then
		chmod -R u+w "$dir"
		chmod +x "$dir"/bin/* "$dir"/pkg/tool/*/* 2> /dev/null || chmod +x "$dir"/bin/*
	fi
	echo "$dir"
}

# use_go: sets `go` to a command of at least version $GO.
use_go() {
	local have dir
	command -v go > /dev/null || { say "no go command: run tools/setup.sh test"; exit 1; }
	have=$(GOTOOLCHAIN=local go env GOVERSION)
	if [ "$(printf '%s\n' "go$GO" "${have%% *}" | sort -V | head -n1)" = "go$GO" ]; then
		go=go
		return
	fi
	say "go is ${have#go}, too old: fetching the toolchain $GO"
	dir=$(fetch_go "$GO")
	export PATH="$dir/bin:$PATH" GOROOT="$dir"
	go=$dir/bin/go
}

# done_before NAME RECIPE: is DIR/bin/NAME there, built by this same recipe?
done_before() {
	[ -x "$bin/$1" ] && [ "$(cat "$bin/$1.recipe" 2> /dev/null)" = "$2" ]
}

# finish NAME RECIPE FILE: FILE becomes DIR/bin/NAME in one step.
finish() {
	mv "$3" "$bin/$1"
	printf '%s\n' "$2" > "$bin/$1.recipe"
	say "$1 is ready after $SECONDS s"
}
