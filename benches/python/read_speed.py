"""Seconds that h5py takes to read a film or a simulation in steps: read_speed.py film|simulation FILE REPEATS."""

import json
import sys
import time

import h5py

kind, path, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3])


def film(file):
    total = 0
    for camera in file["cameras"].values():
        frames = camera["frames"]
        for i in range(frames.shape[0]):
            total += frames[i].nbytes
    return total


def simulation(file):
    """The mesh once; the arrays of each state that Crumple reads, too."""
    top = file["VTKHDF"]
    total = sum(top[name][...].nbytes for name in ("Points", "Connectivity", "Offsets", "Types"))
    steps = top["Steps"]
    count = int(steps.attrs["NSteps"])
    for group, offsets, rows in (
        ("PointData", "PointDataOffsets", int(top["NumberOfPoints"][0])),
        ("CellData", "CellDataOffsets", int(top["NumberOfCells"][0])),
    ):
        for name in ("Displacement", "PlasticStrain", "Status"):
            if name not in top[group]:
                continue
            starts = steps[offsets][name][...]
            for s in range(count):
                total += top[group][name][starts[s] : starts[s] + rows].nbytes
    return total


seconds, total = [], 0
for _ in range(repeats + 1):
    begun = time.perf_counter()
    with h5py.File(path, "r") as opened:
        total = film(opened) if kind == "film" else simulation(opened)
    seconds.append(time.perf_counter() - begun)
print(json.dumps({"bytes": total, "seconds": seconds[1:] or seconds}))
