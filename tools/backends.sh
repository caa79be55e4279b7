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
set -euo pipefail

GO=1.26.8                 # what the two go.mod files ask for, at least
COLLECTOR=v0.158.0        # the newest release of which every part can be had
CONFMAP=v1.64.0           # the configuration providers of the same release
JAEGER=v1.76.0            # the module's version; the release calls itself v2.13.0
JAEGER_NAME=v2.13.0

. "$(dirname "$0")/gobuild.sh"

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
cache__open "${1:-${XDG_CACHE_HOME:-$HOME/.cache}/wirespan/backends}"
collector
jaeger
echo "$bin"
