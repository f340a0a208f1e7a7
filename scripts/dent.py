#!/usr/bin/env python3
"""Presses a dent into a simulation that no design of its study has: what a film may show and no run knows.

usage: scripts/dent.py SIMULATION.vtkhdf OUT.vtkhdf [--seed N] [--seen-by TEST.h5] [--at X Y Z] [--from-ms T]
                       [--depth-mm 15] [--width-mm 18]

Where, which way and from when is drawn from the seed: a node of the mesh, across the flat face around it, from some
moment in the second fifth of the run on, growing for 3 ms. Only nodes of that face move, least at its border (a Gaussian of
--width-mm). --at and --from-ms choose instead. With --seen-by the face is turned to two cameras of that film, neither of which looks along its normal: what
no camera can measure is no test. Needs numpy and h5py.
"""
import argparse, shutil

import h5py
import numpy as np

FLAT_MM = 2.0
GROWS_S = 3e-3


def face_of(rest, node, width):
    """Normal of the face around `node`, and which nodes near it lie in that face."""
    far = np.linalg.norm(rest - rest[node], axis=1)
    near = rest[far < width]
    _, spread, axes = np.linalg.svd(near - near.mean(axis=0))
    flat = np.abs((rest - rest[node]) @ axes[2]) < FLAT_MM
    return axes[2], flat & (far < 4 * width), spread[2] / np.sqrt(len(near)) < FLAT_MM


def cameras_of(test):
    """Where the cameras of a film are, mm."""
    if not test:
        return []
    with h5py.File(test) as f:
        poses = [f["cameras"][c]["pose"][()] for c in f["cameras"]]
    return [-pose[:3, :3].T @ pose[:3, 3] for pose in poses]


def is_measured(cameras, at, normal):
    """True when two cameras look at a face from one side, and not all of them straight at it."""
    rays = [(c - at) / np.linalg.norm(c - at) for c in cameras]
    facing = [normal @ r for r in rays]
    side = np.sign(max(facing, key=abs))
    seeing = [abs(f) for f in facing if f * side > 0.3]
    return len(seeing) > 1 and min(seeing) < 0.7


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("simulation")
    p.add_argument("out")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--at", type=float, nargs=3, metavar="MM", help="where, mm: the node next to it")
    p.add_argument("--from-ms", type=float, help="when it begins")
    p.add_argument("--seen-by", help="a film of the same structure")
    p.add_argument("--depth-mm", type=float, default=15.0)
    p.add_argument("--width-mm", type=float, default=18.0)
    a = p.parse_args()
    shutil.copy(a.simulation, a.out)
    with h5py.File(a.out, "r+") as f:
        root = f["VTKHDF"]
        steps, count = root["Steps"], int(root["NumberOfPoints"][0])
        times, rest = steps["Values"][()], root["Points"][:count].astype(float)
        # Units are those of the studies: a mesh of mm has steps in ms or s, of m in s.
        to_mm = 1.0 if np.ptp(rest, axis=0).max() > 10 else 1e3
        to_s = 1.0 if times[-1] < 1.0 else 1e-3
        rng, cameras = np.random.default_rng(a.seed), cameras_of(a.seen_by)
        for _ in range(1000):
            node = int(rng.integers(count))
            if a.at:
                node = int(np.linalg.norm(rest * to_mm - a.at, axis=1).argmin())
            normal, face, flat = face_of(rest * to_mm, node, a.width_mm)
            seen = not cameras or is_measured(cameras, rest[node] * to_mm, normal)
            if flat and face.sum() >= 20 and seen:
                break
        else:
            raise SystemExit(f"{a.simulation}: no flat face of {a.width_mm} mm that is seen among 1000 nodes")
        far = np.linalg.norm(rest - rest[node], axis=1) * to_mm
        share = np.where(face, np.exp(-0.5 * (far / a.width_mm) ** 2), 0.0)
        begins = times[-1] * to_s * rng.uniform(0.2, 0.4) if a.from_ms is None else a.from_ms * 1e-3
        push = normal * rng.choice([-1.0, 1.0]) * a.depth_mm / to_mm
        field, offsets = root["PointData/Displacement"], steps["PointDataOffsets/Displacement"]
        for k, time in enumerate(times * to_s):
            grown = np.clip((time - begins) / GROWS_S, 0.0, 1.0)
            at = int(offsets[k])
            field[at:at + count] += (grown * share[:, None] * push).astype(field.dtype)
        x, y, z = rest[node] * to_mm
        print(f"dent of {a.depth_mm:g} mm at ({x:.0f}, {y:.0f}, {z:.0f}) mm from {begins * 1e3:.1f} ms on, {int((share > 0.3).sum())} nodes")


if __name__ == "__main__":
    main()
