"""What the interop tests share: their arguments, and graphs with what bitgrad computes for their inputs."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np

BATCH = 250


def run(*command, **options):
    """Ends the test when the command fails; what it printed stands in the exception's place."""
    process = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if process.returncode:
        sys.exit(f"FAILED: {' '.join(map(str, command))}\n{process.stdout}{process.stderr}")
    return process.stdout


def not_run(reason, otherwise=77):
    """The exit status where a proof cannot be run: 1 under scripts/test --complete, and else by default what ctest shows as skipped."""
    print(f"NOT RUN: {reason}")
    return 1 if os.environ.get("BITGRAD_COMPLETE") else otherwise


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("graphs", type=pathlib.Path, help="a directory that interop_graphs wrote")
    parser.add_argument("bitgrad", type=pathlib.Path, help="the program")
    parser.add_argument("scratch", type=pathlib.Path, help="a directory of the test's own, removed at its end")
    parser.add_argument("--images", type=int, help="the first so many; default: all")
    parser.add_argument("--cases", default="", help="beginnings of names, with commas between; default: all")
    return parser


def batches(count, size=BATCH):
    return [slice(i, min(i + size, count)) for i in range(0, count, size)]


def nchw(array):
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array


def real(x):
    """Images as float32, as bitgrad sees them."""
    return x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x


class Case:
    """One graph, `run_directory`/graph, some images, and what bitgrad makes of them. Files go to `scratch`/NAME."""

    def __init__(self, run_directory, bitgrad, scratch, x):
        self.run_directory, self.bitgrad, self.name = pathlib.Path(run_directory), bitgrad, pathlib.Path(run_directory).name
        self.folder = scratch / self.name
        self.folder.mkdir(parents=True)
        self.graph = json.loads((self.run_directory / "graph/graph.json").read_text())
        self.grids = {tensor["name"]: tensor["grid"] for tensor in self.graph["tensors"] if "grid" in tensor}
        self.x = x
        self.modes_of_both_engines = set()

    def compute(self, engine, images, mode, names):
        """(outputs, codes of the tensors of these names) of one engine for the first images."""
        x, y, codes = self.folder / "x.npy", self.folder / "y.npy", self.folder / "codes.npz"
        np.save(x, self.x[:images])
        asked = ["--codes", codes] if names else []
        run(self.bitgrad, "infer", self.run_directory, "--threads", 1, "--engine", engine, "--mode", mode, "--input", x, "--output", y, *asked)
        if not names:
            return np.load(y), {}
        with np.load(codes) as arrays:
            return np.load(y), {name: arrays[name] for name in names}

    def infer(self, images=None, mode="ort", codes=True):
        """(outputs, codes of every quantized tensor) of the integer engine for the first images. The first call for a mode sees that
        the float engine has the same for some of them, bit by bit."""
        names = list(self.grids) if codes else []
        y, found = self.compute("integer", images, mode, names)
        if mode not in self.modes_of_both_engines:
            count = min(len(y), BATCH)
            y_float, found_float = self.compute("float", count, mode, names)
            if y_float.tobytes() != y[:count].tobytes() or any(not np.array_equal(found_float[name], found[name][:count]) for name in names):
                sys.exit(f"FAILED: {self.name}, mode {mode}: the two engines of bitgrad have different outputs or codes")
            self.modes_of_both_engines.add(mode)
        return y, found

    def export(self, *options):
        return run(self.bitgrad, "export", self.run_directory, *options)

    def remove(self):
        shutil.rmtree(self.folder)


def cases(given):
    """The graphs of the arguments, one after the other, each removed when the next one is asked for."""
    shutil.rmtree(given.scratch, ignore_errors=True)
    starts = tuple(given.cases.split(","))
    count = 0
    try:
        for name in (given.graphs / "cases.txt").read_text().split():
            if not name.startswith(starts):
                continue
            folder = given.graphs / name
            own = folder / "x.npy"
            x = np.load(own if own.exists() else given.graphs / "x.npy")
            case = Case(folder, given.bitgrad, given.scratch, x[: given.images])
            yield case
            case.remove()
            count += 1
    finally:
        shutil.rmtree(given.scratch, ignore_errors=True)
    if count == 0:
        sys.exit(f"FAILED: {given.graphs} has no cases that begin with {given.cases}")
