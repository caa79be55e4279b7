#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A few seconds of fuzzing for each row of the protocol table; TAP. What is found stays in OUT.
# usage: short.sh FUZZ_PROTOCOLS MALFORMED CORPUS OUT [SECONDS]
set -u
fuzz=$1 malformed=$2 corpus=$3 out=$4 seconds=${5:-2}
mkdir -p "$out"
rows=$("$malformed" --rows) || exit 1
set -- $rows
echo "TAP version 13"
echo "1..$#"
n=0 status=0
for row; do
	n=$((n + 1))
	mkdir -p "$out/corpus-$row"
	if WS_FUZZ_ROW=$row "$fuzz" -max_total_time="$seconds" -max_len=4096 -timeout=5 -dict="$corpus/../protocols.dict" \
		-artifact_prefix="$out/$row-" "$out/corpus-$row" "$corpus" >"$out/$row.log" 2>&1; then
		echo "ok $n - fuzz $row: $(sed -n 's/^Done \([0-9]* runs\).*/\1/p' "$out/$row.log") in $seconds s"
	else
		echo "not ok $n - fuzz $row: see $out/$row.log"
		grep -E 'breach|runtime error|ERROR: |SUMMARY' "$out/$row.log" | sed 's/^/# /'
		status=1
	fi
done
exit $status
