#!/usr/bin/env bash
# Builds target/release/crumple with `--features cuda`, so that `crumple train` computes on an NVIDIA GPU. The compiler
# and CUDA's libraries come from PyPI, so no GPU and no CUDA toolkit is needed here; the binary can be carried to a machine
# that has both a driver and these libraries (.tools/cuda/lib, to be named in LD_LIBRARY_PATH there).
# usage: scripts/build_cuda.sh; CUDA_COMPUTE_CAP is the GPU's compute capability without its dot (default 90: Hopper).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CUDA=13.0                        # a driver of series 580 or newer runs it
HOME_OF_CUDA="$PWD/.tools/cuda"
say() { printf 'build_cuda: %s\n' "$*"; }

toolkit() {
    [ -f "$HOME_OF_CUDA/complete" ] && return
    say "installing the CUDA $CUDA compiler and libraries into .tools/cuda"
    rm -rf "$HOME_OF_CUDA" .tools/cuda.tmp
    [ -x .tools/pip/bin/pip ] || python3 -m venv .tools/pip
    .tools/pip/bin/pip --disable-pip-version-check -q install --no-deps --target .tools/cuda.tmp \
        "nvidia-cuda-nvcc==$CUDA.*" "nvidia-nvvm==$CUDA.*" "nvidia-cuda-crt==$CUDA.*" "nvidia-cuda-runtime==$CUDA.*" \
        "nvidia-cuda-cccl==$CUDA.*" "nvidia-cuda-nvrtc==$CUDA.*" "nvidia-cublas==13.*" "nvidia-curand==10.*"
    mv .tools/cuda.tmp/nvidia/cu13 "$HOME_OF_CUDA"
    rm -rf .tools/cuda.tmp
    chmod +x "$HOME_OF_CUDA"/bin/* "$HOME_OF_CUDA"/nvvm/bin/*
    ln -sfn lib "$HOME_OF_CUDA/lib64"
    local library
    for library in "$HOME_OF_CUDA"/lib/lib*.so.*; do
        ln -sfn "$(basename "$library")" "${library%%.so.*}.so"
    done
    driver_stub
    touch "$HOME_OF_CUDA/complete"
}

# The linker wants the driver's library, which only a driver brings: one with the same names and nothing behind them.
# It lies apart from the real libraries and is never loaded.
driver_stub() {
    local source names
    cargo fetch --locked -q
    source="$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/cudarc-*/src/driver | tail -n 1)"
    names="$(grep -rhoE '\bcu[A-Z][A-Za-z0-9_]*\b' "$source" | sort -u)"
    mkdir -p "$HOME_OF_CUDA/stubs"
    { echo .text; for name in $names; do printf '.globl %s\n.type %s,@function\n%s: ret\n' "$name" "$name" "$name"; done; } \
        | gcc -shared -nostdlib -Wl,-soname,libcuda.so.1 -x assembler -o "$HOME_OF_CUDA/stubs/libcuda.so" -
}

bash scripts/setup.sh
toolkit
export CUDA_HOME="$HOME_OF_CUDA" CUDA_PATH="$HOME_OF_CUDA" CUDA_ROOT="$HOME_OF_CUDA" CUDA_TOOLKIT_ROOT_DIR="$HOME_OF_CUDA"
export NVCC="$HOME_OF_CUDA/bin/nvcc" PATH="$HOME_OF_CUDA/bin:$PATH" CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-90}"
export CUDARC_CUDA_VERSION="${CUDA%.*}0${CUDA#*.}0" LIBRARY_PATH="$HOME_OF_CUDA/lib:$HOME_OF_CUDA/stubs"
cargo build --release --features cuda
say "target/release/crumple trains on a GPU now; on one that lacks CUDA's libraries: LD_LIBRARY_PATH=$HOME_OF_CUDA/lib"
