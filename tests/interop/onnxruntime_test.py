#!/usr/bin/env python3
"""Runs exported ONNX files in ONNX Runtime and compares every quantized tensor with bitgrad, code by code.

Usage: onnxruntime_test.py GRAPHS_DIR BITGRAD SCRATCH_DIR [--images N] [--cases A,B] [--unfused N]

The exit status is 1 when a code differs that must not.
"""
import sys

import numpy as np
import onnx
import onnxruntime

import interop

FUSED = {"Conv": "QLinearConv", "Gemm": "QGemm", "Add": "QLinearAdd", "Concat": "QLinearConcat"}
LEVELS = {
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
class Failures(list):
    def check(self, condition, text):
        if not condition:
            self.append(text)
            print("FAILED:", text, flush=True)


failures = Failures()


def session(model, level, optimized=None):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # the tests run side by side
    if optimized:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Case:
    """One graph: what bitgrad computes for its inputs, as the file has it."""

    def __init__(self, case):
        self.case, self.folder, self.graph = case, case.folder, case.graph
        y, codes = case.infer()
        self.x, self.y = interop.nchw(interop.real(case.x)), interop.nchw(y)
        self.codes = {name + "/codes": interop.nchw((found.astype(np.int16) - case.grids[name]["lo"]).astype(np.uint8)) for name, found in codes.items()}

    def is_exact_in_floats(self):
        """All scales powers of two: dequantized sums are exact in any order."""
        with np.load(self.case.run_directory / "graph/graph.npz") as arrays:
            scales = [arrays[name] for name in arrays.files if name.endswith(".scale")]
        scales += [np.float32(grid["scale"]) for grid in self.case.grids.values()]
        return all(np.all(np.frexp(scale)[0] == 0.5) for scale in scales)

    def is_all_dense(self):
        return not any(node["operation"] == "integer_conv2d" for node in self.graph["nodes"])

    def export(self, name, *options):
        path = self.folder / name
        self.case.export("--onnx", path, "--codes", *options)
        return path

    def compare(self, model, level, images=None, optimized=None):
        """Codes compared, codes that differ, the largest step, the first tensor that differs, outputs and argmaxes that differ."""
        runner = session(str(model), level, optimized)
        names = [output.name for output in runner.get_outputs()]
        count, differing, step, first, outputs, argmaxes = 0, 0, 0, None, 0, 0
        expected_names = [self.graph["output"]] + list(self.codes)
        failures.check(names == expected_names, f"{model}: outputs {names}, expected {expected_names}")
        for rows in interop.batches(images or len(self.x)):
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
        if node.op_type in ("DequantizeLinear", "Cast") and node.input[0].endswith("/codes") and node.input[0] in types:
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


def check_unfused(case, path, result, images):
    """`disabled` convolves dequantized floats. Each layer is fed the right codes."""
    model = fed_layer_by_layer(path)
    producers = {output: node for node in model.graph.node for output in node.output}
    runner = session(model.SerializeToString(), "disabled")
    names = [output.name for output in runner.get_outputs()][1:]
    linear = {"compared": 0, "differing": 0}
    others = {"compared": 0, "differing": 0}
    for rows in interop.batches(images):
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


def check_float_case(case):
    """Layers without an integer form: their last bits are the runtime's, and a code behind them may be the next one. Each layer is
    fed the right codes; whatever is not behind a float layer is exact."""
    path = case.export("model.onnx")
    onnx.checker.check_model(str(path), full_check=True)
    model = fed_layer_by_layer(path)
    producers = {output: node for node in model.graph.node for output in node.output}
    runner = session(model.SerializeToString(), "all")
    kinds = {kind: {"compared": 0, "differing": 0} for kind in ("exact", "float")}
    names = [output.name for output in runner.get_outputs()]
    for rows in interop.batches(len(case.x)):
        feeds = {value.name: case.x[rows] if value.name == case.graph["input"] else case.codes[value.name[: -len("/fed")]][rows]
                 for value in runner.get_inputs()}
        y, *codes = runner.run(None, feeds)
        failures.check(np.array_equal(y.view(np.int32), case.y[rows].view(np.int32)), f"{path}: outputs differ")
        for name, found in zip(names[1:], codes):
            kind = kinds["float" if origin(producers, name).op_type in ("Add", "Relu", "Resize") else "exact"]
            expected = case.codes[name][rows]
            kind["compared"] += found.size
            kind["differing"] += int(np.count_nonzero(found != expected))
            failures.check(int(np.abs(found.astype(int) - expected).max(initial=0)) <= 1, f"{path}: {name} differs by more than a step")
    failures.check(kinds["exact"]["compared"] > 0 and kinds["exact"]["differing"] == 0, f"{path}: {kinds}")
    failures.check(kinds["float"]["compared"] > 0 and kinds["float"]["differing"] <= kinds["float"]["compared"] // 1000, f"{path}: {kinds}")
    return kinds


def check_packed(case, result, images):
    """Every operator set with every packing: the same codes, and nothing but the file differs."""
    sizes = {}
    for opset, pack in ((13, 8), (21, 8), (21, 4), (25, 8), (25, 4), (25, 2)):
        path = case.export(f"opset{opset}pack{pack}.onnx", "--opset", opset, "--pack", pack)
        onnx.checker.check_model(str(path), full_check=True)
        found = case.compare(path, "all", images)
        failures.check(found["differing"] == 0 and found["outputs"] == 0, f"{path}: {found}")
        sizes[opset, pack] = path.stat().st_size
    result["packed"] = sizes[21, 4] / sizes[21, 8]
    if case.folder.name == "w4a4-everywhere" and case.is_all_dense():
        failures.check(result["packed"] <= 0.55, f"{case.folder}: 4-bit weights take {result['packed']:.2f} of the bytes of 8-bit ones")


def check_case(case, unfused):
    path = case.export("model.onnx")
    onnx.checker.check_model(str(path), full_check=True)
    optimized = case.folder / "optimized.onnx"
    result = case.compare(path, "all", optimized=optimized)
    failures.check(result["differing"] == 0, f"{path}: {result['differing']} of {result['compared']} codes differ, first {result['first']}")
    failures.check(result["outputs"] == 0, f"{path}: {result['outputs']} outputs differ")
    result["bytes"] = path.stat().st_size
    result["operations"] = check_fusion(case, path, optimized)
    images = min(unfused, len(case.x))
    for level in ("basic", "disabled"):
        result[level] = case.compare(path, level, images)
    check_unfused(case, path, result, images)
    again = case.export("again.onnx")
    failures.check(path.read_bytes() == again.read_bytes(), f"{path}: other bytes in a second export")
    check_packed(case, result, min(10, len(case.x)))
    return result


def check_float_layers(given):
    for case in interop.cases(given):
        kinds = check_float_case(Case(case))
        print(f"{case.name:18} " + ", ".join(f"{kind} {c['differing']}/{c['compared']}" for kind, c in kinds.items()), flush=True)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


def main():
    parser = interop.arguments(__doc__.splitlines()[0])
    parser.add_argument("--unfused", type=int, default=250, help="images on which the runtime's own rounding is measured")
    given = parser.parse_args()
    print(f"ONNX Runtime {onnxruntime.__version__}, onnx {onnx.__version__}")
    if given.graphs.name == "float":
        return check_float_layers(given)
    rows = [(case.name, check_case(Case(case), given.unfused)) for case in interop.cases(given)]
    print(f"\n{given.graphs.name:18} {'codes':>12} differ | unfused: basic, disabled, argmax | fed: linear, others  | bytes, packed")
    for name, r in rows:
        fed = [f"{k['differing']}/{k['compared']}" for k in (r["fed_linear"], r["fed_others"])]
        print(f"{name:18} {r['compared']:12,} {r['differing']:6} | {r['basic']['differing']:8} {r['disabled']['differing']:8} "
              f"{r['disabled']['argmaxes']:5} | {fed[0]:>16} {fed[1]:>16} | {r['bytes']:8,} {r['packed']:.2f}")
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
