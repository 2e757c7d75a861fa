#!/bin/bash
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#
# Runs a bundle (tools/gpu/make_bundle) on a machine with an NVIDIA GPU: tests first, then measurements, within nine
# minutes, each step within a limit of its own. What a step cannot do it says, and the others go on. Prints a line a
# step; OUT (or ./gpu-results) gets results.jsonl, as results come, the tests' own reports and log.txt.
#
# usage: verify.sh [all | quick]     quick ends after the tests
#
# Exit code: 0 when every step that this bundle has passed, 1 when one failed, 2 for a bundle that is not whole,
# 77 without a GPU (1 where LONGTAKE_REQUIRE_GPU is set).
set -u
SECONDS=0
bundle=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mode=${1:-all}
case $mode in
  all | quick) ;;
  tune) echo "verify: tune is absent: nothing measures every kernel of cuBLASLt and cuDNN yet" >&2; exit 2 ;;
  *) echo "verify: no mode $mode, but all and quick" >&2; exit 2 ;;
esac
out=${OUT:-$PWD/gpu-results}
mkdir -p "$out" || exit 2
results=$out/results.jsonl
log=$out/log.txt
: > "$results"
: > "$log"
seconds_max=535
failed=0

quoted() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}
value_of() { # of a line of bundle.txt
  local key rest
  while read -r key rest; do
    if [ "$key" = "$1" ]; then echo "$rest"; return; fi
  done < "$bundle/bundle.txt"
}

# tell STEP STATUS SECONDS WHY
tell() {
  printf '%-10s %-8s %4s s  %s\n' "$1" "$2" "$3" "$4"
  printf '{"step":%s,"status":%s,"seconds":%s,"why":%s}\n' "$(quoted "$1")" "$(quoted "$2")" "$3" "$(quoted "$4")" \
    >> "$results"
  [ "$2" != FAILED ] || failed=1
}

# Says why a bundle is not whole; nothing of it is run then.
check_bundle() {
  local wrong
  if [ ! -f "$bundle/MANIFEST" ]; then
    tell bundle FAILED 0 "MANIFEST is missing"
    return 1
  fi
  if wrong=$(cd "$bundle" && sha256sum --check --quiet --strict MANIFEST 2>&1); then return 0; fi
  while read -r line; do
    case $line in
      *': No such file or directory' | *': FAILED' | *'improperly formatted'*) tell bundle FAILED 0 "${line#sha256sum: }" ;;
    esac
  done <<< "$wrong"
  return 1
}

# Runs a program of the bundle within the step's limit and what is left of all. What it prints goes to the log; a line
# that is an object of JSON is a figure and becomes a result. Leaves the last other line in $said.
within() {
  local limit=$1 step=$2 left=$((seconds_max - SECONDS)) status line
  shift 2
  [ $left -lt "$limit" ] && limit=$left
  said="no time was left"
  [ "$limit" -gt 0 ] || return 124
  said=
  echo "== $step: $*" >> "$log"
  LD_LIBRARY_PATH=$bundle/lib${cuda_path:+:$cuda_path} timeout -k 2 "$limit" "$@" > "$out/step.txt" 2>&1
  status=$?
  while IFS= read -r line; do
    echo "$line" >> "$log"
    if [[ $line == '{'*'}' ]]; then
      printf '{"step":%s,"figure":%s}\n' "$(quoted "$step")" "$line" >> "$results"
      figures+=("$line")
    elif [ -n "$line" ]; then
      said=$line
    fi
  done < "$out/step.txt"
  rm -f "$out/step.txt"
  case $status in
    0 | 77) ;;
    124 | 137) said="stopped after $limit s" ;;
    *) said="exit code $status${said:+, $said}" ;;
  esac
  return $status
}

# step NAME LIMIT COMMAND...: passes or fails by the program's exit code.
step() {
  local name=$1 limit=$2 start=$SECONDS
  shift 2
  if within "$limit" "$name" "$@"; then
    tell "$name" passed $((SECONDS - start)) "$said"
  else
    tell "$name" FAILED $((SECONDS - start)) "${1##*/}: $said"
  fi
}
# What this version cannot do on a GPU, or no program does.
absent() { tell "$1" absent 0 "$2"; }

# What the machine has; it decides nothing.
machine() {
  local text
  command -v nvidia-smi > /dev/null || { echo "no nvidia-smi"; return; }
  text=$(timeout 10 nvidia-smi -i 0 --format=csv,noheader \
    --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.mem,power.limit 2>&1) || text="nvidia-smi: $text"
  echo "$text"
}

find_libraries() {
  cuda_path=
  libraries="looked for where the loader looks: no python3"
  command -v python3 > /dev/null || return 0
  libraries=
  local line
  while IFS= read -r line; do
    case $line in
      'path '*) cuda_path=${line#path } ;;
      *) libraries+="${libraries:+; }$line" ;;
    esac
  done < <(timeout 60 python3 "$bundle/find_libs.py" "$bundle" 2>&1)
}

header() {
  printf '{"run":{"mode":%s,"commit":%s,"bundle":%s,"kernel":%s,"card":%s,"libraries":%s}}\n' "$(quoted "$mode")" \
    "$(quoted "$(value_of commit)")" "$(quoted "$(value_of made)")" "$(quoted "$(uname -r)")" "$(quoted "$1")" \
    "$(quoted "$libraries")" >> "$results"
  echo "longtake $(value_of commit), made $(value_of made)"
  echo "card: $1"
  echo "libraries: $libraries"
}

skip_all() {
  echo
  echo "SKIPPED, no GPU: $1"
  echo "NOTHING was verified and nothing was measured."
  printf '{"step":"all","status":"skipped","seconds":0,"why":%s}\n' "$(quoted "$1")" >> "$results"
  [ -z "${LONGTAKE_REQUIRE_GPU:-}" ] || exit 1
  exit 77
}

test_step() {
  local test
  export LONGTAKE_REQUIRE_GPU=1 GTEST_BRIEF=1
  for test in gpu_kernels_test gpu_ops_test; do
    step test 60 "$bundle/bin/$test" "--gtest_output=xml:$out/$test.xml"
  done
}

sanitizer_step() {
  if ! command -v compute-sanitizer > /dev/null; then
    absent sanitizer "compute-sanitizer is not on this machine's PATH"
    return
  fi
  local tool
  for tool in memcheck racecheck; do
    step sanitizer 20 compute-sanitizer --tool $tool --error-exitcode 9 "$bundle/bin/gpu_kernels_test"
  done
}

figures=()
check_bundle || { echo "verify: this bundle is not whole, nothing of it was run" >&2; exit 2; }
find_libraries
header "$(machine)"
start=$SECONDS
within 10 env "$bundle/bin/longtake_gpu_bench" card
status=$?
[ $status -ne 77 ] || skip_all "$said"
if [ $status -eq 0 ]; then
  tell env passed $((SECONDS - start)) "$said"
else # the others will say the same, each for itself
  tell env FAILED $((SECONDS - start)) "longtake_gpu_bench: $said"
fi
test_step
if [ "$mode" = all ]; then
  step copies 20 "$bundle/bin/longtake_gpu_bench" copies
  absent disk "no program of the bundle reads a disk yet"
  step ops 60 "$bundle/bin/longtake_gpu_bench" ops
  absent chunk "the op list on CUDA has no Conv, no DistanceBias and no attention with a bias yet, and no program puts a model on it"
  absent vae "CUDA has no Conv yet"
  absent stream "no program puts a pack's layers into slots of a GPU yet"
  absent peer "the stand-in in PyTorch is not written yet"
  sanitizer_step
  absent durable "an engine cannot take a GPU yet, so there is no session to come back"
fi
if [ ${#figures[@]} -gt 0 ]; then
  echo
  printf '%s\n' "${figures[@]:0:40}"
fi
echo "$SECONDS s, results in $out"
exit $failed
