"""Speed of a residual model on an NVIDIA GPU, by Python's onnxruntime alone: what `cargo bench --bench figures -- gpu`
measures through Crumple, for machines on which only the model file and the wheel `onnxruntime-gpu` are at hand.

usage: gpu_speed.py MODELS_FOLDER [--batch 16]

Tensors stay on the GPU; medians of 20 runs after two. The difference is that of flow, px, to the processor's answer on a
picture of 128 x 96.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

OUTPUTS = {"flow": 2, "log_var": 1, "present": 1}
EXACT = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}


def pictures(batch, height, width):
    rng = np.random.default_rng(1)
    plane = lambda: rng.random((batch, 1, height, width), np.float32) * 0.5 + 0.25
    return {
        "predicted": plane(),
        "real": plane(),
        "visible": np.ones((batch, 1, height, width), np.float32),
        "start": rng.normal(size=(batch, 2, height, width)).astype(np.float32),
        "doubt": np.abs(rng.normal(size=(batch, 1, height, width))).astype(np.float32),
    }


def session(model, options):
    quiet = ort.SessionOptions()
    quiet.log_severity_level = 4
    providers = [("CUDAExecutionProvider", options)] if options is not None else ["CPUExecutionProvider"]
    opened = ort.InferenceSession(str(model), quiet, providers=providers)
    assert options is None or opened.get_providers()[0] == "CUDAExecutionProvider", opened.get_providers()
    return opened


def difference(models, model):
    small = pictures(1, 96, 128)
    reference = session(models / "residual.onnx", None).run(["flow"], small)[0]
    return np.abs(session(model, EXACT).run(["flow"], small)[0] - reference).max()


def milliseconds(model, options, batch, height=480, width=640):
    opened = session(model, options)
    binding, kept = opened.io_binding(), []
    for name, value in pictures(batch, height, width).items():
        kept.append(ort.OrtValue.ortvalue_from_numpy(value, "cuda", 0))
        binding.bind_ortvalue_input(name, kept[-1])
    for name, channels in OUTPUTS.items():
        shape = (batch, channels, height, width)
        kept.append(ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, "cuda", 0))
        binding.bind_ortvalue_output(name, kept[-1])
    run_options = ort.RunOptions()
    run_options.add_run_config_entry("gpu_graph_id", "1")
    times = []
    for _ in range(22):
        begun = time.perf_counter()
        opened.run_with_iobinding(binding, run_options)
        times.append(time.perf_counter() - begun)
    return 1e3 * np.median(times[2:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", type=Path)
    parser.add_argument("--batch", type=int, default=16)
    asked = parser.parse_args()
    print("| model | pairs a run | CUDA graph | ms | pairs/s | difference, px |\n|---|---:|---|---:|---:|---:|")
    for name in ("residual.onnx", "residual-fp16.onnx"):
        model = asked.models / name
        apart = difference(asked.models, model)
        for graph in ("0", "1"):
            ms = milliseconds(model, {**EXACT, "enable_cuda_graph": graph}, asked.batch)
            rate = 1e3 * asked.batch / ms
            print(f"| {name} | {asked.batch} | {'yes' if graph == '1' else 'no'} | {ms:.2f} | {rate:.0f} | {apart:.1e} |")


if __name__ == "__main__":
    main()
