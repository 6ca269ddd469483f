#!/usr/bin/env python3
"""Compiles exported C headers, runs them on every image and compares each result with bitgrad's integer engine; the self-test
then runs on an emulated Cortex-M.

Usage: c_test.py MODEL GRAPHS_PROGRAM BITGRAD_PROGRAM SCRATCH_DIR [IMAGES [CASES]], the last two as for GRAPHS_PROGRAM.
With BITGRAD_INTEROP_ROWS=FILE rows for scripts/deployment-table are added to a file.
"""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np

STRICT = "-std=c99 -O3 -ffreestanding -Wall -Wextra -Werror -pedantic".split()
COMPILERS = [c for c in ("gcc", "clang", "clang-14") if shutil.which(c)]
GOLDEN = 2  # images in the header
CORTEX_M = pathlib.Path(__file__).parent / "cortex_m/run.sh"
ALLOWED_SYMBOLS = {"memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_"}

MAIN = """#include <stdint.h>
#include <stdio.h>
void compute(const void *x, void *y);
int check(void);
int main(void) {
  static unsigned char x[%d], y[%d];
  if (check()) return 2;
  while (fread(x, 1, sizeof x, stdin) == sizeof x) {
    compute(x, y);
    fwrite(y, 1, sizeof y, stdout);
  }
  return 0;
}
"""
PART = """#include "net.h"
void compute(const void *x, void *y);
int check(void);
void compute(const void *x, void *y) { net_run(x, (net_result *)y); }
int check(void) { return (int)net_selftest(); }
"""


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, **options).stdout


def compile_and_run(folder, compiler, x, expected):
    (folder / "main.c").write_text(MAIN % (x[0].nbytes, expected[0].nbytes))
    (folder / "part.c").write_text(PART)
    run(compiler, *STRICT, "-c", "part.c", "-o", "part.o", cwd=folder)
    symbols = {line.split()[-1] for line in run("nm", "-u", "part.o", cwd=folder, capture_output=True, text=True).splitlines()}
    if symbols - ALLOWED_SYMBOLS:
        sys.exit(f"FAILED: {folder}: the object needs {sorted(symbols - ALLOWED_SYMBOLS)}")
    run(compiler, "-std=c99", "-O1", "main.c", "part.o", "-o", "net", cwd=folder)
    found = np.frombuffer(run("./net", cwd=folder, input=x.tobytes(), capture_output=True), expected.dtype)
    return found.reshape(expected.shape)


def input_codes(folder):
    """The codes of the graph's first quantized tensor, by the rule of the header's comment."""
    tensors = json.loads((folder / "graph/graph.json").read_text())["tensors"]
    grid = next(tensor["grid"] for tensor in tensors if "grid" in tensor)
    x = np.load(folder / "x.npy").astype(np.float32) / np.float32(255)
    codes = np.clip(np.rint(x / np.float32(grid["scale"])) + grid["zero_point"], grid["lo"], grid["hi"])
    return codes.astype(np.int8 if grid["lo"] < 0 else np.uint8)


def engine_results(folder, bitgrad):
    run(bitgrad, "infer", folder, "--engine", "integer", "--input", folder / "x.npy", "--output", folder / "y.npy", stdout=subprocess.DEVNULL)
    return np.load(folder / "y.npy")


def cortex_m(folder):
    process = subprocess.run([CORTEX_M, folder], capture_output=True, text=True)
    if process.returncode == 77:
        return None
    numbers = dict(line.split() for line in process.stdout.splitlines() if len(line.split()) == 2)
    if process.returncode or numbers.get("selftest") != "0" or "instructions" not in numbers:
        sys.exit(f"FAILED: {folder} on a Cortex-M3: {process.stdout}{process.stderr}")
    return {name: int(number) for name, number in numbers.items()}


Row = collections.namedtuple("Row", "name compared differing weights bytes arm")


def check_case(folder, name, compiler, bitgrad):
    x, expected = input_codes(folder), engine_results(folder, bitgrad)
    np.save(folder / "golden.npy", np.load(folder / "x.npy")[:GOLDEN])
    said = run(bitgrad, "export", folder, "--c", folder / "net.h", "--golden", folder / "golden.npy", capture_output=True, text=True)
    found = compile_and_run(folder, compiler, x, expected)
    differing = int(np.count_nonzero(found.view(np.uint32) != expected.view(np.uint32)))
    weights = int(said.split(" bytes of weights")[0].split()[-1])
    return Row(name, expected.size, differing, weights, (folder / "net.h").stat().st_size, cortex_m(folder))


def main():
    model, graphs, bitgrad, scratch = sys.argv[1], *map(pathlib.Path, sys.argv[2:5])
    if not COMPILERS:
        print("SKIPPED: no C compiler. The header was not compiled.")
        return 77
    shutil.rmtree(scratch, ignore_errors=True)
    rows = []
    try:
        subprocess.run([graphs, model, scratch, *sys.argv[5:]], check=True)
        for i, name in enumerate((scratch / "cases.txt").read_text().split()):
            rows.append(check_case(scratch / name, name, COMPILERS[i % len(COMPILERS)], bitgrad))
            shutil.rmtree(scratch / name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"\n{model:18} {'results':>10} differ | weights, header bytes | Cortex-M3: instructions, code, RAM bytes")
    for row in rows:
        arm = f"{row.arm['instructions']:12,} {row.arm['code']:8,} {row.arm['ram']:7,}" if row.arm else "NOT RUN"
        print(f"{row.name:18} {row.compared:10,} {row.differing:6} | {row.weights:9,} {row.bytes:9,} | {arm}")
    if any(row.arm is None for row in rows):
        print("NOT RUN on a Cortex-M: gcc-arm-none-eabi or qemu-system-arm is missing")
    if "BITGRAD_INTEROP_ROWS" in os.environ:
        with open(os.environ["BITGRAD_INTEROP_ROWS"], "a") as file:
            for row in rows:
                arm = row.arm or dict(instructions="", code="", ram="")
                print("c", model, row.name, row.compared, row.differing, row.weights, arm["instructions"], arm["code"], arm["ram"], sep="\t", file=file)
    return 1 if any(row.differing for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
