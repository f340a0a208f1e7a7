"""Draws triangles off-screen with VTK and writes which triangle and which depth each pixel shows.

Usage: draw_with_vtk.py FOLDER, with in it
  scene.json      width, height, fx, fy, cx, cy, rotation [3][3], translation [3], near, far (all mm and px)
  positions.f32   [n, 3] node positions, world, mm
  triangles.u32   [m, 3]
Writes triangle.i32 [height, width] (-1 where nothing is) and depth.f32 (mm along the axis).
Each triangle is painted with its number as a flat 24-bit colour: no light, no smoothing, no multisampling.
"""

import json
import sys
from pathlib import Path

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy


def projection(s):
    """OpenGL projection for pixel centres at whole numbers, row 0 on top; eye axes x right, y up, z backward."""
    w, h, near, far = s["width"], s["height"], s["near"], s["far"]
    rows = [
        [2 * s["fx"] / w, 0, 1 - (2 * s["cx"] + 1) / w, 0],
        [0, 2 * s["fy"] / h, (2 * s["cy"] + 1) / h - 1, 0],
        [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
        [0, 0, -1, 0],
    ]
    matrix = vtk.vtkMatrix4x4()
    for r in range(4):
        for c in range(4):
            matrix.SetElement(r, c, rows[r][c])
    return matrix


def off_screen(s, seen, triangles):
    """The window, its points and its surface: triangles between points in camera axes, painted with their numbers."""
    points = vtk.vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(seen), deep=True))
    cells = vtk.vtkCellArray()
    m = len(triangles)
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
    actor.GetProperty().SetInterpolationToFlat()

    renderer = vtk.vtkRenderer()
    renderer.SetBackground(1, 1, 1)
    renderer.AddActor(actor)
    camera = renderer.GetActiveCamera()
    camera.SetPosition(0, 0, 0)
    camera.SetFocalPoint(0, 0, 1)
    camera.SetViewUp(0, -1, 0)
    camera.SetClippingRange(s["near"], s["far"])
    camera.UseExplicitProjectionTransformMatrixOn()
    camera.SetExplicitProjectionTransformMatrix(projection(s))

    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(s["width"], s["height"])
    window.AddRenderer(renderer)
    return window, points, surface


def main(folder):
    s = json.loads((folder / "scene.json").read_text())
    world = np.fromfile(folder / "positions.f32", np.float32).reshape(-1, 3).astype(np.float64)
    triangles = np.fromfile(folder / "triangles.u32", np.uint32).reshape(-1, 3).astype(np.int64)
    seen = world @ np.asarray(s["rotation"]).T + np.asarray(s["translation"])
    window, _, _ = off_screen(s, seen, triangles)
    window.Render()

    w, h = s["width"], s["height"]
    raw = vtk.vtkUnsignedCharArray()
    window.GetPixelData(0, 0, w - 1, h - 1, 0, raw, 0)
    rgb = vtk_to_numpy(raw).reshape(h, w, 3)[::-1].astype(np.int32)
    number = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
    number[number == 0xFFFFFF] = -1
    z = vtk.vtkFloatArray()
    window.GetZbufferData(0, 0, w - 1, h - 1, z)
    z = vtk_to_numpy(z).reshape(h, w)[::-1].astype(np.float64)
    near, far = s["near"], s["far"]
    depth = far * near / (far - z * (far - near))
    depth[number < 0] = np.inf
    number.astype(np.int32).tofile(folder / "triangle.i32")
    depth.astype(np.float32).tofile(folder / "depth.f32")
    print(f"vtk {vtk.vtkVersion.GetVTKVersion()}: {int((number >= 0).sum())} pixels show something")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
