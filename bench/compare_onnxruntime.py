#!/usr/bin/env python3
"""Runs int8 graphs in bitgrad's integer engine and in ONNX Runtime, in turn, and prints one table in Markdown.

The graphs are bitgrad's reference models with 8 bits and random weights, or those of trained runs (--runs). ONNX Runtime gets the file of
`bitgrad export --onnx`, which it fuses to integer kernels, at its default optimization level: with int8 weights where the processor has
VNNI, which is its fastest form and exact there, or else with the uint8 weights that are exact everywhere. First every code of both is compared on
64 random images; then each measurement is a process of its own: A B, A B, ...; medians over the rounds, and ratios are medians of ratios
within a round, so that a machine that slows down slows both. Both get float32 images and give float32 logits. ONNX Runtime is called from
Python: the last line says what such a call costs by itself.

  python3 bench/compare_onnxruntime.py --quick
  python3 bench/compare_onnxruntime.py --python ~/ort/bin/python3 --runs runs/resnet8,runs/w4a4

It installs nothing. An ONNX Runtime to compare with, in a place of its own:
  python3 -m venv ~/ort && ~/ort/bin/pip install onnxruntime numpy
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import struct
import sys
import tempfile
import time

from compare_pytorch import ROOT, Failed, execute
from environment import clean, misleading

WORKER = pathlib.Path(__file__).resolve().parent / "onnxruntime_worker.py"
MODELS = ("lenet5", "fashion_cnn", "resnet8", "ds_cnn", "mlp", "mobilenet_v1")
IMAGES = 64  # whose codes are compared


class Graph:
    """A graph in both forms."""

    def __init__(self, name, run, scratch, settings):
        self.name, self.settings = name, settings
        self.folder, self.onnx = scratch / name, scratch / (name + ".onnx")
        self.folder.mkdir()
        if run is None:
            settings.program("bench", "infer", "--model", name, "--mode", "lsq", "--bits", "8", "--batch", "1", "--seconds", "0.01",
                             "--save", self.folder)
        else:
            (self.folder / "graph").symlink_to((pathlib.Path(run) / "graph").resolve())
        settings.program("export", self.folder, "--onnx", self.onnx, "--onnx-weights", settings.weights)

    def check(self):
        """Codes compared and codes that differ."""
        write_images(self.folder)
        checked = self.folder / "codes.onnx"
        self.settings.program("export", self.folder, "--onnx", checked, "--onnx-weights", self.settings.weights, "--codes")
        self.settings.program("infer", self.folder, "--engine", "integer", "--input", self.folder / "x.npy", "--output",
                              self.folder / "y.npy", "--codes", self.folder / "codes.npz")
        return self.settings.worker({"check": str(checked), "folder": str(self.folder)})

    def bitgrad_ms(self, batch, threads):
        result = self.folder / "result.json"
        self.settings.program("bench", "infer", "--run", self.folder, "--engine", "integer", "--batch", batch, "--threads", threads,
                              "--seconds", self.settings.seconds, "--json", result)
        found = json.loads(result.read_text())
        self.machine = found["machine"]
        return found["measurements"][0]["batch_ms"]

    def onnxruntime_ms(self, batch, threads):
        return self.settings.worker({"measure": str(self.onnx), "batch": batch, "threads": threads, "seconds": self.settings.seconds})["batch_ms"]


def has_vnni():
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "").split()
    return "avx512_vnni" in flags or "avx_vnni" in flags


def write_images(folder):
    """x.npy: float32 images of the graph's input shape, without NumPy, which this Python need not have."""
    graph = json.loads((folder / "graph/graph.json").read_text())
    shape = next(tensor["shape"] for tensor in graph["tensors"] if tensor["name"] == graph["input"])
    count = IMAGES
    for extent in shape:
        count *= extent
    header = repr({"descr": "<f4", "fortran_order": False, "shape": (IMAGES, *shape)}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    source = random.Random(1)
    values = struct.pack(f"<{count}f", *(source.randrange(256) / 255 for _ in range(count)))
    (folder / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values)


class Settings:
    def __init__(self, arguments):
        self.__dict__.update(vars(arguments))
        self.environment, self.removed = clean(), misleading()
        self.weights = "int8" if has_vnni() else "uint8"

    def program(self, *arguments):
        return execute([self.bitgrad, *(str(argument) for argument in arguments)], self.environment)

    def worker(self, options):
        environment = dict(self.environment, PYTHONDONTWRITEBYTECODE="1")
        return json.loads(execute([self.python, str(WORKER), json.dumps(options)], environment).splitlines()[-1])


class Series:
    """One graph, batch and number of threads."""

    def __init__(self, graph, batch, threads):
        self.graph, self.batch, self.threads, self.rounds = graph, batch, threads, []

    def measure(self):
        self.rounds.append((self.graph.bitgrad_ms(self.batch, self.threads), self.graph.onnxruntime_ms(self.batch, self.threads)))

    def ratio(self):
        return statistics.median(theirs / ours for ours, theirs in self.rounds)

    def row(self):
        ours, theirs = (statistics.median(each) for each in zip(*self.rounds))
        return [self.graph.name, str(self.batch), str(self.threads), f"{1000 * self.batch / ours:.0f}", f"{ours:.4f}", f"{theirs:.4f}",
                f"{self.ratio():.2f}"]


def markdown(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    line = lambda cells: "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"
    return "\n".join([line(rows[0]), "|" + "|".join("-" * (width + 2) for width in widths) + "|"] + [line(row) for row in rows[1:]])


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.5 seconds")
    parser.add_argument("--rounds", type=int, help="how often each measurement is made (quick 3, full 5)")
    parser.add_argument("--seconds", type=float, help="of each measurement, after its warm-up (quick 0.5, full 2)")
    parser.add_argument("--threads", default="1,2", help="of both sides, with commas between them (%(default)s)")
    parser.add_argument("--batches", default="1,32", help="likewise (%(default)s)")
    parser.add_argument("--models", default=",".join(MODELS), help="(%(default)s)")
    parser.add_argument("--runs", help="directories of bitgrad train in place of models, with commas between them")
    parser.add_argument("--python", default=sys.executable, help="the Python that has ONNX Runtime (this one)")
    parser.add_argument("--bitgrad", default=str(ROOT / "build/bin/bitgrad"), help="the program (%(default)s)")
    parser.add_argument("--json", help="write every single result to this file")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (3 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (0.5 if arguments.quick else 2.0)
    return Settings(arguments)


def onnxruntime_version(settings):
    try:
        return execute([settings.python, "-c", "import numpy, onnxruntime; print(onnxruntime.__version__)"], settings.environment).strip()
    except (Failed, OSError) as error:
        sys.exit(f"compare_onnxruntime: {settings.python} has no ONNX Runtime ({error}).\n"
                 "Name a Python that has one by --python, or install it:\n"
                 "  python3 -m venv ~/ort && ~/ort/bin/pip install onnxruntime numpy")


def make_graphs(settings, scratch):
    if settings.runs:
        return [Graph(pathlib.Path(run).name, run, scratch, settings) for run in settings.runs.split(",")]
    return [Graph(model, None, scratch, settings) for model in settings.models.split(",")]


def numbers(text):
    return [int(part) for part in text.split(",")]


def measure(settings, graphs):
    """All series, and a sentence about the codes."""
    start = time.time()
    progress = lambda text: print(f"\r{time.time() - start:5.0f} s  {text}".ljust(100), end="", file=sys.stderr)
    codes = 0
    for graph in graphs:
        progress(f"{graph.name}: codes")
        result = graph.check()
        if result["differing"] or result["outputs_differing"]:
            sys.exit(f"\ncompare_onnxruntime: {graph.name}: {result['differing']} of {result['codes']} codes and "
                     f"{result['outputs_differing']} results differ")
        codes += result["codes"]
    series = [Series(graph, batch, threads) for graph in graphs for batch in numbers(settings.batches) for threads in numbers(settings.threads)]
    for number in range(settings.rounds):
        for each in series:
            progress(f"round {number + 1} of {settings.rounds}: {each.graph.name}, batch {each.batch}, {each.threads} threads")
            each.measure()
    print("\r" + " " * 100 + "\r", end="", file=sys.stderr)
    return series, f"{codes} codes compared, 0 differ"


def main():
    settings = parse_arguments()
    if not os.access(settings.bitgrad, os.X_OK):
        sys.exit(f"compare_onnxruntime: there is no program {settings.bitgrad}: build it by scripts/build, or name it by --bitgrad")
    version, load = onnxruntime_version(settings), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        try:
            series, codes = measure(settings, make_graphs(settings, pathlib.Path(scratch)))
            call = settings.worker({"call": True})["call_ms"]
        except Failed as error:
            sys.exit(f"\ncompare_onnxruntime: {error}")
    head = ["model", "batch", "threads", "images/s", "bitgrad, ms", "ONNX Runtime, ms", "times as fast"]
    print(markdown([head] + [each.row() for each in series]) + "\n")
    machine = series[0].graph.machine
    removed = f" Removed from the environment: {', '.join(settings.removed)}." if settings.removed else ""
    print(f"bitgrad's integer engine (kernels {machine['isa']}), ONNX Runtime {version} ({settings.weights} weights); {machine['processor']}; "
          f"medians of {settings.rounds} rounds of {settings.seconds:g} s;\n"
          f"load before {load:.2f}; {codes}; a call of ONNX Runtime that does nothing takes {call:.4f} ms.{removed}")
    if load > 0.5:
        print(f"The machine was not quiet (load {load:.2f}): these figures are worth little.", file=sys.stderr)
    if settings.json:
        everything = [{"model": each.graph.name, "batch": each.batch, "threads": each.threads, "rounds": each.rounds} for each in series]
        pathlib.Path(settings.json).write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()
