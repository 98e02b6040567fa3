#!/usr/bin/env bash
# Runs the programs from `cargo xtask gpu-check pack` on a GPU machine: tests, and training steps alongside PyTorch's. Needs
# Linux and a Python with the matching version of torch; no Rust, no network.
#
#   [PYTHON=FILE] [OUT=FOLDER] [GPU_CHECK_SECONDS=470] bash xtask/gpu/run.sh [smoke | PART,PART,...]
#
# Without an argument all parts run, in this order: golden, switches, cuda, ours, translate, raster, clocks, trace,
# ceilings, peers, search, tuned. `smoke` means `golden,steps`: the first tests, and a few small steps. Results, at most 8
# files of 16 MB, go to OUT (default out/gpu-results), replacing those of the previous run; `cargo xtask gpu-check report
# OUT` reads them. Exits with 0 if all parts passed, 1 if one failed or had no time, 3 if there is nothing to run, and 4 if
# CUDA cannot be used.
set -u

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mkdir -p "${OUT:=$root/out/gpu-results}" || exit 3
out=$(cd "$OUT" && pwd)
cd "$root" || exit 3
packed=out/gpu
readonly all_parts=golden,switches,cuda,ours,translate,raster,clocks,trace,ceilings,peers,search,tuned
asked=${1:-$all_parts}
[[ $asked == smoke ]] && asked=golden,steps
end=$((SECONDS + ${GPU_CHECK_SECONDS:-470}))
work=$(mktemp -d) || exit 3
log=$out/all.log
failed=0
readonly NO_TIME=99 most_bytes=$((16 * 1000 * 1000))

rm -f "$out"/{facts.txt,summary.txt,all.log,ceilings.json,steps.jsonl,predictions.jsonl} "$out"/trace-*.json.gz
trap 'rm -rf "$work"' EXIT

say() { echo "$*" | tee -a "$out/summary.txt"; }
fact() { echo "$1: $2" >>"$out/facts.txt"; }
give_up() { # CODE WORDS
  say "stopped: $2"
  exit "$1"
}

# part NAME LIMIT COMMAND...: runs the command and returns its status. Skips it and returns NO_TIME if too little time is
# left. The command's output goes to the log.
part() {
  local name=$1 limit=$2 begin=$SECONDS left=$((end - SECONDS)) status words
  shift 2
  : >"$work/words"
  if ((left < limit / 2)); then
    say "$name: no time left"
    return $NO_TIME
  fi
  ((left < limit)) && limit=$left
  timeout -k 5 "$limit" "$@" >"$work/words" 2>&1
  status=$?
  words=
  ((status == 124)) && words=", timed out"
  { printf '\n== %s\n' "$name" && cat "$work/words"; } >>"$log"
  say "$name: exit $status, $((SECONDS - begin)) s$words"
  return $status
}
wants() { [[ ,$asked, == *,$1,* ]]; }
must() { part "$@" || failed=1; }

# A test program that ran no tests, or skipped any, has not passed.
tests() {
  must "$@"
  local passed
  # Tests that start child processes print the children's results too, before the last line.
  passed=$(sed -n 's/^test result: .* \([0-9]*\) passed.*/\1/p' "$work/words" | tail -n 1)
  if [[ -z $passed || $passed == 0 ]] || grep -q 'skipped:' "$work/words"; then
    say "$1: ${passed:-0} tests passed, $(grep -c 'skipped:' "$work/words") were skipped"
    failed=1
  else
    say "$1: $passed tests passed"
  fi
}

# Runs the library's CUDA tests. One of them needs a 90 MB file, which is not packed; those of emulated kernels need a
# compiler but no device, so they are skipped.
golden() {
  local left_out=(--skip emulated) file=${GEOLEARN_INCEPTION:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/geolearn/inception-2015-12-05.safetensors}
  if [[ ! -e $file ]]; then
    left_out+=(--skip metrics::inception)
    say "left out: golden: tests of the Inception network, whose weights are not packed (GEOLEARN_INCEPTION may name them)"
  fi
  tests golden 120 "$work/unit" cuda "${left_out[@]}" --test-threads=1 --nocapture
}

# Repeats the golden tests with each switch that turns a part of the CUDA code off or on; with another kind of norm, the
# tests of the layers too.
switches() {
  local again=("$work/unit" five_steps a_step_of_real_size)
  tests golden-without-layers 60 env GEOLEARN_CUDA_LAYERS=0 "${again[@]}" --test-threads=1 --nocapture
  tests golden-without-graphs 60 env GEOLEARN_CUDA_GRAPHS=0 "${again[@]}" --test-threads=1 --nocapture
  tests golden-without-recompute 60 env GEOLEARN_CUDA_RECOMPUTE=0 "${again[@]}" --test-threads=1 --nocapture
  tests golden-norms-on-chip 60 env GEOLEARN_CUDA_NORMS_ON_CHIP=1 "${again[@]}" cuda_layers --test-threads=1 --nocapture
}

# Writes weights and batches of this size, as files that PyTorch reads.
prepare() {
  [[ -d $work/steps/$1 ]] || must "prepare-$1" 20 "$step" prepare "$work/steps/$1" 256 "$1"
}

unpack() {
  local zipped name
  for zipped in "$packed"/*.gz; do
    name=$(basename "$zipped" .gz)
    gzip -dc "$zipped" >"$work/$name" && chmod +x "$work/$name" || return 1
  done
}

# Tests look for their files in the folder they were built in.
link_root() {
  local built
  built=$(cat "$packed/root")
  [[ -e $built ]] && return
  mkdir -p "$(dirname "$built")" && ln -s "$root" "$built" || say "note: $built cannot be made, so tests will not find their files"
}

IFS=, read -ra names <<<"$asked"
for name in "${names[@]}"; do
  [[ ,$all_parts,steps, == *,"$name",* ]] || give_up 3 "unknown part '$name': expected some of $all_parts, or smoke"
done
[[ -s $packed/root && -s $packed/libtorch ]] || give_up 3 "nothing is packed in $root/$packed: run \`cargo xtask gpu-check pack\` first"
python=$(command -v "${PYTHON:-python3}") || give_up 3 "cannot find ${PYTHON:-python3}: set PYTHON to an existing one"
torch=$("$python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' 2>>"$log") ||
  give_up 3 "$python has no torch: install torch $(cat $packed/libtorch) there, or set PYTHON to another one"
version=$(sed -n "s/^__version__ = '\(.*\)'/\1/p" "$torch/version.py")
[[ ${version%%+*} == "$(cat $packed/libtorch)" ]] ||
  give_up 3 "this was packed for torch $(cat $packed/libtorch), but $python has $version"
unpack || give_up 3 "cannot unpack the files in $packed"
link_root

# Prepended, not replaced: the driver's libraries may be found through it.
export LD_LIBRARY_PATH=$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-8} PYTHONUNBUFFERED=1 GEOLEARN_ASSETS=$root/assets
step=$work/step
compare=$root/benches/peers/train_step.py

fact date "$(date -u +%Y-%m-%d)"
fact commit "$(cat $packed/commit)"
fact torch "$version"
# The wheel for another Python version has a different file of the same release.
if grep -qsF "$(cat $packed/record)" "$torch"/../torch-*.dist-info/RECORD; then
  fact libtorch "the same file as at build time"
else
  fact libtorch "a different file of the same release as at build time"
fi
fact python "$("$python" -c 'import platform; print(platform.python_version())')"
card() { nvidia-smi --query-gpu="$1" --format=csv,noheader 2>/dev/null | head -n 1; }
for name in name driver_version memory.total clocks.max.sm power.limit; do
  fact "$name" "$(card $name)"
done

part card 20 nvidia-smi
has_card=$?
ldd "$step" >"$work/libraries" 2>&1
must libraries 5 bash -c "cat '$work/libraries'; grep -qF 'libtorch_cpu.so => $torch/lib/' '$work/libraries' && ! grep 'not found' '$work/libraries'"
part doctor 90 "$step" doctor --need-cuda
status=$?
((status == NO_TIME)) && give_up 1 "not enough time to start"
if ((status != 0)); then
  reason=$(sed -n 's/^CUDA is required but not usable: //p; s/^\(a convolution on it .*\)/\1/p' "$work/words" | head -n 1)
  [[ -n $reason ]] || reason=$(tail -n 1 "$work/words")
  if ((has_card == 0)); then
    part loader 60 env LD_DEBUG=libs "$step" doctor
    part torch 60 "$python" -c 'import torch; print(torch.cuda.is_available(), torch.version.cuda); torch.ones(1).cuda()'
  fi
  give_up 4 "CUDA cannot be used: $reason"
fi
fact device "$(sed -n 's/^device: //p' "$work/words")"
wants golden && golden
wants switches && switches
wants steps && must steps 60 "$step" bench --json "$out/steps.jsonl" 64 1 f32,tf32,bf16 5
wants cuda && tests cuda 130 "$work/cuda" --test-threads=1 --nocapture
wants ours && must ours 220 "$step" bench --json "$out/steps.jsonl" 256 1,8 bf16,tf32,f32,bf16+graph,tf32+graph,bf16+graph+on-chip,tf32+graph+on-chip,bf16+graph+no-recompute,tf32+graph+no-recompute,bf16+operators,tf32+operators 30
wants translate && must translate 30 "$step" translate --json "$out/predictions.jsonl" 256 50
wants raster && must raster 45 "$step" raster --json "$out/predictions.jsonl" 6144
wants clocks &&
  part clocks 10 nvidia-smi --query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw,memory.used --format=csv
wants trace && must trace 60 "$step" trace "$work/trace" 256 1,8 bf16
wants ceilings && must ceilings 60 "$python" benches/peers/ceilings.py "$out/ceilings.json" --seconds 35
if wants peers; then
  prepare 1 && prepare 8
  # A part starts if at least half its limit is left, so the limits are close to what a fast card needs.
  must plain-default 60 "$python" "$compare" --bench plain-default "$work/steps" 256 1,8 "$out/steps.jsonl"
  must plain-bf16 50 "$python" "$compare" --bench plain-bf16 "$work/steps" 256 1,8 "$out/steps.jsonl"
  must plain-f32 80 "$python" "$compare" --bench plain-f32 "$work/steps" 256 1,8 "$out/steps.jsonl"
fi
# These run only if time is left: the second compiles for minutes.
wants search && part search 60 "$step" bench --json "$out/steps.jsonl" 256 1,8 tf32+search,f32+search 30
if wants tuned; then
  prepare 8
  part tuned 120 "$python" "$compare" --bench tuned-bf16-compile "$work/steps" 256 8 "$out/steps.jsonl"
fi

for trace in "$work"/trace-*.json; do
  [[ -e $trace ]] && gzip -c "$trace" >"$out/$(basename "$trace").gz"
done
for file in "$out"/*; do
  if (($(stat -c %s "$file") > most_bytes)); then
    say "note: $(basename "$file") is larger than 16 MB and was removed"
    rm "$file"
  fi
done
exit $failed
