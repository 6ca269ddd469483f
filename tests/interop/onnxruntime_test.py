#!/usr/bin/env python3
"""Runs exported ONNX files in ONNX Runtime and compares every quantized tensor with bitgrad, code by code.

Usage: onnxruntime_test.py GRAPHS_DIR BITGRAD SCRATCH_DIR [--images N] [--cases A,B] [--unfused N] [--packed N]

The exit status is 1 when a code differs that must not.
"""
import collections
import pathlib
import re
import sys

import numpy as np
import onnx
import onnxruntime

import interop

FUSED = {"integer_conv2d": "QLinearConv", "integer_dense": "QGemm", "integer_add": "QLinearAdd", "integer_concat": "QLinearConcat"}
LEVELS = {
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
RARE = 50_000  # at lower levels at most one code of so many differs, in layers that are fed the right codes


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
        """A checked file."""
        path = self.folder / name
        self.case.export("--onnx", path, *options)
        onnx.checker.check_model(str(path), full_check=True)
        return path

    def compare(self, model, level, images=None, optimized=None, codes=True):
        """Codes compared, codes that differ, the largest step, the first tensor that differs, outputs and argmaxes that differ."""
        runner = session(str(model), level, optimized)
        names = [output.name for output in runner.get_outputs()]
        count, differing, step, first, outputs, argmaxes = 0, 0, 0, None, 0, 0
        expected_names = [self.graph["output"]] + (list(self.codes) if codes else [])
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


def check_fused(case, path, images=None, codes=True):
    """At the default level nothing differs, and every integer layer of the graph has become an integer kernel. A convolution that
    hands on float32 is written as one."""
    optimized = case.folder / "optimized.onnx"
    result = case.compare(path, "all", images, optimized, codes)
    failures.check(result["differing"] == 0, f"{path}: {result['differing']} of {result['compared']} codes differ, first {result['first']}")
    failures.check(result["outputs"] == 0, f"{path}: {result['outputs']} outputs differ")
    wanted = collections.Counter(node["operation"] for node in case.graph["nodes"]
                                 if node["operation"] != "integer_conv2d" or node["output"] in case.case.grids)
    found = collections.Counter(node.op_type for node in onnx.load(optimized).graph.node)
    for operation, kernel in FUSED.items():
        failures.check(wanted[operation] == found[kernel], f"{path}: {wanted[operation]} {operation}, but {found[kernel]} {kernel} in the optimized graph")
    failures.check(found["QLinearConv"] + found["QGemm"] > 0, f"{path}: no integer kernel in the optimized graph")
    return result


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


def check_unfused(case, path, level, images):
    """Lower levels convolve dequantized floats. Each layer is fed the right codes: (codes, those that differ) by kind of layer."""
    model = fed_layer_by_layer(path)
    producers = {output: node for node in model.graph.node for output in node.output}
    runner = session(model.SerializeToString(), level)
    names = [output.name for output in runner.get_outputs()][1:]
    kinds = collections.defaultdict(lambda: [0, 0])
    for rows in interop.batches(images):
        feeds = {}
        for value in runner.get_inputs():
            feeds[value.name] = case.x[rows] if value.name == case.graph["input"] else case.codes[value.name[: -len("/fed")]][rows]
        for name, found in zip(names, runner.run(names, feeds)):
            expected = case.codes[name][rows]
            kind = kinds[origin(producers, name).op_type]
            kind[0] += found.size
            kind[1] += int(np.count_nonzero(found != expected))
            largest = int(np.abs(found.astype(int) - expected).max(initial=0))
            failures.check(largest <= 1, f"{path}: {name} differs by {largest} steps at level {level} when fed the right codes")
    for kind, (compared, differing) in kinds.items():
        failures.check(differing * RARE <= compared, f"{path}: {kind}: {differing} of {compared} codes differ at level {level}")
    return kinds


def check_lower_levels(case, path, images):
    """What differs end to end, which is nothing where floats are exact, and layer by layer."""
    result = {}
    powers_of_two = "-pot" in case.case.name
    failures.check(not powers_of_two or case.is_exact_in_floats(), f"{path}: scales that are no powers of two")
    for level in ("basic", "disabled"):
        found = result[level] = case.compare(path, level, images)
        failures.check(not powers_of_two or found["differing"] == 0,
                       f"{path}: {found['differing']} codes differ at level {level} although all scales are powers of two, first {found['first']}")
        found["fed"] = check_unfused(case, path, level, images)
    return result


def check_float_case(case):
    """Layers without an integer form: their last bits are the runtime's, and a code behind them may be the next one. Each layer is
    fed the right codes; whatever is not behind a float layer is exact."""
    case.export("plain.onnx")
    path = case.export("model.onnx", "--codes")
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


def check_packed(case, compared, images):
    """Every operator set with every packing: the same codes and kernels, and nothing but the file differs. `compared` is the file
    that was compared already."""
    sizes = {}
    known = {compared.read_bytes()}
    for opset, pack in ((13, 8), (21, 8), (21, 4), (25, 8), (25, 4), (25, 2)):
        path = case.export(f"opset{opset}pack{pack}.onnx", "--codes", "--opset", opset, "--pack", pack)
        sizes[opset, pack] = path.stat().st_size
        if path.read_bytes() in known:
            continue
        known.add(path.read_bytes())
        check_fused(case, path, images)
    packed, most_packed = sizes[21, 4] / sizes[21, 8], sizes[25, 2] / sizes[25, 8]
    if case.is_all_dense():
        if case.case.name == "w4a4-everywhere":
            failures.check(packed <= 0.55, f"{case.folder}: 4-bit weights take {packed:.2f} of the bytes of 8-bit ones")
        if case.case.name == "w2a2-everywhere":
            failures.check(most_packed <= 0.32, f"{case.folder}: 2-bit weights take {most_packed:.2f} of the bytes of 8-bit ones")
    if case.case.run_directory.parent.name == "lut":  # few codes of an 8-bit grid
        failures.check(packed <= 0.7, f"{case.folder}: kernels of 3-bit tables take {packed:.2f} of the bytes")
    return packed


def has_vnni():
    """Whether this processor multiplies uint8 by int8 without saturation. Elsewhere on x86 the codes of int8 files may be wrong."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else None
    return bool(flags and {"avx512_vnni", "avx_vnni"} & set(flags.group(1).split()))


def check_int8(case):
    """The file for processors with VNNI: every kernel int8, and there the same codes."""
    path = case.export("int8.onnx", "--codes", "--onnx-weights", "int8")
    types = {onnx.TensorProto.DataType.Name(each.data_type) for each in onnx.load(path).graph.initializer if each.name.endswith("/kernel/codes")}
    failures.check(types == {"INT8"}, f"{path}: kernels of types {types}, expected int8 alone")
    if has_vnni():
        check_fused(case, path)
    else:
        print(f"NOT RUN: {case.case.name}: --onnx-weights int8, because this processor has neither avx512_vnni nor avx_vnni", flush=True)


def check_case(case, unfused, packed):
    path = case.export("model.onnx", "--codes")
    result = check_fused(case, path)
    check_fused(case, case.export("plain.onnx"), codes=False)  # the file that users get
    result.update(check_lower_levels(case, path, min(unfused, len(case.x))))
    again = case.export("again.onnx", "--codes")
    failures.check(path.read_bytes() == again.read_bytes(), f"{path}: other bytes in a second export")
    if case.case.name.startswith("w8a8"):
        check_int8(case)
    result.update(bytes=path.stat().st_size, packed=check_packed(case, path, min(packed, len(case.x))))
    return result


def check_float_layers(given):
    for case in interop.cases(given):
        kinds = check_float_case(Case(case))
        print(f"{case.name:18} " + ", ".join(f"{kind} {c['differing']}/{c['compared']}" for kind, c in kinds.items()), flush=True)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


def fed(result):
    """For people: codes that differ of all codes, behind linear layers and behind others."""
    kinds = result["fed"]
    linear = [kinds[kind] for kind in kinds if kind in ("Conv", "Gemm")]
    others = [kinds[kind] for kind in kinds if kind not in ("Conv", "Gemm")]
    return " ".join(f"{sum(d for _, d in part)}/{sum(c for c, _ in part)}" for part in (linear, others))


def main():
    parser = interop.arguments(__doc__.splitlines()[0])
    parser.add_argument("--unfused", type=int, default=250, help="images on which the runtime's own rounding is measured")
    parser.add_argument("--packed", type=int, default=10, help="images on which files of other operator sets and packings are compared")
    given = parser.parse_args()
    print(f"ONNX Runtime {onnxruntime.__version__}, onnx {onnx.__version__}")
    if given.graphs.name == "float":
        return check_float_layers(given)
    rows = [(case.name, check_case(Case(case), given.unfused, given.packed)) for case in interop.cases(given)]
    print(f"\n{given.graphs.name:18} {'codes':>12} differ | basic, disabled, argmax | fed at basic, disabled: Conv and Gemm, others | bytes, packed")
    for name, r in rows:
        print(f"{name:18} {r['compared']:12,} {r['differing']:6} | {r['basic']['differing']:6} {r['disabled']['differing']:6} "
              f"{r['disabled']['argmaxes']:4} | {fed(r['basic'])} {fed(r['disabled'])} | {r['bytes']:8,} {r['packed']:.2f}")
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
