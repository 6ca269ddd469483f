#!/usr/bin/env python3
"""Runs exported TFLite files in LiteRT and compares every quantized tensor with bitgrad, code by code.

Usage: litert_test.py MODEL GRAPHS_PROGRAM BITGRAD_PROGRAM SCRATCH_DIR [IMAGES [CASES]], as onnxruntime_test.py

The default kernels (XNNPACK) must give the codes and logits of requantization mode xnnpack, which is ort where a graph has neither
sums nor global averages; the reference kernels those of mode tflite_reference. "modes differ" counts the codes of bitgrad that tell the two modes apart.
"""
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
from ai_edge_litert import interpreter as litert

BATCH = 250


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def interpreter(path, resolver):
    result = litert.Interpreter(str(path), experimental_op_resolver_type=resolver, num_threads=1)
    shape = result.get_input_details()[0]["shape"]
    result.resize_tensor_input(result.get_input_details()[0]["index"], [BATCH, *shape[1:]])
    result.allocate_tensors()
    return result


def compare(folder, bitgrad, mode, resolver):
    """(codes compared, codes differing, logits differing) of the kernels and the mode."""
    graph = json.loads((folder / "graph/graph.json").read_text())
    run(bitgrad, "export", folder, "--mode", mode, "--tflite", folder / "codes.tflite", "--codes")
    run(bitgrad, "export", folder, "--mode", mode, "--tflite", folder / "model.tflite")
    run(bitgrad, "infer", folder, "--mode", mode, "--input", folder / "x.npy", "--output", folder / "y.npy",
        "--codes", folder / "codes.npz")
    x, y = np.load(folder / "x.npy"), np.load(folder / "y.npy")
    x = x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x
    if not len(x) or len(x) % BATCH:
        sys.exit(f"FAILED: {len(x)} images, expected a multiple of {BATCH}")
    lowest = {tensor["name"]: tensor["grid"]["lo"] for tensor in graph["tensors"] if "grid" in tensor}
    with np.load(folder / "codes.npz") as arrays:
        codes = {name: arrays[name].astype(np.int32) - lowest[name] - 128 for name in lowest}
    compared = differing = logits = 0
    first_difference = None
    for path in (folder / "codes.tflite", folder / "model.tflite"):
        runtime = interpreter(path, resolver)
        outputs = {detail["name"]: detail["index"] for detail in runtime.get_output_details()}
        main = graph["output"]
        if path.stem == "codes" and set(codes) - set(outputs):
            sys.exit(f"FAILED: no output for {set(codes) - set(outputs)}")
        for first in range(0, len(x), BATCH):
            rows = slice(first, first + BATCH)
            runtime.set_tensor(runtime.get_input_details()[0]["index"], x[rows])
            runtime.invoke()
            if main not in codes:
                found = runtime.get_tensor(outputs[main])
                logits += int(np.count_nonzero(found.view(np.int32) != y[rows].view(np.int32)))
            for name in codes:
                if name not in outputs:
                    continue
                found = runtime.get_tensor(outputs[name]).astype(np.int32)
                wrong = int(np.count_nonzero(found != codes[name][rows].reshape(found.shape)))
                if wrong and first_difference is None:
                    first_difference = name
                compared += found.size
                differing += wrong
    return dict(compared=compared, differing=differing, logits=logits, first=first_difference, codes=codes)


def check_case(folder, bitgrad):
    default = compare(folder, bitgrad, "xnnpack", litert.OpResolverType.AUTO)
    reference = compare(folder, bitgrad, "tflite_reference", litert.OpResolverType.BUILTIN_REF)
    # What the comparison can tell apart: codes of bitgrad that the two modes disagree on.
    apart = sum(int(np.count_nonzero(default["codes"][name] != reference["codes"][name])) for name in default["codes"])
    failed = any(each[kind] for each in (default, reference) for kind in ("differing", "logits"))
    return dict(apart=apart, default=default, reference=reference, failed=failed,
                bytes=(folder / "model.tflite").stat().st_size)


def main():
    model, graphs, bitgrad, scratch = sys.argv[1], *map(pathlib.Path, sys.argv[2:5])
    shutil.rmtree(scratch, ignore_errors=True)
    rows = []
    try:
        subprocess.run([graphs, model, scratch, *sys.argv[5:]], check=True)
        for name in (scratch / "cases.txt").read_text().split():
            rows.append((name, check_case(scratch / name, bitgrad)))
            shutil.rmtree(scratch / name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"\n{model:18} | default kernels, mode xnnpack     | reference kernels, tflite_reference | modes differ | bytes")
    print(f"{'':18} | {'codes':>11} differ logits first | {'codes':>11} differ logits first")
    for name, r in rows:
        print(name.ljust(18), end="")
        for kind in ("default", "reference"):
            c = r[kind]
            print(f" | {c['compared']:11,} {c['differing']:6,} {c['logits']:6,} {c['first'] or ''}", end="")
        print(f" | {r['apart']:,} | {r['bytes']:,}")
    return 1 if not rows or any(r["failed"] for _, r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
