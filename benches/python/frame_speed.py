"""The Python peer of one camera's frame, from the mesh to the residual: the same steps with numpy, OpenCV and onnxruntime.

Usage: frame_speed.py MODEL FOLDER HEIGHT WIDTH REPEATS THREADS START FX FY CX CY R11 … R33 T1 T2 T3
FOLDER holds raw little-endian files: triangles (uint32, 3 a row), now and then (float32 node positions in mm at the frame
and at frame 0), first, real and flow (float32 pictures, and the flow that crumple found). The steps: draw the mesh, carry
frame 0's look along, take the paint, DIS in both directions, the network. Prints JSON: milliseconds of each repeat, of which
for the predicted picture, and the median distance between both flows in px where the look is known.
"""

import json
import pathlib
import sys
import time

import cv2
import numpy as np
import onnxruntime

from estimate_speed import dis, estimate

MARGIN = 1e-6


class Camera:
    def __init__(self, numbers):
        self.fx, self.fy, self.cx, self.cy = numbers[:4]
        self.turn, self.shift = np.array(numbers[4:13]).reshape(3, 3), np.array(numbers[13:16])

    def project(self, points):
        """Columns, rows and depths of points in mm."""
        p = points @ self.turn.T + self.shift
        return self.fx * p[..., 0] / p[..., 2] + self.cx, self.fy * p[..., 1] / p[..., 2] + self.cy, p[..., 2]

    def facing(self, triangles, points):
        """Which side of each triangle is seen."""
        x, y, _ = self.project(points)
        a, b, c = triangles.T
        return (x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a]) > 0.0


def draw(camera, triangles, points, height, width):
    """Triangle, weights of its corners and depth of each pixel; all triangles of one size class at a time."""
    x, y, z = (v[triangles] for v in camera.project(points))
    left, top = np.floor(x.min(1)).astype(int), np.floor(y.min(1)).astype(int)
    side = np.maximum(np.ceil(x.max(1)) - left, np.ceil(y.max(1)) - top).astype(int) + 1
    in_sight = (z.min(1) > 0) & (left < width) & (top < height) & (left + side > 0) & (top + side > 0)
    classes = np.ceil(np.log2(side)).astype(int)
    pieces = []
    for size in np.unique(classes[in_sight]):
        t = np.flatnonzero(in_sight & (classes == size))
        steps = np.arange(2**size)
        px, py = left[t, None, None] + steps, top[t, None, None] + steps[:, None]
        (xa, xb, xc), (ya, yb, yc) = (v[t].T[..., None, None] for v in (x, y))
        with np.errstate(divide="ignore", invalid="ignore"):
            area = (xb - xa) * (yc - ya) - (yb - ya) * (xc - xa)
            u = ((px - xa) * (yc - ya) - (py - ya) * (xc - xa)) / area
            v = ((xb - xa) * (py - ya) - (yb - ya) * (px - xa)) / area
            inside = (u >= -MARGIN) & (v >= -MARGIN) & (u + v <= 1 + MARGIN)
        inside &= (px >= 0) & (py >= 0) & (px < width) & (py < height)
        which, row, column = np.nonzero(inside)
        near = np.stack([1 - u - v, u, v], axis=-1)[inside] / z[t][which]
        depth = 1.0 / near.sum(1)
        pixel = (top[t][which] + row) * width + left[t][which] + column
        pieces.append((pixel, depth, t[which], near * depth[:, None]))
    pixel, depth, triangle, weights = (np.concatenate(p) for p in zip(*pieces))
    order = np.lexsort((depth, pixel))
    seen, first = np.unique(pixel[order], return_index=True)
    nearest = order[first]
    return seen, triangle[nearest], weights[nearest], depth[nearest]


class Look:
    """Frame 0: its picture, and how deep its pixels are."""

    def __init__(self, camera, triangles, points, picture):
        self.points, self.picture = points, picture
        height, width = picture.shape
        seen, _, _, depth = draw(camera, triangles, points, height, width)
        nearest = np.full(height * width, -1.0, dtype=np.float32)
        nearest[seen] = depth
        self.farthest = cv2.dilate(nearest.reshape(height, width), np.ones((3, 3)))


def predict(camera, triangles, points, look):
    height, width = look.picture.shape
    seen, triangle, weights, _ = draw(camera, triangles, points, height, width)
    material = (look.points[triangles[triangle]] * weights[..., None]).sum(1)
    x, y, depth = camera.project(material)
    x, y = x.astype(np.float32), y.astype(np.float32)
    columns, rows = np.rint(x).astype(int), np.rint(y).astype(int)
    known = (columns >= 1) & (rows >= 1) & (columns < width - 1) & (rows < height - 1)
    there = look.farthest[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    known &= depth <= there * 1.003 + 1.5
    same = camera.facing(triangles, points) == camera.facing(triangles, look.points)
    known &= same[triangle]
    maps = np.zeros((2, height * width), dtype=np.float32)
    maps[:, seen] = x, y
    carried = cv2.remap(look.picture, *maps.reshape(2, height, width), cv2.INTER_CUBIC)
    visible = np.zeros(height * width, dtype=np.float32)
    visible[seen[known]] = 1.0
    visible = visible.reshape(height, width)
    return np.where(visible > 0, carried, look.picture), visible


def main():
    model, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    height, width, repeats, threads = map(int, sys.argv[3:7])
    camera = Camera([float(a) for a in sys.argv[8:]])
    cv2.setNumThreads(threads)
    search = dis(sys.argv[7])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    triangles = np.fromfile(folder / "triangles", dtype="<u4").reshape(-1, 3).astype(np.int64)
    now, then = (np.fromfile(folder / f, dtype="<f4").reshape(-1, 3).astype(np.float64) for f in ("now", "then"))
    first, real = (np.fromfile(folder / f, dtype="<f4").reshape(height, width) for f in ("first", "real"))
    ours = np.fromfile(folder / "flow", dtype="<f4").reshape(2, height, width)
    look = Look(camera, triangles, then, first)
    times, of_predicting = [], []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        predicted, visible = predict(camera, triangles, now, look)
        of_predicting.append((time.perf_counter() - begun) * 1e3)
        flow, _, _ = estimate(session, search, predicted, real, visible)
        times.append((time.perf_counter() - begun) * 1e3)
    difference = float(np.median(np.linalg.norm(flow - ours, axis=0)[visible > 0]))
    # The first one loads and warms.
    print(json.dumps({"ms": times[1:], "predict_ms": of_predicting[1:], "median_difference_px": difference}))


if __name__ == "__main__":
    main()
