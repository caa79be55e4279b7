#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The command line: help, exit statuses, messages that quote what was wrong; installation.
load helper

# A process id that the kernel allows and that no process has.
nobody=4194304
commands="agent trace record replay doctor ps health"

setup() { e2e_setup; }
teardown() { e2e_teardown; }

# usage WORD... -- ARGUMENT...: exit status 2, nothing on stdout, one line on stderr that holds each word.
usage() {
	local words=() word
	while [ "$1" != -- ]; do words+=("$1"); shift; done
	shift
	log "wirespan $*"
	run -2 --separate-stderr timeout 10 "$wirespan" "$@"
	same "output" "$output" ""
	same "lines" "${#stderr_lines[@]}" 1
	for word in "${words[@]}"; do
		[[ $stderr == *"$word"* ]] || { echo "no '$word' in: $stderr"; return 1; }
	done
}

@test "each command's --help fits on a screen of 40 lines and 100 columns, exit status 0" {
	for command in $commands ""; do
		# shellcheck disable=SC2086
		run -0 --separate-stderr "$wirespan" $command --help
		same "messages" "$stderr" ""
		log "$command: ${#lines[@]} lines"
		[ "$(wc -l <<< "$output")" -le 40 ]
		same "longer lines" "$(awk 'length($0) > 100' <<< "$output")" ""
		[[ $output == "usage: wirespan"* ]]
	done
}

@test "the rules of linking: the man page has each, and no other; each is switched off by the mutation test" {
	run -2 --separate-stderr "$wirespan" trace --without-rule none --all
	rules=$(grep -o 'there are [^;]*' <<< "$stderr" | cut -c11- | tr -d ' ' | tr , '\n' | sort)
	[ "$(wc -l <<< "$rules")" -gt 5 ]
	same "of the man page" "$(sed -n '/without.-rule "/,/^\.TP/p' "$root/man/wirespan.8" | tr '\n' ' ' |
		sed 's/.*rests on it: //; s/ \.TP.*//; s/ or /, /; s/ ([^)]*)//g' | tr -d ' ' | tr , '\n' | sort)" "$rules"
	same "without a mutation" "$(sed -n "/^table='/,/^'/p" "$root/tests/truth/mutate" | cut -d' ' -f1 | sort -u | comm -13 - <(echo "$rules"))" ""
}

@test "ps: what runs in a process is told by what it exports, not by its name" {
	cp "$(readlink -f /usr/bin/python3)" "$T/node"
	cp "$(readlink -f "$(command -v redis-server)")" "$T/python3"
	server front env PYTHONHOME=/usr "$T/node" "$progs/http_server.py"
	front=$port
	port=$(free_port)
	spawn back "$T/python3" --bind 127.0.0.1 --save "" --port "$port"
	until_ok 10 listens "$port"
	"$wirespan" ps --json > "$T/ps"
	same "a copy of python named node" "$(jq -c "select(.ports == [$front]) | [.language, .causality]" "$T/ps")" '["python","thread"]'
	same "a copy of redis-server named python3" "$(jq -c "select(.ports == [$port]) | [.language, .causality]" "$T/ps")" '["c","event-loop"]'
}

@test "--help names every option, and the man page has each of them" {
	for command in $commands; do
		"$wirespan" $command --help | grep -o -- '  --[a-z-]*' | tr -d ' ' | sort -u
	done | sort -u > "$T/options"
	same "options" "$(($(wc -l < "$T/options") >= 10))" 1
	sed 's/\\-/-/g' "$root/man/wirespan.8" > "$T/man"
	while read -r option; do
		grep -q -- "$option" "$T/man" || { echo "$option is not in the man page"; false; }
	done < "$T/options"
	for command in $commands; do grep -q "^.B $command" "$T/man"; done
}

@test "help and version" {
	run -0 "$wirespan" help
	for command in $commands; do [[ $output == *"  $command "* ]]; done
	run -0 "$wirespan" --version
	[[ $output =~ ^wirespan\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "no command: the overview on stderr, exit status 2" {
	run -2 --separate-stderr "$wirespan"
	same "output" "$output" ""
	[[ $stderr == "usage: wirespan"* ]]
}

@test "unknown commands and options are quoted, exit status 2" {
	usage "'frobnicate'" --help -- frobnicate
	for command in $commands; do
		usage "'--frobnicate'" "wirespan $command --help" -- "$command" --frobnicate
		usage "'-z'" -- "$command" -z
	done
	usage "'--json'" -- agent --json --pid $nobody
	usage "'--all'" -- replay --all x
	usage "'--port=1'" -- doctor --port=1
}

@test "bad values are quoted with their option, exit status 2" {
	for value in 0 -1 x 1x 99999999 "" " 1"; do usage --pid "\"$value\"" -- trace --pid "$value"; done
	usage --pid '""' -- trace --pid "$nobody,,$nobody"
	usage --pid '"x"' -- trace --pid "$nobody,x"
	for value in 0 65536 http; do usage --port "$value" -- agent --port "$value"; done
	usage --comm sixteen-chars-xx -- agent --comm sixteen-chars-xx
	usage --cgroup relative -- agent --cgroup relative
	usage --ring-size "'3'" -- agent --ring-size 3 --pid $nobody
	usage --ring-size "'8m'" -- agent --ring-size=8m --pid $nobody
	usage --ring-size "'0'" -- agent --ring-size 0 --pid $nobody
	usage --ring-size "'-8'" -- agent --ring-size -8 --pid $nobody
	usage --without-rule "there are header, connection, goroutine, handoff, timer, task, thread, coroutine, callback, event-loop, turn, wake, waits, answer" \
		-- trace --without-rule luck --pid $nobody
}

@test "options without their value, and values where none belongs, exit status 2" {
	usage --pid -- trace --pid
	usage --output -- record --pid $nobody -o
	usage --json -- trace --json=yes --pid $nobody
	usage --all -- agent --all=1
}

@test "record without -o, replay without a file or with two, exit status 2" {
	usage "-o FILE" -- record --pid $nobody
	usage FILE -- replay
	usage FILE -- replay a b
	usage --pid -- replay --pid 1 a
}

@test "a word that is no option is not run as a command: that comes after --, exit status 2" {
	printf '#!/bin/sh\necho "$0 has run" > "%s"\n' "$T/has-run" > "$T/stray"
	chmod +x "$T/stray"
	for command in agent trace "record -o $T/recording"; do
		# shellcheck disable=SC2086
		usage "$T/stray" -- $command --pid $nobody "$T/stray"
		# shellcheck disable=SC2086
		usage "$T/stray" -- $command "$T/stray" --pid $nobody
		[ ! -e "$T/has-run" ]
	done
}

@test "doctor takes no operand, exit status 2" {
	usage stray -- doctor stray
}

@test "a cgroup that is not there, or is no cgroup, is quoted" {
	run --separate-stderr timeout 10 "$wirespan" trace --cgroup /sys/fs/cgroup/is-not-there
	[ "$status" = 1 ] || [ "$status" = 2 ]
	[[ $stderr == *"/sys/fs/cgroup/is-not-there"* ]]
	run --separate-stderr timeout 10 "$wirespan" trace --cgroup /tmp
	[ "$status" = 1 ] || [ "$status" = 2 ]
	[[ $stderr == *"/tmp"* ]]
}

@test "--ring-size changes the ring" {
	for size in 1 16; do
		tracer trace trace --json --ring-size "$size" -- sleep 600
		same "ring of $size MiB" "$(for id in $(sed -sn 's/^map_id:\t//p' /proc/"$pid"/fdinfo/* | sort -u); do
			bpftool map show id "$id" -j; done | jq -s '.[] | select(.type == "ringbuf") | .max_entries / 1048576')" "$size"
		kill "$pid"
		ends "$pid" 10
	done
}

@test "make install puts the binary and the man page below DESTDIR, and nothing elsewhere" {
	make -s -C "$root" install DESTDIR="$T/root" PREFIX=/usr 3>&-
	same "files" "$(cd "$T/root" && find . -type f -printf '%m %p\n' | sort -k 2)" \
"755 ./usr/sbin/wirespan
644 ./usr/share/man/man8/wirespan.8"
	run -0 "$T/root/usr/sbin/wirespan" --version
	make -s -C "$root" install DESTDIR="$T/root" 3>&-
	[ -x "$T/root/usr/local/sbin/wirespan" ]
	[ -r "$T/root/usr/local/share/man/man8/wirespan.8" ]
}

@test "the man page is right for man: no warning" {
	command -v man > /dev/null || command -v groff > /dev/null || { log "neither man nor groff: looked at by macros only"; }
	if command -v groff > /dev/null; then
		same "warnings" "$(groff -man -Tutf8 -ww -z "$root/man/wirespan.8" 2>&1)" ""
	fi
	for section in NAME SYNOPSIS DESCRIPTION OPTIONS "EXIT STATUS"; do
		grep -Eq "^\.SH \"?$section" "$root/man/wirespan.8"
	done
}
