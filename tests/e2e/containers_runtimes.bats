#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Real runtimes: Docker, podman and containerd's ctr, each with its daemon in namespaces of its own. A container by
# name, started after the agent, from its first request on; and the shop, each service an image and a container.
load helper

setup_file() {
	"$shop/build"
	"$shop/images" "$root/build/shop/images"
}
setup() { e2e_setup; }
teardown() { e2e_teardown; }

in_runtime() {
	# What serves is on the host, which is mounted into the container: its folder, read-only.
	log "$1"
	bounded 100 unshare -m -n "$progs/in_runtime" "$1" "$T" "$wirespan" "$progs/serve_and_end.py" 20 8080 2 > "$T/run.log" 2>&1 || { cat "$T/run.log" "$T"/*.err; return 1; }
	same "spans" "$(spans "$T/spans" '.kind == 2')" 20
	same "first" "$(spans "$T/spans" '.kind == 2 and .attributes["url.path"] == "/n/0"')" 1
	same "runtime" "$(attr container.runtime.name)" "$1"
	[[ "$(attr container.id)" =~ ^([0-9a-f]{64}|web)$ ]]
}
attr() { jq -r ".resource[\"$1\"] // \"-\" | tostring" "$T/spans" | sort -u | paste -sd ' '; }

@test "docker: a container by name: 20 of 20, with its name and image" {
	in_runtime docker
	same "name" "$(attr container.name)" web
	same "service" "$(attr service.name)" web
	same "image" "$(attr container.image.name) $(attr container.image.tags)" 'shop/web ["1.2"]'
}

@test "podman: a container by name: 20 of 20, with its name and image" {
	in_runtime podman
	same "name" "$(attr container.name)" web
	same "image" "$(attr container.image.name) $(attr container.image.tags)" 'localhost/shop/web ["1.2"]'
}

@test "containerd: a container of ctr by its name, which is its id: 20 of 20" { in_runtime containerd; }

services="nginx frontend order inventory payment mail redis postgres"

# shop_in RUNTIME PREFIX SUFFIX: of its containers' names.
shop_in() {
	local name container
	log "the shop in $1"
	bounded 170 unshare -m -n "$progs/shop_in_runtime" "$1" "$T" "$wirespan" "$root/build/shop/images" 60 > "$T/run.log" 2>&1 || { cat "$T/run.log" "$T"/*.err; return 1; }
	cat "$T/run.log"
	balanced "$T/agent.err"
	"$py" "$root/tests/truth/check.py" "$T/spans" "$T/truth"
	for name in $services; do
		container=$2$name$3
		same "name of $name" "$(of "$container" service.name)" "$name"
		same "runtime of $name" "$(of "$container" container.runtime.name)" "$1"
	done
	same "containers" "$(jq -r '.resource["container.name"]' "$T/spans" | sort -u | wc -l)" 8
	# They come from outside of the containers' network, by its gateway.
	same "customers" "$(jq -r 'select(.kind == 2 and .resource["service.name"] == "nginx") | .attributes["network.peer.address"]' "$T/spans" | sort -u)" 10.66.0.1
}
# of CONTAINER ATTRIBUTE: of its spans' resources.
of() { jq -r --arg c "$1" --arg a "$2" 'select(.resource["container.name"] == $c) | .resource[$a] // "-" | tostring' "$T/spans" | sort -u | paste -sd ' '; }
images() {
	local name
	for name in $services; do
		same "image of $name" "$(of "$1$name$2" container.image.name) $(of "$1$name$2" container.image.tags)" "localhost/shop/$name [\"1.0\"]"
	done
}

@test "docker: the shop in its images, through docker-proxy: right names, no wrong parent, 99 % right" {
	local name
	shop_in docker shop- -1
	images shop- -1
	for name in $services; do
		same "labels of $name" "$(of "shop-$name-1" container.label.com.docker.compose.service) $(of "shop-$name-1" container.label.com.docker.compose.project)" "$name shop"
	done
}

@test "podman: the shop in its images, through NAT: right names, no wrong parent, 99 % right" {
	shop_in podman
	images
}

@test "containerd: the shop in its images: right names, no wrong parent, 99 % right" { shop_in containerd; }
