#!/usr/bin/env python3
"""Runs exported TFLite files in LiteRT and compares every quantized tensor with bitgrad, code by code.

Usage: litert_test.py GRAPHS_DIR BITGRAD SCRATCH_DIR [--images N] [--cases A,B] [--refused A,B] [--reference N]

The default kernels (XNNPACK) must give the codes and logits of requantization mode xnnpack, which is ort where a graph has neither
sums nor averages; the reference kernels, which take long, those of mode tflite_reference on the first N images. Weights of at
most 4 bits are stored as int4 and as int8. "modes differ" counts the codes of bitgrad that tell the two modes apart: some in every
case with convolutions, and some in all cases together. Exactly the cases named by --refused are refused.
"""
import subprocess
import sys

import numpy as np
from ai_edge_litert import interpreter as litert

import interop


def interpreter(path, resolver, batch):
    result = litert.Interpreter(str(path), experimental_op_resolver_type=resolver, num_threads=1)
    shape = result.get_input_details()[0]["shape"]
    result.resize_tensor_input(result.get_input_details()[0]["index"], [batch, *shape[1:]])
    result.allocate_tensors()
    return result


def exports(case, mode):
    """(file, whether every tensor is an output) with weights in bytes, and in half bytes where that is another file."""
    files = []
    for name, options in (("codes", ("--codes",)), ("model", ()), ("codes4", ("--codes", "--pack", 4)), ("model4", ("--pack", 4))):
        path = case.folder / f"{name}.tflite"
        case.export("--mode", mode, "--tflite", path, *options)
        if not any(path.read_bytes() == other.read_bytes() for other, _ in files):
            files.append((path, "--codes" in options))
    return files


def compare(case, mode, resolver, images):
    """What differs between the kernels and the mode."""
    y, codes = case.infer(images, mode=mode)
    x = interop.real(case.x[:images])
    stored = {name: found.astype(np.int32) - case.grids[name]["lo"] - 128 for name, found in codes.items()}
    result = dict(compared=0, differing=0, logits=0, first=None, codes=codes, images=len(x))
    files = exports(case, mode)
    for path, all_tensors in files:
        for rows in interop.batches(len(x)):
            runtime = interpreter(path, resolver, len(x[rows]))
            outputs = {detail["name"]: detail["index"] for detail in runtime.get_output_details()}
            if all_tensors and set(stored) - set(outputs):
                sys.exit(f"FAILED: no output for {set(stored) - set(outputs)}")
            runtime.set_tensor(runtime.get_input_details()[0]["index"], x[rows])
            runtime.invoke()
            main = case.graph["output"]
            if main not in stored:
                found = runtime.get_tensor(outputs[main])
                result["logits"] += int(np.count_nonzero(found.view(np.int32) != y[rows].view(np.int32)))
            for name in set(stored) & set(outputs):
                found = runtime.get_tensor(outputs[name]).astype(np.int32)
                wrong = int(np.count_nonzero(found != stored[name][rows].reshape(found.shape)))
                result["first"] = result["first"] or (name if wrong else None)
                result["compared"] += found.size
                result["differing"] += wrong
    result["bytes"] = [path.stat().st_size for path, all_tensors in files if not all_tensors]
    return result


def refusal(case):
    """What export says of weights that lie further from their zero points than int8 reaches, as uniform ones of 8 bits may."""
    process = subprocess.run([case.bitgrad, "export", case.run_directory, "--mode", "xnnpack", "--tflite", case.folder / "x.tflite"], capture_output=True, text=True)
    return process.stderr.strip() if "steps from their zero points" in process.stderr else None


def check_case(case, reference_images):
    refused = refusal(case)
    if refused:
        return dict(refused=refused, failed=False, apart=0)
    default = compare(case, "xnnpack", litert.OpResolverType.AUTO, len(case.x))
    reference = compare(case, "tflite_reference", litert.OpResolverType.BUILTIN_REF, reference_images)
    # What the comparison can tell apart: codes of bitgrad that the two modes disagree on.
    count = reference["images"]
    apart = sum(int(np.count_nonzero(default["codes"][name][:count] != reference["codes"][name])) for name in default["codes"])
    convolves = any(node["operation"] == "integer_conv2d" and node["output"] in case.grids for node in case.graph["nodes"])
    failed = any(each[kind] for each in (default, reference) for kind in ("differing", "logits")) or convolves and not apart
    return dict(apart=apart, default=default, reference=reference, failed=failed)


def main():
    parser = interop.arguments(__doc__.splitlines()[0])
    parser.add_argument("--refused", default="", help="cases that must be refused, with commas between; all others must not")
    parser.add_argument("--reference", type=int, default=1000, help="images for the reference kernels")
    given = parser.parse_args()
    rows = [(case.name, check_case(case, given.reference)) for case in interop.cases(given)]
    print(f"\n{given.graphs.name:18} | default kernels, mode xnnpack     | reference kernels, tflite_reference | modes differ | bytes; with int4")
    print(f"{'':18} | {'codes':>11} differ logits first | {'codes':>11} differ logits first")
    for name, r in rows:
        print(name.ljust(18), end="")
        if "refused" in r:
            print(f" | refused: {r['refused']}")
            continue
        for kind in ("default", "reference"):
            c = r[kind]
            print(f" | {c['compared']:11,} {c['differing']:6,} {c['logits']:6,} {c['first'] or ''}", end="")
        print(f" | {r['apart']:,} | default {r['default']['bytes']}, reference {r['reference']['bytes']}")
    refused, expected = {name for name, r in rows if "refused" in r}, set(filter(None, given.refused.split(",")))
    if refused != expected:
        print(f"FAILED: refused are {sorted(refused)}, expected {sorted(expected)}")
    if not any(r["apart"] for _, r in rows):
        print("FAILED: no code tells the two modes apart")
    failed = [name for name, r in rows if r["failed"]]
    if failed:
        print(f"FAILED: {failed}")
    return 1 if failed or refused != expected or not any(r["apart"] for _, r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
