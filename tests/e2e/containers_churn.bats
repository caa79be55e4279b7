#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Containers that come and go, with processes that live for milliseconds: every span knows whose it is, and the
# agent's memory stays what it was. Nothing but these containers is traced. CHURN containers (24; the issue's 200: make e2e E2E=... CHURN=200).
load helper
load containers


@test "churn: containers with 10 processes each: every span has its own container, memory stays" {
	local n=${CHURN:-24} i id early late
	tracer agent trace --json --container 'churn-*'
	agent=$pid
	for ((i = 0; i < n; i++)); do
		id=$(random_id)
		bundle "$id" "/$tag/docker/$id" "" "$progs/churn.py" "churn-$i" 10
		as_docker "$id" "churn-$i" "shop/churn:$i"
		echo "$id" >> "$T/containers"
		bounded 30 runc --root "$host/run/runc" run --bundle "$T/bundles/$id" "$id" < /dev/null 2>&1
		rm -r "$T/bundles/$id"
		[ "$i" != $((n / 3)) ] || early=$(resident "$agent")
	done
	until_ok 20 lines_at_least "$T/agent.out" $((20 * n))
	late=$(resident "$agent")
	stop_tracer agent "$agent"
	jq -r '"\(.kind) \(.resource["container.name"]) \(.attributes["url.path"] // .attributes["url.full"] | sub(".*/c/"; "") | sub("/.*"; ""))
		\(.resource["container.image.tags"] // [] | join(","))"' "$T/agent.out" | paste - - | awk '{ print $1, ($2 == $3 && "churn-" $4 == $3) ? "right" : $2 "-for-" $3 }' |
		sort | uniq -c > "$T/counts"
	cat "$T/counts"
	same "spans" "$(awk '{ print $1, $2, $3 }' "$T/counts" | paste -sd ';')" "$((10 * n)) 2 right;$((10 * n)) 3 right"
	log "memory: $early KiB after a third, $late KiB at the end"
	[ "$late" -lt $((early + 6144)) ]
}
