#!/usr/bin/env python3
"""Runs exported ONNX files in ONNX Runtime and compares every quantized tensor with bitgrad, code by code.

Usage: onnxruntime_test.py MODEL GRAPHS_PROGRAM BITGRAD_PROGRAM SCRATCH_DIR [IMAGES [CASES]]

MODEL is what GRAPHS_PROGRAM makes, with IMAGES and CASES as it takes them. The last lines are a table; the exit status is 1
when a code differs that must not. With BITGRAD_INTEROP_ROWS=FILE rows for scripts/deployment-table are added to a file.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime

FUSED = {"Conv": "QLinearConv", "Gemm": "QGemm", "Add": "QLinearAdd", "Concat": "QLinearConcat"}
LEVELS = {
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
UNFUSED_IMAGES = 250  # the runtime's own rounding is measured on fewer


class Failures(list):
    def check(self, condition, text):
        if not condition:
            self.append(text)
            print("FAILED:", text, flush=True)


failures = Failures()


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def session(model, level, optimized=None):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.log_severity_level = 3
    if optimized:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def nchw(array):
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array


def batches(count, size=250):
    return [slice(i, min(i + size, count)) for i in range(0, count, size)]


class Case:
    """One graph: what bitgrad computes for its inputs."""

    def __init__(self, folder, bitgrad):
        self.folder, self.bitgrad = folder, bitgrad
        self.graph = json.loads((folder / "graph/graph.json").read_text())
        run(bitgrad, "infer", folder, "--input", folder / "x.npy", "--output", folder / "y.npy", "--codes", folder / "codes.npz")
        x = np.load(folder / "x.npy")
        self.x = nchw(x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x)
        grids = {tensor["name"]: tensor["grid"] for tensor in self.graph["tensors"] if "grid" in tensor}
        with np.load(folder / "codes.npz") as arrays:
            self.codes = {name + "/codes": nchw((arrays[name].astype(np.int16) - grids[name]["lo"]).astype(np.uint8)) for name in grids}
        self.grids = {name + "/codes": grid for name, grid in grids.items()}
        self.y = nchw(np.load(folder / "y.npy"))

    def is_exact_in_floats(self):
        """All scales powers of two: dequantized sums are exact in any order."""
        with np.load(self.folder / "graph/graph.npz") as arrays:
            scales = [arrays[name] for name in arrays.files if name.endswith(".scale")]
        scales += [np.float32(grid["scale"]) for grid in self.grids.values()]
        return all(np.all(np.frexp(scale)[0] == 0.5) for scale in scales)

    def is_all_dense(self):
        return not any(node["operation"] == "integer_conv2d" for node in self.graph["nodes"])

    def export(self, name, *options):
        path = self.folder / name
        run(self.bitgrad, "export", self.folder, "--onnx", path, "--codes", *options)
        return path

    def compare(self, model, level, images=None, optimized=None):
        """Codes compared, codes that differ, the largest step, the first tensor that differs, outputs and argmaxes that differ."""
        runner = session(str(model), level, optimized)
        names = [output.name for output in runner.get_outputs()]
        count, differing, step, first, outputs, argmaxes = 0, 0, 0, None, 0, 0
        expected_names = [self.graph["output"]] + list(self.codes)
        failures.check(names == expected_names, f"{model}: outputs {names}, expected {expected_names}")
        for rows in batches(images or len(self.x)):
            y, *codes = runner.run(None, {self.graph["input"]: self.x[rows]})
            for name, found in zip(names[1:], codes):
                expected = self.codes[name][rows]
                failures.check(found.shape == expected.shape, f"{model}: {name} has shape {found.shape}, expected {expected.shape}")
                count += found.size
                different = int(np.count_nonzero(found != expected))
                if different:
                    differing += different
                    step = max(step, int(np.abs(found.astype(int) - expected).max()))
                    first = first or name
            expected = self.y[rows]
            outputs += int(np.count_nonzero(y.view(np.int32) != expected.view(np.int32)))
            flat, flat_expected = y.reshape(len(y), -1), expected.reshape(len(y), -1)
            argmaxes += int(np.count_nonzero(flat.argmax(1) != flat_expected.argmax(1)))
        return dict(compared=count, differing=differing, step=step, first=first, outputs=outputs, argmaxes=argmaxes)


def check_fusion(case, path, optimized):
    """Everything that can be fused is: no float twin of a quantized operation is left."""
    nodes = onnx.load(path).graph.node
    quantized = {node.input[0] for node in nodes if node.op_type == "QuantizeLinear"}
    outputs = {output.name for output in onnx.load(path).graph.output}
    exported = [node.op_type for node in nodes if node.output[0] in quantized or node.op_type == "Gemm" and node.output[0] in outputs]
    fused = [node.op_type for node in onnx.load(optimized).graph.node]
    for operation, integer in FUSED.items():
        failures.check(exported.count(operation) == fused.count(integer),
                       f"{path}: {exported.count(operation)} {operation}, but {fused.count(integer)} {integer} in the optimized graph")
    return fused


def fed_layer_by_layer(path):
    """The model with the codes of every layer as inputs, so that differences do not add up."""
    model = onnx.load(path)
    types = {value.name: value for value in list(model.graph.value_info) + list(model.graph.output)}
    fed = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0].endswith("/codes") and node.input[0] in types:
            value = onnx.ValueInfoProto()
            value.CopyFrom(types[node.input[0]])
            if not value.type.tensor_type.shape.dim or value.type.tensor_type.shape.dim[0].dim_param != "N":
                continue  # a weight
            value.name = node.input[0] + "/fed"
            node.input[0] = value.name
            fed.append(value)
    model.graph.input.extend(fed)
    return model


def origin(producers, codes):
    """The node whose float result becomes these codes."""
    node = producers[codes]
    while node.op_type in ("Clip", "QuantizeLinear") and node.input[0] in producers:
        node = producers[node.input[0]]
    return node


def check_unfused(case, path, result):
    """`disabled` convolves dequantized floats. Each layer is fed the right codes."""
    model = fed_layer_by_layer(path)
    producers = {output: node for node in model.graph.node for output in node.output}
    runner = session(model.SerializeToString(), "disabled")
    names = [output.name for output in runner.get_outputs()][1:]
    linear = {"compared": 0, "differing": 0}
    others = {"compared": 0, "differing": 0}
    for rows in batches(min(UNFUSED_IMAGES, len(case.x))):
        feeds = {}
        for value in runner.get_inputs():
            feeds[value.name] = case.x[rows] if value.name == case.graph["input"] else case.codes[value.name[: -len("/fed")]][rows]
        for name, found in zip(names, runner.run(names, feeds)):
            node = origin(producers, name)
            expected = case.codes[name][rows]
            kind = linear if node.op_type in ("Conv", "Gemm") else others
            kind["compared"] += found.size
            kind["differing"] += int(np.count_nonzero(found != expected))
            largest = int(np.abs(found.astype(int) - expected).max(initial=0))
            failures.check(largest <= 1, f"{path}: {name} differs by {largest} steps when fed the right codes")
    if case.is_exact_in_floats():
        failures.check(linear["differing"] == 0, f"{path}: {linear['differing']} codes differ in float convolutions although all scales are powers of two")
    allowed = max(1, linear["compared"] // 50_000)
    failures.check(linear["differing"] <= allowed, f"{path}: {linear['differing']} of {linear['compared']} codes differ in float convolutions, allowed {allowed}")
    result.update(fed_linear=linear, fed_others=others)


def check_packed(case, result):
    """4- and 2-bit weights: the same codes, and nothing but the file differs."""
    sizes = {}
    for pack, opset in ((8, 21), (4, 21), (2, 25), (4, 25)):
        path = case.export(f"opset{opset}pack{pack}.onnx", "--opset", opset, "--pack", pack)
        onnx.checker.check_model(str(path), full_check=True)
        found = case.compare(path, "all", images=min(250, len(case.x)))
        failures.check(found["differing"] == 0 and found["outputs"] == 0, f"{path}: {found}")
        sizes[opset, pack] = path.stat().st_size
    result["packed"] = sizes[21, 4] / sizes[21, 8]
    if case.folder.name == "w4a4-everywhere" and case.is_all_dense():
        failures.check(result["packed"] <= 0.55, f"{case.folder}: 4-bit weights take {result['packed']:.2f} of the bytes of 8-bit ones")


def check_case(folder, bitgrad, trained):
    case = Case(folder, bitgrad)
    path = case.export("model.onnx")
    onnx.checker.check_model(str(path), full_check=True)
    optimized = folder / "optimized.onnx"
    result = case.compare(path, "all", optimized=optimized)
    failures.check(result["differing"] == 0, f"{path}: {result['differing']} of {result['compared']} codes differ, first {result['first']}")
    failures.check(result["outputs"] == 0, f"{path}: {result['outputs']} outputs differ")
    result["bytes"] = path.stat().st_size
    result["operations"] = check_fusion(case, path, optimized)
    for level in ("basic", "disabled"):
        result[level] = case.compare(path, level, images=min(UNFUSED_IMAGES, len(case.x)))
    check_unfused(case, path, result)
    if not trained or "w8" not in folder.name:
        check_packed(case, result)
    return result


def main():
    model, graphs, bitgrad, scratch = sys.argv[1], *map(pathlib.Path, sys.argv[2:5])
    print(f"ONNX Runtime {onnxruntime.__version__}, onnx {onnx.__version__}")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        subprocess.run([graphs, model, scratch, *sys.argv[5:]], check=True)
        cases = (scratch / "cases.txt").read_text().split()
        rows = []
        for name in cases:
            rows.append((name, check_case(scratch / name, bitgrad, trained=model != "random")))
            shutil.rmtree(scratch / name)
        print(f"\n{model:18} {'codes':>12} differ | unfused: basic, disabled, argmax | fed: linear, others  | bytes, packed")
        for name, r in rows:
            fed = [f"{k['differing']}/{k['compared']}" for k in (r["fed_linear"], r["fed_others"])]
            print(f"{name:18} {r['compared']:12,} {r['differing']:6} | {r['basic']['differing']:8} {r['disabled']['differing']:8} "
                  f"{r['disabled']['argmaxes']:5} | {fed[0]:>16} {fed[1]:>16} | {r['bytes']:8,} {r.get('packed', 1):.2f}")
        if "BITGRAD_INTEROP_ROWS" in os.environ:
            with open(os.environ["BITGRAD_INTEROP_ROWS"], "a") as file:
                for name, r in rows:
                    print("onnx", model, name, r["compared"], r["differing"] + r["outputs"], r["bytes"], sep="\t", file=file)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
