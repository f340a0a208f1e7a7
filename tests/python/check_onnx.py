"""Checks exported models with tools that are not ours: onnx.checker and Python's onnxruntime.

Usage: check_onnx.py MODEL REFERENCE.json [HALF_MODEL]
REFERENCE.json: {"inputs": {name: {"shape": [...], "data": [...]}}, "outputs": {...}} as crumple computed them.
Prints the largest differences; exit code 0 when they are within 1e-4 (HALF_MODEL, with convolutions in 16 bits: 0.1),
3 when a Python module is missing.
"""

import json
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as error:
    print(f"missing: {error}", file=sys.stderr)
    sys.exit(3)

WANTED = {
    "contract", "normalisation", "weights_sha256", "program_version", "precision",
    "calibration.log_var_factor", "calibration.log_var_offset",
}


def array(entry):
    return np.array(entry["data"], dtype=np.float32).reshape(entry["shape"])


def largest_difference(model_path, reference, times):
    """The reference's batch is repeated `times` times: sizes are free, and a batch of n equals n of one."""
    model = onnx.load(model_path, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    opset = {entry.domain: entry.version for entry in model.opset_import}
    assert list(opset) == [""] and opset[""] >= 17, f"operator sets {opset}"
    external = [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    assert not external, f"not self-contained: {external}"
    for value in [*model.graph.input, *model.graph.output]:
        free = [d.dim_param for d in value.type.tensor_type.shape.dim]
        assert [free[0], free[2], free[3]] == ["B", "H", "W"], f"{value.name}: {free}"
    keys = {entry.key for entry in model.metadata_props}
    assert WANTED <= keys, f"metadata without {WANTED - keys}"
    session = onnxruntime.InferenceSession(model_path, providers=["CPUExecutionProvider"])
    names = list(reference["outputs"])
    inputs = {name: np.repeat(array(entry), times, axis=0) for name, entry in reference["inputs"].items()}
    largest = 0.0
    for name, values in zip(names, session.run(names, inputs)):
        expected = np.repeat(array(reference["outputs"][name]), times, axis=0)
        assert values.shape == expected.shape, f"{name}: {values.shape}, expected {expected.shape}"
        largest = max(largest, float(np.abs(values - expected).max()))
    return largest


def main() -> int:
    model_path, reference_path = sys.argv[1:3]
    with open(reference_path, encoding="utf-8") as file:
        reference = json.load(file)
    fine = True
    for path, limit in [(model_path, 1e-4), *((p, 0.1) for p in sys.argv[3:])]:
        for times in (1, 3):
            difference = largest_difference(path, reference, times)
            print(f"{path}, batch of {times}: largest difference {difference:.2e}, at most {limit}")
            fine = fine and difference <= limit
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
