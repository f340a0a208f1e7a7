"""Writes small simulations with VTK's own writer and test records with h5py, for tests/ingest_foreign.rs.

Usage: write_foreign.py FOLDER [--tiny]    (needs vtk, h5py, hdf5plugin, numpy)
--tiny writes only the files that stand in fixtures/foreign.
"""

import pathlib
import sys

import h5py
import hdf5plugin
import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk
from vtkmodules.util.vtkAlgorithm import VTKPythonAlgorithmBase

STATES = 3


def grid(shift, displacement, state=0):
    """Two hexahedra, a wedge and a quad; points shifted along x."""
    points = vtk.vtkPoints()
    points.SetDataTypeToDouble()
    for i in range(3):
        for z in range(2):
            for y in range(2):
                points.InsertNextPoint(10.0 * i + shift, 10.0 * y, 10.0 * z)
    mesh = vtk.vtkUnstructuredGrid()
    mesh.SetPoints(points)

    def hexa(a):
        return [a, a + 4, a + 5, a + 1, a + 2, a + 6, a + 7, a + 3]

    for kind, nodes in [(12, hexa(0)), (12, hexa(4)), (13, [0, 4, 2, 1, 5, 3]), (9, [8, 9, 11, 10])]:
        mesh.InsertNextCell(kind, len(nodes), nodes)
    if displacement:
        rows = np.zeros((12, 3))
        rows[:, 0] = state
        array = numpy_to_vtk(rows, deep=1)
        array.SetName("Displacement")
        mesh.GetPointData().AddArray(array)
    parts = numpy_to_vtk(np.array([1, 1, 2, 3], dtype=np.int32), deep=1)
    parts.SetName("PartId")
    mesh.GetCellData().AddArray(parts)
    return mesh


class Series(VTKPythonAlgorithmBase):
    """A source with STATES times; the points stay or move."""

    def __init__(self, moving):
        super().__init__(nInputPorts=0, nOutputPorts=1, outputType="vtkUnstructuredGrid")
        self.moving = moving

    def RequestInformation(self, request, inputs, outputs):
        info = outputs.GetInformationObject(0)
        steps = [0.5 * s for s in range(STATES)]
        info.Set(vtk.vtkStreamingDemandDrivenPipeline.TIME_STEPS(), steps, STATES)
        info.Set(vtk.vtkStreamingDemandDrivenPipeline.TIME_RANGE(), [steps[0], steps[-1]], 2)
        return 1

    def RequestData(self, request, inputs, outputs):
        info = outputs.GetInformationObject(0)
        key = vtk.vtkStreamingDemandDrivenPipeline.UPDATE_TIME_STEP()
        time = info.Get(key) if info.Has(key) else 0.0
        state = round(time / 0.5)
        output = vtk.vtkUnstructuredGrid.GetData(outputs)
        output.ShallowCopy(grid(state if self.moving else 0, not self.moving, state))
        output.GetInformation().Set(vtk.vtkDataObject.DATA_TIME_STEP(), time)
        return 1


def write(source, path, data=None):
    writer = vtk.vtkHDFWriter()
    writer.SetFileName(str(path))
    # VTK's default of 25 000 rows a chunk would make these files megabytes.
    writer.SetChunkSize(16)
    if data is not None:
        writer.SetInputData(data)
    else:
        writer.SetInputConnection(source.GetOutputPort())
        writer.SetWriteAllTimeSteps(True)
    if hasattr(writer, "SetUseExternalComposite"):
        writer.SetUseExternalComposite(False)
    assert writer.Write() == 1, path


def simulations(folder, tiny):
    write(Series(False), folder / "vtk_static.vtkhdf")
    collection = vtk.vtkPartitionedDataSetCollection()
    for i, name in enumerate(["rail", "box"]):
        part = vtk.vtkPartitionedDataSet()
        mesh = grid(100.0 * i, False)
        mesh.GetCellData().RemoveArray("PartId")
        part.SetPartition(0, mesh)
        collection.SetPartitionedDataSet(i, part)
        collection.GetMetaData(i).Set(vtk.vtkCompositeDataSet.NAME(), name)
    write(None, folder / "vtk_collection.vtkhdf", collection)
    packed(folder / "vtk_static.vtkhdf", folder / "vtk_szip.vtkhdf")
    if tiny:
        return
    write(Series(True), folder / "vtk_moving.vtkhdf")
    write(None, folder / "vtk_single.vtkhdf", grid(0.0, True, 2))
    sphere = vtk.vtkSphereSource()
    sphere.SetThetaResolution(8)
    sphere.SetPhiResolution(8)
    sphere.Update()
    write(None, folder / "vtk_sphere.vtkhdf", sphere.GetOutput())
    blocks = vtk.vtkMultiBlockDataSet()
    for i, name in enumerate(["rail", "box"]):
        blocks.SetBlock(i, grid(100.0 * i, False))
        blocks.GetMetaData(i).Set(vtk.vtkCompositeDataSet.NAME(), name)
    write(None, folder / "vtk_blocks.vtkhdf", blocks)


def packed(source, target):
    """The same file with every array of numbers under SZIP, where this h5py has the encoder and a block fits."""
    if not h5py.h5z.get_filter_info(h5py.h5z.FILTER_SZIP) & h5py.h5z.FILTER_CONFIG_ENCODE_ENABLED:
        return
    with h5py.File(source, "r") as old, h5py.File(target, "w") as new:
        for key, value in old.attrs.items():
            new.attrs[key] = value

        def copy(name, item):
            options = {}
            if isinstance(item, h5py.Group):
                made = new.require_group(name)
            else:
                if item.dtype.kind in "iuf" and item.size >= 8:
                    options = dict(compression="szip", compression_opts=("nn", 8), chunks=item.shape)
                made = new.create_dataset(name, data=item[()], **options)
            for key in item.attrs:
                made.attrs.create(key, item.attrs[key], dtype=item.attrs.get_id(key).dtype)

        old.visititems(copy)


FILTERS = {
    "plain": {},
    "gzip": dict(compression="gzip", compression_opts=4, shuffle=True),
    "lzf": dict(compression="lzf"),
    "fletcher32": dict(fletcher32=True),
    "scaleoffset": dict(scaleoffset=0),
    "lz4": hdf5plugin.LZ4(),
    "zstd": hdf5plugin.Zstd(),
    "blosc_lz4": hdf5plugin.Blosc(cname="lz4"),
    "blosc_zstd": hdf5plugin.Blosc(cname="zstd", shuffle=hdf5plugin.Blosc.BITSHUFFLE),
    "bitshuffle": hdf5plugin.Bitshuffle(cname="none"),
    "bitshuffle_lz4": hdf5plugin.Bitshuffle(cname="lz4"),
    "bitshuffle_zstd": hdf5plugin.Bitshuffle(cname="zstd"),
    "szip": dict(compression="szip", compression_opts=("nn", 8)),
    "szip_entropy": dict(compression="szip", compression_opts=("ec", 32)),
    "szip_all": dict(compression="szip", compression_opts=("nn", 16), shuffle=True, fletcher32=True),
}
TINY = ["lz4", "zstd", "bitshuffle_lz4", "bitshuffle_zstd", "szip"]


def record(path, frames, options):
    """Frame t has the value 40 t + 3 y + x (times 257 for 16 bit), in colour the same in all channels."""
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "crash-test-record"
        file.attrs["version"] = "1.0"
        file.attrs["test_id"] = path.stem
        file.attrs["length_unit"] = "mm"
        file.attrs["time_unit"] = "ms"
        camera = file.create_group("cameras/left")
        try:
            camera.create_dataset("frames", data=frames, chunks=(1, *frames.shape[1:]), **options)
        except ValueError:  # this h5py has no such encoder
            file.close()
            path.unlink()
            return
        camera["time"] = np.arange(len(frames), dtype=float) * 2
        camera["intrinsics"] = np.array([[900.0, 0, 10], [0, 900.0, 8], [0, 0, 1]])
        camera["distortion"] = np.zeros(5)
        pose = np.eye(4)
        pose[2, 3] = 3000
        camera["pose"] = pose


def noise(folder):
    """Pictures of every smoothness at odd sizes, plain and packed: like_DEPTH_plain.h5 and like_DEPTH_FILTER.h5."""
    random = np.random.default_rng(4)
    smooth = np.add.outer(np.arange(131), 2 * np.arange(203))
    spread = np.array([0, 0.3, 2, 9, 40, 3000])[:, None, None]
    frames = 128 + 100 * np.sin(smooth / 90) + spread * random.normal(size=(6, 131, 203))
    frames[1, 20:90] = 7
    for depth, kind in [(8, np.uint8), (16, np.uint16)]:
        pictures = np.clip(frames * (1 if depth == 8 else 256), 0, 2**depth - 1).astype(kind)
        for name in ["plain", "szip", "szip_entropy", "szip_all", "scaleoffset", "lzf"]:
            record(folder / f"like_{depth}_{name}.h5", pictures, FILTERS[name])
    twelve = np.clip(frames * 16, 0, 4095).astype(np.uint16)
    record(folder / "like_12_plain.h5", twelve, {})
    nbit(folder / "like_12_nbit.h5", folder / "like_12_plain.h5")


def nbit(path, plain):
    """The plain record with its pictures as 12-bit numbers under filter 5."""
    path.write_bytes(plain.read_bytes())
    with h5py.File(path, "a") as file:
        frames = file["cameras/left/frames"][()]
        del file["cameras/left/frames"]
        kind = h5py.h5t.py_create(frames.dtype).copy()
        kind.set_precision(12)
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_chunk((1, *frames.shape[1:]))
        layout.set_filter(h5py.h5z.FILTER_NBIT, 0, ())
        space = h5py.h5s.create_simple(frames.shape)
        made = h5py.h5d.create(file["cameras/left"].id, b"frames", kind, space, layout)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, frames)
        assert made.get_storage_size() < 0.8 * frames.nbytes


def records(folder, tiny):
    t, y, x = np.meshgrid(np.arange(3), np.arange(17), np.arange(21), indexing="ij")
    frames = (40 * t + 3 * y + x).astype(np.uint8)
    for name, options in FILTERS.items():
        if not tiny or name in TINY:
            record(folder / f"h5py_{name}.h5", frames, options)
    deep = np.repeat((frames.astype(np.uint16) * 257)[..., None], 3, axis=3)
    record(folder / "h5py_colour16.h5", deep, FILTERS["bitshuffle_lz4"])
    if not tiny:
        noise(folder)
    outside = folder / "h5py_external.h5"
    record(outside, frames[:, :1, :1], {})
    with h5py.File(outside, "a") as file:
        del file["cameras/left/frames"]
        file["cameras/left/frames"] = h5py.ExternalLink("h5py_lz4.h5", "/cameras/left/frames")
    if not tiny:
        latest = folder / "h5py_latest.h5"
        record(latest, frames, FILTERS["gzip"])
        with h5py.File(latest, "r") as source, h5py.File(folder / "h5py_v3.h5", "w", libver="latest") as target:
            for key, value in source.attrs.items():
                target.attrs[key] = value
            source.copy("cameras", target)
        latest.unlink()


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    simulations(out, "--tiny" in sys.argv)
    records(out, "--tiny" in sys.argv)
