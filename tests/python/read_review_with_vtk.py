"""Reads review.vtkhdf with VTK's own reader and compares every step with what the test expected.

usage: read_review_with_vtk.py REVIEW.vtkhdf EXPECTED.json
"""
import json
import sys

import numpy as np
from vtk.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOHDF import vtkHDFReader


def main():
    expected = json.load(open(sys.argv[2]))
    reader = vtkHDFReader()
    reader.SetFileName(sys.argv[1])
    reader.UpdateInformation()
    assert reader.GetNumberOfSteps() == len(expected), (reader.GetNumberOfSteps(), len(expected))
    key = reader.GetExecutive().TIME_STEPS()
    times = reader.GetOutputInformation(0).Get(key)
    # Backwards once, so that a reader state left from the step before cannot pass for the right answer.
    for step in list(range(len(expected))) + list(reversed(range(len(expected)))):
        want = expected[step]
        assert times[step] == want["time_s"], (times[step], want["time_s"])
        reader.SetStep(step)
        reader.Update()
        grid = reader.GetOutput()
        if grid.IsA("vtkPartitionedDataSet"):
            assert grid.GetNumberOfPartitions() == 1
            grid = grid.GetPartition(0)
        point = lambda name: vtk_to_numpy(grid.GetPointData().GetArray(name))
        cell = lambda name: vtk_to_numpy(grid.GetCellData().GetArray(name))
        seen = np.array(want["seen"], int)
        unseen = np.setdiff1d(np.arange(grid.GetNumberOfPoints()), seen)
        f32 = lambda v: np.asarray(v, np.float32)
        assert np.array_equal(vtk_to_numpy(grid.GetPoints().GetData()), f32(want["points"])), "points"
        assert np.array_equal(point("Deviation")[seen], f32(want["deviation"])), "Deviation"
        assert np.array_equal(point("DeviationSigma")[seen], f32(want["sigma"])), "DeviationSigma"
        assert len(unseen) and np.isnan(point("Deviation")[unseen]).all() and np.isnan(point("DeviationSigma")[unseen]).all()
        assert np.array_equal(point("Observed"), want["observed"]), "Observed"
        assert np.array_equal(cell("FlagId"), want["flag"]), "FlagId"
        assert np.array_equal(cell("PartId"), want["part"]), "PartId"
        assert np.array_equal(cell("PlasticStrain"), f32(want["strain"])), "PlasticStrain"
        assert np.array_equal(vtk_to_numpy(grid.GetCells().GetConnectivityArray()), want["connectivity"]), "connectivity"
        assert point("Height").max() == 200.0
    print(f"{len(expected)} steps equal")


if __name__ == "__main__":
    main()
