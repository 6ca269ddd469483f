#!/usr/bin/env python3
"""Reads exported arrays with NumPy and the safetensors package, and computes an MLP from them alone.

Usage: arrays_test.py GRAPHS_DIR BITGRAD SCRATCH_DIR [--images N] [--cases A,B]
"""
import json
import sys

import numpy as np
import safetensors
import safetensors.numpy

import interop


def check(condition, text):
    if not condition:
        sys.exit(f"FAILED: {text}")


def unpack(packed, codes, lowest, bits):
    """docs/formats.md, "Packed codes"."""
    elements = np.unpackbits(packed, bitorder="little")[: codes.size * bits].reshape(-1, bits)
    return (elements.astype(np.int32) << np.arange(bits)).sum(axis=1).reshape(codes.shape) + lowest


def check_kernels(folder, arrays, metadata):
    kernels = [name for name in metadata if name.endswith(".kernel")]
    check(kernels, f"{folder}: no kernels in {sorted(metadata)}")
    for kernel in kernels:
        about = json.loads(metadata[kernel])
        codes = arrays[kernel + ".codes"].astype(np.int32)
        values = (codes - arrays[kernel + ".zero_point"]).astype(np.float32) * arrays[kernel + ".scale"]
        check(np.array_equal(values, arrays[kernel]), f"{folder}: {kernel} is not (codes - zero_point) * scale")
        lowest, highest = arrays[kernel + ".range"]
        check((lowest, highest) == (about["lowest"], about["highest"]), f"{folder}: range of {kernel}")
        check(codes.min() >= lowest and codes.max() <= highest, f"{folder}: {kernel} leaves {lowest}..{highest}")
        if about["bits"] < 8:
            check(np.array_equal(unpack(arrays[kernel + ".packed"], codes, lowest, about["bits"]), codes), f"{folder}: {kernel}.packed")


def compute_mlp(case, arrays, metadata):
    """The dense layers by the formula of docs/formats.md, from the codes of the first one's input on."""
    y, codes = case.infer()
    folder = case.folder
    compared = 0
    for kernel, text in metadata.items():
        if not kernel.endswith(".kernel"):
            continue
        about, layer = json.loads(text), kernel[: -len(".kernel")]
        x = codes[about["input"]].astype(np.int64) - arrays[about["input"] + ".zero_point"]
        w = arrays[kernel + ".codes"].astype(np.int64) - arrays[kernel + ".zero_point"]
        level = (x @ w + arrays[layer + ".bias.codes"]).astype(np.float32) * arrays[layer + ".multiplier"]
        if layer + ".clamp" in arrays:
            found = np.clip(np.rint(level) + arrays[about["output"] + ".zero_point"], *arrays[layer + ".clamp"])
            expected = codes[about["output"]]
        else:
            found, expected = level, y
        check(np.array_equal(found, expected), f"{folder}: {layer}: {np.count_nonzero(found != expected)} of {expected.size} results differ")
        compared += expected.size
    return compared


def read(case):
    """The arrays and metadata of the safetensors file, after a look whether the npz file has the same."""
    folder = case.folder
    case.export("--npz", folder / "a.npz", "--safetensors", folder / "a.safetensors")
    with np.load(folder / "a.npz") as file:
        arrays = {key: file[key] for key in file.files}
    metadata = json.loads(arrays.pop("__metadata__").tobytes())
    loaded = safetensors.numpy.load_file(folder / "a.safetensors")
    with safetensors.safe_open(folder / "a.safetensors", "np") as file:
        check(file.metadata() == metadata, f"{folder}: metadata of npz and safetensors differ")
    check(sorted(loaded) == sorted(arrays), f"{folder}: names of npz and safetensors differ")
    for key, value in arrays.items():
        check(value.dtype == loaded[key].dtype and np.array_equal(value, loaded[key]), f"{folder}: {key} differs between npz and safetensors")
    check(metadata["format"] == "bitgrad.arrays" and metadata["version"] == "1", f"{folder}: {metadata}")
    check_kernels(folder, loaded, metadata)
    return loaded, metadata


def check_tables(case, arrays, metadata):
    """Kernels from a table have its 3-bit number of different codes, on the grid of 8 bits."""
    for kernel in (name for name in metadata if name.endswith(".kernel")):
        codes = np.unique(arrays[kernel + ".codes"])
        check(2 < len(codes) <= 8 and len(np.unique(np.diff(codes))) > 1, f"{case.name}: {kernel} has the codes {codes}")


def main():
    given = interop.arguments(__doc__.splitlines()[0]).parse_args()
    for case in interop.cases(given):
        arrays, metadata = read(case)
        if given.graphs.name == "lut":
            check_tables(case, arrays, metadata)
        compared = compute_mlp(case, arrays, metadata) if given.graphs.name == "mlp" else 0
        print(f"{case.name:18} {len(arrays)} arrays" + (f", {compared} results computed from them" if compared else ""))


if __name__ == "__main__":
    main()
