#!/usr/bin/env python3
"""Reads exported arrays with NumPy and the safetensors package, and computes an MLP from them alone.

Usage: arrays_test.py MODEL GRAPHS_PROGRAM BITGRAD_PROGRAM SCRATCH_DIR, as onnxruntime_test.py
"""
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import safetensors
import safetensors.numpy


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


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


def compute_mlp(folder, bitgrad, arrays, metadata):
    """The dense layers by the formula of docs/formats.md, from the codes of the first one's input on."""
    run(bitgrad, "infer", folder, "--input", folder / "x.npy", "--output", folder / "y.npy", "--codes", folder / "codes.npz")
    codes = np.load(folder / "codes.npz")
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
            found, expected = level, np.load(folder / "y.npy")
        check(np.array_equal(found, expected), f"{folder}: {layer}: {np.count_nonzero(found != expected)} of {expected.size} results differ")
        compared += expected.size
    return compared


def main():
    model, graphs, bitgrad, scratch = sys.argv[1], *map(pathlib.Path, sys.argv[2:])
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        subprocess.run([graphs, model, scratch], check=True)
        for name in (scratch / "cases.txt").read_text().split():
            folder = scratch / name
            run(bitgrad, "export", folder, "--npz", folder / "a.npz", "--safetensors", folder / "a.safetensors")
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
            check_kernels(folder, arrays, metadata)
            compared = compute_mlp(folder, bitgrad, arrays, metadata) if model == "mlp" else 0
            print(f"{name:18} {len(arrays)} arrays" + (f", {compared} results computed from them" if compared else ""))
            shutil.rmtree(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
