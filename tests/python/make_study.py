"""Cuts a study down to what `crumple suggest` reads: every second state, no result arrays, every fourth of the impactor's way.

    python3 tests/python/make_study.py SIMULATIONS/crash_box fixtures/study
"""
import json
import pathlib
import re
import sys

import h5py
import numpy as np



def thinned(values):
    return [v for i, v in enumerate(values) if i % 4 == 0 or i == len(values) - 1]


def text(record):
    """JSON with each list of numbers on one line."""
    return re.sub(r"\[\s+([-\d.e,\s]+?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", json.dumps(record, indent=1))


source, target = map(pathlib.Path, sys.argv[1:3])
target.mkdir(parents=True, exist_ok=True)
for path in sorted(source.glob("run_*.vtkhdf")):
    with h5py.File(path) as a, h5py.File(target / path.name, "w", libver="v110") as b:
        old, new = a["VTKHDF"], b.create_group("VTKHDF")
        for name in ("Version", "Type"):
            new.attrs.create(name, old.attrs[name], dtype=old.attrs.get_id(name).dtype)
        for name in ("NumberOfPoints", "NumberOfCells", "NumberOfConnectivityIds", "Points", "Types", "Connectivity", "Offsets"):
            data = old[name][:]
            new.create_dataset(name, data=data, **({"compression": 9, "shuffle": True} if data.size > 256 else {}))
        steps = old["Steps/Values"][:]
        keep = sorted(set(range(0, len(steps), 2)) | {len(steps) - 1})
        nodes = len(old["Points"])
        moved = old["PointData/Displacement"][:].reshape(len(steps), nodes, 3)[keep]
        new.create_group("PointData").create_dataset(
            "Displacement", data=moved.reshape(-1, 3), compression=9, shuffle=True, chunks=(nodes, 3)
        )
        cells = len(old["Types"])
        new.create_group("CellData").create_dataset("PartId", data=old["CellData/PartId"][:cells], compression=9, shuffle=True)
        s = new.create_group("Steps")
        s.attrs["NSteps"] = np.int64(len(keep))
        s["Values"] = steps[keep]
        for name in ("PartOffsets", "PointOffsets"):
            s[name] = np.zeros(len(keep), np.int64)
        s["NumberOfParts"] = np.ones(len(keep), np.int64)
        for name in ("CellOffsets", "ConnectivityIdOffsets"):
            s[name] = np.zeros((len(keep), 1), np.int64)
        s["PointDataOffsets/Displacement"] = np.arange(len(keep), dtype=np.int64) * nodes
        s["CellDataOffsets/PartId"] = np.zeros(len(keep), np.int64)
    record = json.loads(path.with_suffix(".json").read_text())
    kept = {k: record[k] for k in ("family", "run", "units", "parameters", "parts", "solver", "normal_termination") if k in record}
    if "impactor" in record:
        way = ("time", "impactor_displacement")
        kept |= {"impactor": record["impactor"], "curves": {name: thinned(record["curves"][name]) for name in way}}
    (target / path.name).with_suffix(".json").write_text(text(kept) + "\n")
