#!/usr/bin/env python3
"""Compiles exported C headers, runs them on every image and compares each result with bitgrad's integer engine; the self-test
then runs on an emulated Cortex-M.

Usage: c_test.py GRAPHS_DIR BITGRAD SCRATCH_DIR [--images N] [--cases A,B] [--modes A,B]
"""
import collections
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np

import interop

STRICT = "-std=c99 -O2 -ffreestanding -Wall -Wextra -Werror -pedantic".split()
STRICT_CPLUSPLUS = "-std=c++17 -O1 -Wall -Wextra -Werror -pedantic".split()
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


def build(folder, compiler, flags, input_bytes, output_bytes):
    """The program folder/net of folder/net.h; the header needs no other symbol than the compiler's own."""
    (folder / "main.c").write_text(MAIN % (input_bytes, output_bytes))
    (folder / "part.c").write_text(PART)
    run(compiler, *flags, "-c", "part.c", "-o", "part.o", cwd=folder)
    symbols = {line.split()[-1] for line in run("nm", "-u", "part.o", cwd=folder, capture_output=True, text=True).splitlines()}
    if symbols - ALLOWED_SYMBOLS:
        sys.exit(f"FAILED: {folder}: the object needs {sorted(symbols - ALLOWED_SYMBOLS)}")
    run(compiler, "-std=c99", "-O1", "main.c", "part.o", "-o", "net", cwd=folder)


def check_as_cplusplus(folder, compiler):
    compiler = {"gcc": "g++", "clang": "clang++", "clang-14": "clang++-14"}[compiler]
    if shutil.which(compiler):
        (folder / "as.cpp").write_text('#include "net.h"\nint main() { return net_selftest() == 0 ? 0 : 1; }\n')
        run(compiler, *STRICT_CPLUSPLUS, "as.cpp", "-o", "as", cwd=folder)
        run("./as", cwd=folder)


def run_net(folder, x, expected):
    found = np.frombuffer(run("./net", cwd=folder, input=x.tobytes(), capture_output=True), expected.dtype)
    return found.reshape(expected.shape)


def input_codes(case, x):
    """The codes of the graph's first quantized tensor, by the rule of the header's comment."""
    grid = next(tensor["grid"] for tensor in case.graph["tensors"] if "grid" in tensor)
    codes = np.clip(np.rint(interop.real(x) / np.float32(grid["scale"])) + grid["zero_point"], grid["lo"], grid["hi"])
    return codes.astype(np.int8 if grid["lo"] < 0 else np.uint8)


def export(case, mode="ort"):
    """folder/net.h with golden vectors from the images, and the bytes of weights that are said and that stand in its comment."""
    np.save(case.folder / "golden.npy", case.x[:GOLDEN])
    said = case.export("--mode", mode, "--c", case.folder / "net.h", "--golden", case.folder / "golden.npy")
    weights = int(re.search(r"(\d+) bytes of weights", said)[1])
    written = int(re.search(r"bytes: (\d+) of weights", (case.folder / "net.h").read_text())[1])
    if weights != written:
        sys.exit(f"FAILED: {case.name}: {weights} bytes of weights, the header says {written}")
    return weights


def cortex_m(folder):
    process = subprocess.run([CORTEX_M, folder], capture_output=True, text=True)
    if process.returncode == 77:
        return None
    numbers = dict(line.split() for line in process.stdout.splitlines() if len(line.split()) == 2)
    if process.returncode or numbers.get("selftest") != "0" or "instructions" not in numbers:
        sys.exit(f"FAILED: {folder} on a Cortex-M3: {process.stdout}{process.stderr}")
    return {name: int(number) for name, number in numbers.items()}


Row = collections.namedtuple("Row", "name compared differing weights bytes arm")


def check_case(case, compiler, mode):
    x, (expected, _) = input_codes(case, case.x), case.infer(mode=mode, codes=False)
    weights = export(case, mode)
    build(case.folder, compiler, STRICT, x[0].nbytes, expected[0].nbytes)
    check_as_cplusplus(case.folder, compiler)
    found = run_net(case.folder, x, expected)
    differing = int(np.count_nonzero(found.view(np.uint32) != expected.view(np.uint32)))
    return Row(case.name if mode == "ort" else f"  {mode}", expected.size, differing, weights, (case.folder / "net.h").stat().st_size, cortex_m(case.folder))


def main():
    parser = interop.arguments(__doc__.splitlines()[0])
    parser.add_argument("--modes", default="ort", help="requantization modes, with commas between")
    given = parser.parse_args()
    if not COMPILERS:
        print("SKIPPED: no C compiler. The header was not compiled.")
        return 77
    modes = given.modes.split(",")
    rows = [check_case(case, COMPILERS[i % len(COMPILERS)], mode) for i, case in enumerate(interop.cases(given)) for mode in modes]
    print(f"\n{given.graphs.name:18} {'results':>10} differ | weights, header bytes | Cortex-M3: instructions, code, RAM bytes")
    for row in rows:
        arm = f"{row.arm['instructions']:12,} {row.arm['code']:8,} {row.arm['ram']:7,}" if row.arm else "NOT RUN"
        print(f"{row.name:18} {row.compared:10,} {row.differing:6} | {row.weights:9,} {row.bytes:9,} | {arm}")
    if any(row.arm is None for row in rows):
        print("NOT RUN on a Cortex-M: gcc-arm-none-eabi or qemu-system-arm is missing")
    return 1 if any(row.differing for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
