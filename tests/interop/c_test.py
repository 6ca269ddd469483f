#!/usr/bin/env python3
"""Compiles exported C headers, runs them on every image and compares each result with bitgrad's integer engine.

Usage: c_test.py GRAPHS_DIR BITGRAD SCRATCH_DIR [--images N] [--cases A,B] [--modes A,B] [--cortex-m]

The first case is compiled by gcc and by clang, the others by one of them. With --cortex-m the headers run their self-tests on
an emulated Cortex-M3 instead. Without a compiler or emulator the test is skipped, or fails under scripts/test --complete.
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
WANTED = {"gcc": ["gcc"], "clang": ["clang", "clang-14"]}
COMPILERS = [found for names in WANTED.values() if (found := next(filter(shutil.which, names), None))]
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
    """Whether there is a C++ compiler to look with."""
    compiler = {"gcc": "g++", "clang": "clang++", "clang-14": "clang++-14"}[compiler]
    if not shutil.which(compiler):
        return False
    (folder / "as.cpp").write_text('#include "net.h"\nint main() { return net_selftest() == 0 ? 0 : 1; }\n')
    run(compiler, *STRICT_CPLUSPLUS, "as.cpp", "-o", "as", cwd=folder)
    run("./as", cwd=folder)
    return True


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


def name_of(case, mode):
    return case.name if mode == "ort" else f"  {mode}"


Row = collections.namedtuple("Row", "name compiler compared differing weights bytes as_cplusplus")


def check_case(case, compilers, mode):
    """One row per compiler, all of the same header."""
    x, (expected, _) = input_codes(case, case.x), case.infer(mode=mode, codes=False)
    weights = export(case, mode)
    for compiler in compilers:
        build(case.folder, compiler, STRICT, x[0].nbytes, expected[0].nbytes)
        as_cplusplus = check_as_cplusplus(case.folder, compiler)
        found = run_net(case.folder, x, expected)
        differing = int(np.count_nonzero(found.view(np.uint32) != expected.view(np.uint32)))
        yield Row(name_of(case, mode), compiler, expected.size, differing, weights, (case.folder / "net.h").stat().st_size, as_cplusplus)


def check_on_cortex_m(given):
    print(f"{given.graphs.name:18} Cortex-M3: instructions, code, RAM bytes")
    for case in interop.cases(given):
        for mode in given.modes.split(","):
            export(case, mode)
            numbers = cortex_m(case.folder)
            if numbers is None:
                return interop.not_run("the self-tests on a Cortex-M: gcc-arm-none-eabi or qemu-system-arm is missing")
            print(f"{name_of(case, mode):18} {numbers['instructions']:12,} {numbers['code']:8,} {numbers['ram']:7,}", flush=True)
    return 0


def main():
    parser = interop.arguments(__doc__.splitlines()[0])
    parser.add_argument("--modes", default="ort", help="requantization modes, with commas between")
    parser.add_argument("--cortex-m", action="store_true", help="self-tests on an emulated Cortex-M3")
    given = parser.parse_args()
    if given.cortex_m:
        return check_on_cortex_m(given)
    if not COMPILERS:
        return interop.not_run("the headers: there is no C compiler")
    rows = []
    for i, case in enumerate(interop.cases(given)):
        for mode in given.modes.split(","):
            rows += check_case(case, [COMPILERS[i % len(COMPILERS)]] if rows else COMPILERS, mode)
    print(f"{given.graphs.name:18} {'compiler':10} {'results':>10} differ | weights, header bytes")
    for row in rows:
        print(f"{row.name:18} {row.compiler:10} {row.compared:10,} {row.differing:6} | {row.weights:9,} {row.bytes:9,}" + ("" if row.as_cplusplus else " NOT RUN as C++"))
    if any(row.differing for row in rows):
        return 1
    if len(COMPILERS) < len(WANTED) or not all(row.as_cplusplus for row in rows):
        return interop.not_run(f"the headers in all of {' and '.join(WANTED)}, as C and as C++: a compiler is missing", otherwise=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
