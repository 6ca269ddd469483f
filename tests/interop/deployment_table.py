#!/usr/bin/env python3
"""The tables of docs/deployment.md: trains for a moment, verifies, exports, runs every file in its runtime and counts what differs.

Usage: deployment_table.py BITGRAD INTEROP_GRAPHS WORK_DIR [--fashion NAME|PATH] [--cifar PATH] [--models A,B] [--write FILE]

Without --write the tables are printed. The exit status is 1 when a code or result differs.
"""
import argparse
import collections
import json
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np
import onnxruntime
from ai_edge_litert import interpreter as litert

import arrays_test
import c_test
import interop
import litert_test
import onnxruntime_test

BEGIN, END = "<!-- begin of what scripts/deployment-table writes -->\n", "<!-- end of what scripts/deployment-table writes -->\n"
METHODS = {"pot": ("lsq-pot:{}", "lsq-pot:{}"), "symmetric": ("lsq:{}", "lsq:{}"), "uniform": ("lsq-plus:{}:uniform", "lsq-plus:{}:uniform")}
# Convolutions of 3 bits, the first of 8, and dense layers with one zero point and scale each, between activations with zero points.
MIXED = ("lsq:3", "lsq-plus:6:uniform")
MIXED_BITS = {"format": "bitgrad.bits", "version": 1, "rules": [{"type": "Dense", "weights": "lsq-plus:4:uniform:per-tensor"}]}

# Training images, then how many images each target is run on where it is not all: every quantized tensor (codes), the
# outputs of LiteRT's reference kernels, and everything else of further rows (brief).
Effort = collections.namedtuple("Effort", "training codes reference brief")
SMALL, LARGE = Effort(6000, 1000, 500, 10000), Effort(2000, 1000, 50, 1000)
UNFUSED = 250  # images at the lower levels of ONNX Runtime
Plan = collections.namedtuple("Plan", "data model effort bits further")
FURTHER = ["w8a8-pot", "w8a8-uniform", "w4a4-pot", "w4a4-uniform", "w2a2-symmetric", "w3a5-symmetric", "mixed"]
PLANS = [
    Plan("fashion", "mlp", SMALL, ["w8a8-symmetric", "w4a4-symmetric"], FURTHER),
    Plan("fashion", "lenet5", SMALL, ["w8a8-symmetric", "w4a4-symmetric"], FURTHER),
    Plan("fashion", "fashion_cnn", SMALL, ["w8a8-symmetric", "w4a4-uniform"], []),
    Plan("fashion", "ds_cnn", LARGE, ["w8a8-symmetric", "w4a4-symmetric"], ["w4a4-pot", "w4a4-uniform", "w2a2-symmetric", "w3a5-symmetric", "mixed"]),
    Plan("cifar", "resnet8", LARGE, ["w8a8-symmetric", "w4a4-symmetric"], ["w4a4-pot", "w4a4-uniform", "w2a2-symmetric", "w3a5-symmetric", "mixed"]),
]
Row = collections.namedtuple("Row", "target model bits cells differ")


def say(text):
    print(text, file=sys.stderr, flush=True)


def train(given, plan, data, work):
    """Directories of the runs: one from float weights for every width and method."""
    program, limit = given.bitgrad, ["--data", data, "--limit", plan.effort.training]
    start = work / "float"
    interop.run(program, "train", "--model", plan.model, *limit, "--epochs", 1, "--weights", "none", "--activations", "none", "--out", start)
    (work / "bits.json").write_text(json.dumps(MIXED_BITS))
    for bits in plan.bits + plan.further:
        if bits == "mixed":
            (weights, activations), more = MIXED, ["--bits", work / "bits.json"]
        else:
            widths, method = bits.split("-")
            (weights, activations), more = (spec.format(width) for spec, width in zip(METHODS[method], widths[1:].split("a"))), []
        interop.run(program, "train", "--from", start / "float.safetensors", "--data", data, "--limit", 500, "--qat-epochs", 1,
                    "--weights", weights, "--activations", activations, *more, "--out", work / bits)
        yield work / bits


def milliseconds(step, warm=10, timed=100):
    """Median of single calls."""
    times = []
    for i in range(warm + timed):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return f"{1000 * float(np.median(times[warm:])):.3f}"


def different(found, expected):
    return int(np.count_nonzero(found.view(np.uint32) != expected.view(np.uint32)))


def modes_row(given, run, data, images):
    """What `bitgrad verify RUN --modes` finds: codes of the run's own executors that differ, then codes that each mode changes."""
    said = interop.run(given.bitgrad, "verify", run, "--modes", "--data", data, "--limit", images)
    lines = {line.split()[0]: line.split() for line in said.splitlines() if line.split()}
    count = int(lines["ort"][1])
    return [images, count, *(lines[mode][1] if lines[mode][1] == "refused" else int(lines[mode][2]) for mode in MODES)], int(lines["ort"][2])


def unfused_row(checked, path, level):
    """End to end: one code that differs changes those behind it."""
    found = checked.compare(path, level, min(UNFUSED, len(checked.x)))
    return [level, min(UNFUSED, len(checked.x)), found["compared"], found["differing"], found["argmaxes"]], 0


def onnx_row(case, first, y, checked, path):
    found = checked.compare(path, "all")
    model = case.folder / "model.onnx"
    case.export("--onnx", model)
    runner, x = onnxruntime_test.session(str(model), "all"), interop.nchw(interop.real(case.x))
    name = runner.get_inputs()[0].name
    results = np.concatenate([runner.run(None, {name: x[rows]})[0] for rows in interop.batches(len(x))])
    packed = case.folder / "packed.onnx"
    case.export("--onnx", packed, "--pack", 4)
    cells = [len(first.x), found["compared"], found["differing"], len(x), different(results, y), model.stat().st_size, packed.stat().st_size,
             milliseconds(lambda: runner.run(None, {name: x[:1]}))]
    return cells, found["differing"] + found["outputs"] + different(results, y)


def litert_row(case, first, kernels, mode, resolver, images, count):
    found = litert_test.compare(first, mode, resolver, min(count or len(first.x), len(first.x)))
    y, _ = case.infer(images, mode=mode, codes=False)
    x = interop.real(case.x[:images])
    model = first.folder / "model.tflite"
    results = []
    for rows in interop.batches(len(x)):
        runtime = litert_test.interpreter(model, resolver, len(x[rows]))
        runtime.set_tensor(runtime.get_input_details()[0]["index"], x[rows])
        runtime.invoke()
        results.append(runtime.get_tensor(runtime.get_output_details()[0]["index"]))
    wrong = different(np.concatenate(results), y)
    runtime = litert_test.interpreter(model, resolver, 1)
    runtime.set_tensor(runtime.get_input_details()[0]["index"], x[:1])
    sizes = found["bytes"] + [(first.folder / "model4.tflite").stat().st_size]
    cells = [kernels, mode, found["images"], found["compared"], found["differing"], len(x), wrong, sizes[0], sizes[-1],
             milliseconds(runtime.invoke, warm=2, timed=20)]
    return cells, found["differing"] + found["logits"] + wrong


def c_row(case):
    """Compiled with -O2."""
    expected, _ = case.infer(codes=False)
    x = c_test.input_codes(case, case.x)
    weights = c_test.export(case)
    c_test.build(case.folder, c_test.COMPILERS[0], c_test.STRICT, x[0].nbytes, expected[0].nbytes)
    start = time.perf_counter()
    wrong = different(c_test.run_net(case.folder, x, expected), expected)
    latency = 1000 * (time.perf_counter() - start) / len(x)
    arm = c_test.cortex_m(case.folder) or dict(instructions="not run", code="not run", ram="not run")
    return [len(x), expected.size, wrong, weights, (case.folder / "net.h").stat().st_size, f"{latency:.3f}", arm["code"], arm["ram"], arm["instructions"]], wrong


def array_rows(case):
    """The codes of every kernel, as the safetensors package and NumPy read them, against the graph's."""
    from_safetensors, metadata = arrays_test.read(case)
    with np.load(case.run_directory / "graph/graph.npz") as graph, np.load(case.folder / "a.npz") as from_npz:
        for kind, arrays in (("safetensors", from_safetensors), ("npz", from_npz)):
            total = wrong = 0
            for kernel in (name for name in metadata if name.endswith(".kernel")):
                expected = graph[kernel[: -len(".kernel")] + ".codes"].astype(np.int64)
                total += expected.size
                wrong += int(np.count_nonzero(arrays[kernel + ".codes"] != expected))
            yield [kind, total, wrong, (case.folder / f"a.{kind}").stat().st_size], wrong


def check_run(given, plan, run, data, x, rows):
    bits = run.name
    if bits in plan.further:
        x = x[: plan.effort.brief]
    case = interop.Case(run, given.bitgrad, given.work / "files", x)
    first = interop.Case(run, given.bitgrad, given.work / "first", x[: plan.effort.codes])
    y, _ = case.infer(codes=False)

    def add(target, found):
        cells, differ = found
        rows.append(Row(target, plan.model, bits, cells, differ))
        say(f"    {plan.model} {bits} {target}: {cells}" + (f"; {differ} DIFFER" if differ else ""))

    add("modes", modes_row(given, run, data, plan.effort.codes))
    checked = onnxruntime_test.Case(first)
    path = checked.export("codes.onnx", "--codes")
    add("onnx", onnx_row(case, first, y, checked, path))
    for level in ("basic", "disabled"):
        add("unfused", unfused_row(checked, path, level))
    if litert_test.refusal(first):
        add("litert", (["refused: weights too far from their zero points"] + [""] * (len(TABLES["litert"][1]) - 1), 0))
    else:
        reference = plan.effort.reference
        add("litert", litert_row(case, first, "default", "xnnpack", litert.OpResolverType.AUTO, None, None))
        add("litert", litert_row(case, first, "reference", "tflite_reference", litert.OpResolverType.BUILTIN_REF, reference, reference))
    add("c", c_row(case))
    for row in array_rows(case):
        add("arrays", row)
    case.remove()
    first.remove()


MODES = ("ort", "xnnpack", "tflm_double", "single", "tflite_reference")
TABLES = {
    "modes": ("`bitgrad verify RUN --modes`: codes that a mode changes", ["images", "codes compared", *(f"`{mode}`" for mode in MODES)]),
    "onnx": ("ONNX Runtime {onnxruntime}, default optimization level, one thread", ["images", "codes compared", "differ", "images", "outputs that differ", "file bytes", "with `--pack 4`", "ms"]),
    "unfused": ("The same at lower levels, end to end", ["level", "images", "codes compared", "differ", "argmaxes that differ"]),
    "litert": ("LiteRT {litert}, one thread", ["kernels", "mode", "images", "codes compared", "differ", "images", "logits that differ", "file bytes", "with `--pack 4`", "ms"]),
    "c": ("C, `{compiler} -O2`; on the right `arm-none-eabi-gcc -O2` for a Cortex-M3", ["images", "logits compared", "differ", "weight bytes", "header bytes", "ms", "code, constants", "RAM", "instructions"]),
    "arrays": ("Arrays, read by safetensors {safetensors} and NumPy {numpy}: the codes of every kernel", ["file", "codes compared", "differ", "file bytes"]),
}


def cell(value):
    return f"{value:,}" if isinstance(value, int) else str(value)


def text_of(rows):
    import importlib.metadata as packages
    compiler = subprocess.run([c_test.COMPILERS[0], "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    versions = dict(onnxruntime=onnxruntime.__version__, litert=packages.version("ai-edge-litert"), safetensors=packages.version("safetensors"), numpy=np.__version__, compiler=compiler)
    lines = []
    for target, (title, columns) in TABLES.items():
        lines += [f"{title.format(**versions)}:", "", "| model | bits, method | " + " | ".join(columns) + " |", "|---" * (2 + len(columns)) + "|"]
        lines += ["| " + " | ".join([row.model, row.bits, *map(cell, row.cells)]) + " |" for row in rows if row.target == target]
        lines.append("")
    return "\n".join(lines)


def write(path, text):
    old = path.read_text()
    before, rest = old.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(before + BEGIN + "\n" + text + END + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bitgrad", type=pathlib.Path)
    parser.add_argument("graphs", type=pathlib.Path, help="the program interop_graphs")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--fashion", default="fashion-mnist", help="name or path of Fashion-MNIST")
    parser.add_argument("--cifar", help="path of CIFAR-10")
    parser.add_argument("--models", help="only these, with commas between")
    parser.add_argument("--write", type=pathlib.Path, help="the document whose tables are replaced")
    given = parser.parse_args()
    shutil.rmtree(given.work, ignore_errors=True)
    given.work.mkdir(parents=True)
    sources = {"fashion": given.fashion, "cifar": given.cifar}
    rows, left_out = [], []
    wanted = given.models.split(",") if given.models else [plan.model for plan in PLANS]
    for plan in (plan for plan in PLANS if plan.model in wanted):
        data = sources[plan.data]
        if not data:
            left_out.append(plan.model)
            continue
        x = given.work / f"{plan.data}.npy"
        if not x.exists():
            interop.run(given.graphs, "images", data, x)
        images = np.load(x)
        for run in train(given, plan, data, given.work / plan.model):
            check_run(given, plan, run, data, images, rows)
    if left_out:
        say(f"NOT RUN without --cifar PATH: {', '.join(left_out)}")
    text = text_of(rows)
    print(text) if given.write is None else write(given.write, text)
    shutil.rmtree(given.work)
    return 1 if not rows or any(row.differ for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
