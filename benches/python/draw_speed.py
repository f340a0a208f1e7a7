"""Seconds that VTK takes to draw a folded sheet off-screen: draw_speed.py SIDE REPEATS FRAMES_A_REPEAT.

Every frame is drawn anew from moved points, as in a review, and colours and depths are read back. The window is the one
against which the rasteriser is checked (tests/python/draw_with_vtk.py).
"""

import json
import pathlib
import sys
import time

import numpy as np
import vtk

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/python"))
from draw_with_vtk import off_screen  # noqa: E402

side, repeats, inner = map(int, sys.argv[1:4])
v, u = np.meshgrid(np.arange(side + 1) / side, np.arange(side + 1) / side, indexing="ij")
fold = 60 * np.sin(9 * u + 2 * np.sin(5 * v))
rows = np.stack([400 * (u - 0.5) + 0.7 * fold, 300 * (v - 0.5), fold + 700], axis=-1).reshape(-1, 3).astype(np.float32)
at = np.arange((side + 1) ** 2).reshape(side + 1, side + 1)
a, b, c, d = (x.ravel() for x in (at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]))
triangles = np.stack([a, b, c, a, c, d], axis=1).reshape(-1, 3).astype(np.int64)

scene = dict(width=640, height=480, fx=900, fy=900, cx=319.5, cy=239.5, near=100, far=2000)
window, points, surface = off_screen(scene, rows, triangles)
window.Render()
pixels, depths = vtk.vtkUnsignedCharArray(), vtk.vtkFloatArray()
seconds = []
for repeat in range(repeats + 1):
    begun = time.perf_counter()
    for _ in range(inner):
        points.Modified()
        surface.Modified()
        window.Render()
        window.GetPixelData(0, 0, 639, 479, 0, pixels, 0)
        window.GetZbufferData(0, 0, 639, 479, depths)
    seconds.append((time.perf_counter() - begun) / inner)
print(json.dumps({"seconds": seconds[1:]}))
