#!/usr/bin/env python3
"""Learning curves of one training on every instruction set of this machine, as a table in Markdown.

Sums round differently from one instruction set to another, so trainings part after some steps. The table shows that they part no further
than trainings with another seed: test accuracy after each epoch, in percent, and last the largest distance from the first column.

  python3 bench/compare_instruction_sets.py --data fashion-mnist
"""
import argparse
import csv
import pathlib
import subprocess
import sys
import tempfile

from environment import clean

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLAS_CORES = {"base": "Prescott", "avx2": "Haswell", "avx512": "SkylakeX"}  # OpenBLAS chooses its kernels apart from bitgrad


def isas():
    flags = set()
    for line in open("/proc/cpuinfo"):
        if line.startswith("flags"):
            flags = set(line.split())
            break
    return ["base"] + (["avx2"] if {"avx2", "fma"} <= flags else []) + (["avx512"] if "avx512f" in flags else [])


def curve(options, isa, seed, directory):
    """[(stage and epoch, test accuracy in percent)]"""
    out = directory / f"{isa}-{seed}"
    environment = clean(BITGRAD_ISA=isa, OPENBLAS_CORETYPE=BLAS_CORES[isa])
    command = [options.bitgrad, "train", "--data", options.data, "--model", options.model, "--epochs", str(options.epochs),
               "--qat-epochs", str(options.qat_epochs), "--weights", f"lsq:{options.bits}", "--activations", f"lsq:{options.bits}",
               "--seed", str(seed), "--out", str(out)]
    print(f"{isa}, seed {seed}", file=sys.stderr)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"compare_instruction_sets: {' '.join(command)}\n{done.stdout}")
    with open(out / "metrics.csv") as file:
        return [(f"{row['stage']} {row['epoch']}", float(row["test_accuracy"])) for row in csv.DictReader(file)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bitgrad", default=str(ROOT / "build/bin/bitgrad"), help="the program")
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--model", default="fashion_cnn")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--qat-epochs", type=int, default=2)
    parser.add_argument("--bits", type=int, default=4)
    options = parser.parse_args()
    runs = [(isa, 1) for isa in reversed(isas())] + [(isas()[-1], seed) for seed in (2, 3)]
    with tempfile.TemporaryDirectory() as name:
        curves = [curve(options, isa, seed, pathlib.Path(name)) for isa, seed in runs]
    print("| epoch | " + " | ".join(f"{isa}, seed {seed}" for isa, seed in runs) + " |")
    print("|---" * (len(runs) + 1) + "|")
    for epochs in zip(*curves):
        print(f"| {epochs[0][0]} | " + " | ".join(f"{accuracy:.2f}" for _, accuracy in epochs) + " |")
    largest = [max(abs(a - b) for (_, a), (_, b) in zip(curves[0], other)) for other in curves]
    print("| largest distance | " + " | ".join(f"{each:.2f}" for each in largest) + " |")


if __name__ == "__main__":
    main()
