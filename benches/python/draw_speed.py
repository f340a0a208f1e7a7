"""Seconds that VTK takes to draw a folded sheet off-screen: draw_speed.py SIDE REPEATS FRAMES_A_REPEAT.

Every frame is drawn anew from moved points, as in a review, and colours and depths are read back.
"""

import json
import sys
import time

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

side, repeats, inner = map(int, sys.argv[1:4])
v, u = np.meshgrid(np.arange(side + 1) / side, np.arange(side + 1) / side, indexing="ij")
fold = 60 * np.sin(9 * u + 2 * np.sin(5 * v))
rows = np.stack([400 * (u - 0.5) + 0.7 * fold, 300 * (v - 0.5), fold + 700], axis=-1).reshape(-1, 3).astype(np.float32)
at = np.arange((side + 1) ** 2).reshape(side + 1, side + 1)
a, b, c, d = (x.ravel() for x in (at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]))
triangles = np.stack([a, b, c, a, c, d], axis=1).reshape(-1, 3).astype(np.int64)
m = len(triangles)

points = vtk.vtkPoints()
points.SetData(numpy_to_vtk(rows, deep=True))
cells = vtk.vtkCellArray()
cells.SetData(
    numpy_to_vtkIdTypeArray(np.arange(0, 3 * m + 1, 3, dtype=np.int64), deep=True),
    numpy_to_vtkIdTypeArray(triangles.ravel(), deep=True),
)
ids = np.arange(m, dtype=np.uint32)
colours = np.stack([ids >> 16 & 255, ids >> 8 & 255, ids & 255], axis=1).astype(np.uint8)
surface = vtk.vtkPolyData()
surface.SetPoints(points)
surface.SetPolys(cells)
surface.GetCellData().SetScalars(numpy_to_vtk(colours, deep=True, array_type=vtk.VTK_UNSIGNED_CHAR))
mapper = vtk.vtkPolyDataMapper()
mapper.SetInputData(surface)
mapper.SetScalarModeToUseCellData()
mapper.SetColorModeToDirectScalars()
actor = vtk.vtkActor()
actor.SetMapper(mapper)
actor.GetProperty().LightingOff()
renderer = vtk.vtkRenderer()
renderer.AddActor(actor)
camera = renderer.GetActiveCamera()
camera.SetPosition(0, 0, 0)
camera.SetFocalPoint(0, 0, 1)
camera.SetViewUp(0, -1, 0)
camera.SetViewAngle(np.degrees(2 * np.arctan(240 / 900)))
camera.SetClippingRange(100, 2000)
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetMultiSamples(0)
window.SetSize(640, 480)
window.AddRenderer(renderer)
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
