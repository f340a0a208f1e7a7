#!/usr/bin/env bash
# Trains the designs that models/README.md compares, each for the same steps on the same films, and measures them.
# usage: scripts/designs.sh CRUMPLE OUT_FOLDER [STEPS]     (1,500 steps: about 10 minutes a design on one core)
set -euo pipefail
crumple=$(realpath "$1") out=$2 steps=${3:-1500}
cd "$(dirname "$0")/.."
studies=(../shared/data/simulations/{crash_box,bumper,hat_beam})
[ -d "${studies[0]}" ] || { echo "skipped: ${studies[0]} is not on this machine"; exit 0; }
mkdir -p "$out"
export RAYON_NUM_THREADS=1 OMP_NUM_THREADS=1 # one core, so that the times can be compared

train() { # NAME FEATURES COARSE_RADIUS HIDDEN CORRECTS
  sed -e "s/^name = .*/name = \"$1\"/" -e "s/^features = .*/features = $2/" -e "s/^coarse_radius = .*/coarse_radius = $3/" \
    -e "s/^hidden = .*/hidden = $4/" -e "s/^corrects = .*/corrects = $5/" -e "s/^steps = .*/steps = $steps/" \
    -e "s/^fall_steps = .*/fall_steps = $((steps / 2))/" models/residual.toml >"$out/$1.toml"
  "$crumple" train residual --data "${studies[@]}" --recipe "$out/$1.toml" --out "$out/$1.onnx" >"$out/$1.log" 2>&1
  echo "== $1"
  grep -E "parameters|mean px|^start|^$1 " "$out/$1.log"
  "$crumple" train evaluate --data "${studies[@]}" --recipe "$out/$1.toml" --model "$out/$1.onnx" --pairs 16
}
train judge "[10, 20]" 4 "[32, 24]" false
train narrow "[10, 20]" 0 "[32, 24]" true
train small "[10, 20]" 4 "[32, 24]" true
train wide "[16, 32]" 4 "[48, 32]" true
