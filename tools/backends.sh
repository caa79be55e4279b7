#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tools/backends.sh [DIR]: build the backends that the end-to-end tests send spans to.
#
# Leaves DIR/bin/otelcol (OpenTelemetry Collector, only the parts that tests/e2e/backends/otelcol.yaml
# names) and DIR/bin/jaeger (Jaeger, without its web page). DIR defaults to a cache outside the work
# tree, ${XDG_CACHE_HOME:-~/.cache}/wirespan/backends, so that a clean tree, a second clone and CI
# reuse it. Prints DIR/bin on stdout, progress on stderr. Cold it takes about 8 minutes on two cores
# and 4 GiB of memory; a second run only looks. JOBS sets the parallelism of the builds.
#
# Everything comes through the Go module proxy. An older Go than the sources ask for (Debian 12 has
# 1.19) fetches the newer toolchain the same way, as the module that Go itself publishes it as.
set -euo pipefail

GO=1.26.8                 # what the two go.mod files ask for, at least
COLLECTOR=v0.158.0        # the newest release of which every part can be had
CONFMAP=v1.64.0           # the configuration providers of the same release
JAEGER=v1.76.0            # the module's version; the release calls itself v2.13.0
JAEGER_NAME=v2.13.0

say() { echo "backends: $*" >&2; }

# use_go: sets `go` to a command of at least version $GO.
use_go() {
	local have arch dir
	command -v go > /dev/null || { say "no go command: run tools/setup.sh test"; exit 1; }
	have=$(GOTOOLCHAIN=local go env GOVERSION)
	if [ "$(printf '%s\n' "go$GO" "${have%% *}" | sort -V | head -n1)" = "go$GO" ]; then
		go=go
		return
	fi
	arch=$(go env GOOS)-$(go env GOARCH)
	say "go is ${have#go}, too old: fetching the toolchain $GO"
	# In a directory without go.mod; the checksum database vouches for the archive.
	dir=$(cd / && GOTOOLCHAIN=local GOFLAGS=-mod=mod go mod download -json "golang.org/toolchain@v0.0.1-go$GO.$arch" |
		sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
	# Module archives carry no executable bits.
	chmod -R u+w "$dir"
	chmod +x "$dir"/bin/* "$dir"/pkg/tool/*/* 2> /dev/null || chmod +x "$dir"/bin/*
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

collector() {
	local core=go.opentelemetry.io/collector contrib=github.com/open-telemetry/opentelemetry-collector-contrib
	local recipe
	recipe="dist: {name: otelcol, output_path: gen, version: ${COLLECTOR#v}}
receivers: [{gomod: $core/receiver/otlpreceiver $COLLECTOR}]
processors: [{gomod: $core/processor/batchprocessor $COLLECTOR}]
exporters:
  - gomod: $core/exporter/debugexporter $COLLECTOR
  - gomod: $contrib/exporter/fileexporter $COLLECTOR
extensions: [{gomod: $contrib/extension/healthcheckextension $COLLECTOR}]
providers:
  - gomod: $core/confmap/provider/fileprovider $CONFMAP
  - gomod: $core/confmap/provider/envprovider $CONFMAP
  - gomod: $core/confmap/provider/yamlprovider $CONFMAP"
	done_before otelcol "$recipe" && return
	use_go
	say "building the OpenTelemetry Collector $COLLECTOR"
	mkdir -p "$work/otelcol"
	cd "$work/otelcol"
	printf '%s\n' "$recipe" > builder.yaml
	GOBIN=$work nice "$go" install "$core/cmd/builder@$COLLECTOR"
	nice "$work/builder" --config builder.yaml >&2
	finish otelcol "$recipe" gen/otelcol
}

# Jaeger's module has replace lines, so `go install module@version` refuses it: it is built from a
# module of our own that repeats its requirements, replacements and checksums.
jaeger() {
	local mod=github.com/jaegertracing/jaeger recipe="$JAEGER $JAEGER_NAME" src
	done_before jaeger "$recipe" && return
	use_go
	say "building Jaeger $JAEGER_NAME"
	mkdir -p "$work/jaeger"
	cd "$work/jaeger"
	src=$("$go" mod download -json "$mod@$JAEGER" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
	sed 's|^module .*|module wirespan/jaeger|' "$src/go.mod" > go.mod
	cat "$src/go.sum" > go.sum
	echo 'package jaeger' > jaeger.go
	"$go" mod edit -require="$mod@$JAEGER"
	nice "$go" build -mod=mod -trimpath -o jaeger \
		-ldflags "-s -w -X $mod/internal/version.latestVersion=$JAEGER_NAME" "$mod/cmd/jaeger"
	finish jaeger "$recipe" jaeger
}

case ${1-} in -*) sed -n '4,/^set/s/^# \{0,1\}//p' "$0"; exit 2 ;; esac
bin=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/wirespan/backends}/bin
mkdir -p "$bin"
bin=$(cd "$bin" && pwd)
exec 9> "$bin/.lock"
flock 9                   # a second caller waits for the first one's result
work=$(mktemp -d)
export TMPDIR=$work     # for what the builders leave behind
trap 'rm -rf "$work"' EXIT
export GOFLAGS="-buildvcs=false -p=${JOBS:-$(nproc)}" GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
collector
jaeger
echo "$bin"
