"""Checks an exported model with tools that are not ours: onnx.checker and Python's onnxruntime.

Usage: check_onnx.py MODEL REFERENCE.json
REFERENCE.json: {"inputs": {name: {"shape": [...], "data": [...]}}, "outputs": {...}} as crumple computed them.
Prints the largest difference; exit code 0 when it is within 1e-4, 3 when a Python module is missing.
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


def main() -> int:
    model_path, reference_path = sys.argv[1:3]
    model = onnx.load(model_path, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    external = [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    assert not external, f"not self-contained: {external}"
    keys = {entry.key for entry in model.metadata_props}
    wanted = {"contract", "normalisation", "weights_sha256", "program_version", "calibration.log_var_offset"}
    assert wanted <= keys, f"metadata without {wanted - keys}"

    with open(reference_path, encoding="utf-8") as file:
        reference = json.load(file)

    def array(entry):
        return np.array(entry["data"], dtype=np.float32).reshape(entry["shape"])

    session = onnxruntime.InferenceSession(model_path, providers=["CPUExecutionProvider"])
    names = list(reference["outputs"])
    found = session.run(names, {name: array(entry) for name, entry in reference["inputs"].items()})
    largest = 0.0
    for name, values in zip(names, found):
        expected = array(reference["outputs"][name])
        assert values.shape == expected.shape, f"{name}: {values.shape}, expected {expected.shape}"
        largest = max(largest, float(np.abs(values - expected).max()))
    print(f"largest difference {largest:.2e}")
    return 0 if largest <= 1e-4 else 1


if __name__ == "__main__":
    sys.exit(main())
