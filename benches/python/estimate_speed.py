"""The Python peer of crumple's residual estimate: the same steps with OpenCV, onnxruntime and numpy.

Usage: estimate_speed.py MODEL HEIGHT WIDTH REPEATS THREADS START PREDICTED REAL FLOW
START is the kind of DIS, as src/vision/flow.rs has it. The last three are raw little-endian float32: two pictures and
the flow that crumple found. Prints JSON: milliseconds of each repeat, and the median distance between the two flows in px.
"""

import json
import sys
import time

import cv2
import numpy as np
import onnxruntime


def paint(picture):
    """Local contrast, as src/vision/picture.rs has it."""
    detail = picture - cv2.GaussianBlur(picture, (0, 0), 6.0)
    power = cv2.GaussianBlur(detail * detail, (0, 0), 12.0)
    return 0.5 + 0.15 * detail / (np.sqrt(power) + 0.015)


def dis(kind):
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if kind == "quick":
        search.setPatchStride(4)
        search.setGradientDescentIterations(8)
        search.setVariationalRefinementIterations(0)
    return search


def start_flow(predicted, real, search):
    a, b = ((p * 255.0 + 0.5).clip(0, 255).astype(np.uint8) for p in (predicted, real))
    forward, backward = search.calc(a, b, None), search.calc(b, a, None)
    height, width = predicted.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x, y = x + forward[..., 0], y + forward[..., 1]
    back = cv2.remap(backward, x, y, cv2.INTER_LINEAR)
    doubt = np.minimum(np.linalg.norm(forward + back, axis=2), 16.0)
    doubt[(x < 0) | (y < 0) | (x >= width - 1) | (y >= height - 1)] = 16.0
    return forward, doubt.astype(np.float32)


def estimate(session, search, predicted, real, visible):
    predicted, real = paint(predicted), paint(real)
    flow, doubt = start_flow(predicted, real, search)
    height, width = predicted.shape
    pad = ((0, 0), (0, 0), (0, -height % 32), (0, -width % 32))
    planes = {"predicted": predicted[None, None], "real": real[None, None], "visible": visible[None, None],
              "start": np.moveaxis(flow, 2, 0)[None], "doubt": doubt[None, None]}
    modes = {name: "constant" if name == "visible" else "edge" for name in planes}
    inputs = {name: np.ascontiguousarray(np.pad(p, pad, mode=modes[name]), dtype=np.float32) for name, p in planes.items()}
    flow, log_var, present = session.run(["flow", "log_var", "present"], inputs)
    return flow[0, :, :height, :width], np.exp(0.5 * log_var[0, 0, :height, :width]), present[0, 0, :height, :width]


def main():
    model, (height, width, repeats, threads), files = sys.argv[1], map(int, sys.argv[2:6]), sys.argv[7:10]
    cv2.setNumThreads(threads)
    search = dis(sys.argv[6])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    predicted, real = (np.fromfile(f, dtype="<f4").reshape(height, width) for f in files[:2])
    ours = np.fromfile(files[2], dtype="<f4").reshape(2, height, width)
    visible = np.ones((height, width), dtype=np.float32)
    estimate(session, search, predicted, real, visible)
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        flow, _, _ = estimate(session, search, predicted, real, visible)
        times.append((time.perf_counter() - begun) * 1e3)
    difference = float(np.median(np.linalg.norm(flow - ours, axis=0)))
    print(json.dumps({"ms": times, "median_difference_px": difference}))


if __name__ == "__main__":
    main()
