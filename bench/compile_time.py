#!/usr/bin/env python3
"""How long a user's file and the library take to compile, as a table in Markdown.

The file includes <bitgrad/bitgrad.hpp>, or one header less than everything, and has an empty main(); median of --rounds. The library is
configured and built from nothing in a directory of its own, without a compiler cache, tests, examples and programs.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = {
    "`#include <bitgrad/bitgrad.hpp>`": "bitgrad/bitgrad.hpp",
    "`#include <bitgrad/autograd/tape.hpp>`": "bitgrad/autograd/tape.hpp",
    "`#include <bitgrad/quantizers/trainable.hpp>`": "bitgrad/quantizers/trainable.hpp",
}


def seconds(command, **options):
    begin = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"compile_time: {' '.join(command)}\n{done.stdout}")
    return time.monotonic() - begin


def compile_file(compiler, header, rounds, directory):
    source = directory / "user.cpp"
    source.write_text(f"#include <{header}>\nint main() {{}}\n")
    command = [compiler, "-std=c++20", "-O2", f"-I{directory}", "-c", str(source), "-o", str(directory / "user.o")]
    return statistics.median(seconds(command) for _ in range(rounds))


def build_library(directory):
    build = directory / "build"
    seconds(["cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBITGRAD_BUILD_TESTS=OFF",
             "-DBITGRAD_BUILD_EXAMPLES=OFF", "-DBITGRAD_BUILD_CLI=OFF"])
    return seconds(["ninja", "-C", str(build)], env={**os.environ, "CCACHE_DISABLE": "1"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="compilations of a file (5)")
    rounds = parser.parse_args().rounds
    compilers = [name for name in ("g++", "clang++", "clang++-14") if shutil.which(name)]
    if not compilers:
        sys.exit("compile_time: neither g++ nor clang++ is installed")
    print(f"| what | {' | '.join(compilers)} |\n|---|{'---|' * len(compilers)}")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "bitgrad").symlink_to(ROOT)
        for title, header in FILES.items():
            times = [compile_file(compiler, header, rounds, directory) for compiler in compilers]
            print(f"| {title} | {' | '.join(f'{each:.1f} s' for each in times)} |")
        print(f"| the library, on {os.cpu_count()} processors | {build_library(directory):.0f} s |{' |' * (len(compilers) - 1)}")


if __name__ == "__main__":
    main()
