#!/usr/bin/env python3
"""The reduced model's leave-one-out error with a kept library's Gaussian processes, beside which `crumple suggest` prints its own.

usage: scripts/gp_peer.py STUDY_FOLDER...        (pip install numpy h5py egobox)

A study folder holds run_*.vtkhdf with parameters in run_*.json. As in src/suggest: whole runs are the snapshots, the modes are
those of their inner products (99.9 % of the spread), each coefficient is regressed on the parameters' shares of their ranges,
and each run is predicted from the others. Errors are root mean squares over runs, nodes and times, mm.
"""
import glob, json, os, sys, time

import egobox
import h5py
import numpy as np

KINDS = [("constant + Gauss", "CONSTANT", "SQUARED_EXPONENTIAL"), ("constant + Matern 5/2", "CONSTANT", "MATERN52"),
         ("plane + Gauss", "LINEAR", "SQUARED_EXPONENTIAL"), ("plane + Matern 5/2", "LINEAR", "MATERN52")]


def displacements(path):
    """Times as they stand in the file, and displacements [time, 3 * node], mm."""
    with h5py.File(path) as f:
        g = f["VTKHDF"]
        n, times = int(g["NumberOfPoints"][0]), g["Steps/Values"][()]
        return times, g["PointData/Displacement"][()].reshape(len(times), 3 * n)


def study(folder):
    """Shares of the parameters' ranges [run, parameter] and inner products of the runs [run, run], mm²."""
    shares, fields, common = [], [], None
    paths = sorted(glob.glob(os.path.join(folder, "run_*.vtkhdf")))
    if len(paths) < 4:
        sys.exit(f"{folder}: {len(paths)} files run_*.vtkhdf, expected at least 4")
    for path in paths:
        with open(path[:-7] + ".json") as f:
            parameters = json.load(f)["parameters"]
        shares.append([(p["value"] - p["lower"]) / (p["upper"] - p["lower"]) for p in parameters])
        times, field = displacements(path)
        common = times if common is None else common
        last = np.clip(np.searchsorted(times, common, side="right"), 1, len(times) - 1)
        part = np.clip((common - times[last - 1]) / (times[last] - times[last - 1]), 0.0, 1.0)[:, None]
        fields.append(((1 - part) * field[last - 1] + part * field[last]).ravel())
    fields = np.array(fields)
    return np.array(shares), fields @ fields.T * 3 / fields.shape[1]


def modes(gram):
    """Coefficients and their makers, [run, mode]."""
    n = len(gram)
    centre = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(centre @ gram @ centre)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    kept = min(int(np.searchsorted(np.cumsum(values) / values.sum(), 0.999)) + 1, n - 2)
    return vectors[:, :kept] * np.sqrt(values[:kept]), vectors[:, :kept] / np.sqrt(values[:kept])


def linear(x, y, at):
    wide = lambda p: np.hstack([np.ones((len(p), 1)), p])
    normal = wide(x).T @ wide(x) + 1e-6 * np.eye(x.shape[1] + 1)
    return float((wide(at) @ np.linalg.solve(normal, wide(x).T @ y))[0])


def process(mean, kernel):
    spec = dict(regr_spec=getattr(egobox.RegressionSpec, mean), corr_spec=getattr(egobox.CorrelationSpec, kernel), seed=1)
    return lambda x, y, at: float(np.ravel(egobox.Gpx.builder(**spec).fit(x, y.reshape(-1, 1)).predict(at))[0])


def left_out(shares, gram, fit):
    """Root mean square error, mm, and the time of one fit, ms."""
    n, square, fits, begun = len(shares), 0.0, 0, time.time()
    for run in range(n):
        others = np.array([r for r in range(n) if r != run])
        coefficients, makers = modes(gram[np.ix_(others, others)])
        spread = coefficients.std(axis=0)
        found = [s * fit(shares[others], c / s, shares[run:run + 1]) for c, s in zip(coefficients.T, spread)]
        error = np.zeros(n)
        error[run], error[others] = 1.0, -1 / len(others) - makers @ found
        square, fits = square + error @ gram @ error, fits + len(found)
    return np.sqrt(square / n), 1e3 * (time.time() - begun) / fits


def main():
    for folder in sys.argv[1:] or sys.exit(__doc__):
        shares, gram = study(folder)
        print(f"{os.path.basename(os.path.normpath(folder))}: {len(shares)} runs, {shares.shape[1]} parameters")
        for name, fit in [("linear regression", linear)] + [(f"egobox, {n}", process(m, k)) for n, m, k in KINDS]:
            error, took = left_out(shares, gram, fit)
            print(f"  {name}: {error:.2f} mm, {took:.1f} ms a fit", flush=True)


if __name__ == "__main__":
    main()
