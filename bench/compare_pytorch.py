#!/usr/bin/env python3
"""Trains bitgrad's reference models with bitgrad and with PyTorch, in turn, and prints one table in Markdown.

Each measurement is a process of its own: A B C, A B C, ...; a row has medians over the rounds, and ratios are medians of ratios
within a round, so that a machine that slows down slows all of them. The same models, batches, optimizer (SGD with Nesterov momentum,
or Adam), places of quantizers (bench/torch_models.py) and threads. PyTorch runs
  as installed   NCHW, the allocator as it comes
  tuned          channels_last, the optimizer's fused kernel, MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_ and MALLOC_TOP_PAD_ raised,
                 so that buffers are not given back to the kernel in every step
with LSQ written by hand from elementwise operations ("written"), as an autograd.Function ("function"), with
torch._fake_quantize_learnable_* ("learnable"), with torch.ao.quantization.FakeQuantize ("builtin", whose scales are not learned), and
compiled by torch.compile.

  python3 bench/compare_pytorch.py --quick                   under 5 minutes
  python3 bench/compare_pytorch.py --python ~/torch/bin/python3 --rounds 7

It installs nothing. A PyTorch to compare with, in a place of its own:
  python3 -m venv ~/torch && ~/torch/bin/pip install torch numpy --index-url https://download.pytorch.org/whl/cpu
or Debian's: apt-get install python3-torch (an older one).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from environment import clean, misleading

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORKER = pathlib.Path(__file__).resolve().parent / "torch_worker.py"
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(4 << 30), "MALLOC_MMAP_THRESHOLD_": str(4 << 30), "MALLOC_TOP_PAD_": str(256 << 20)}


class Bitgrad:
    def __init__(self, mode, isa=None):
        self.mode, self.isa = mode, isa
        self.name = "bitgrad" + (f", {isa.upper()} forced" if isa else "")
        self.setup = ""

    def run(self, settings, model, batch):
        environment = dict(settings.environment)
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            command = [settings.bitgrad, "bench", "train", "--model", model, "--batch", str(batch), "--mode", self.mode,
                       "--optimizer", settings.optimizer, "--threads", str(settings.threads),
                       "--seconds", str(settings.seconds), "--json", file.name]
            if self.mode != "float":
                command += ["--bits", str(settings.bits)]
            if self.isa:
                command += ["--isa", self.isa]
                environment["OPENBLAS_CORETYPE"] = "Haswell"  # OpenBLAS chooses its kernels apart from bitgrad
            execute(command, environment)
            return json.load(open(file.name))


class Torch:
    def __init__(self, mode, quantizers, tuned, compiled=False):
        self.mode = mode
        self.options = {"quantizers": quantizers, "tuned": tuned, "compile": compiled}
        self.name = "PyTorch" + (f", {quantizers}" if quantizers != "none" else "")
        self.setup = ("compiled, " if compiled else "") + ("tuned" if tuned else "as installed")

    def run(self, settings, model, batch):
        environment = dict(settings.environment, OMP_NUM_THREADS=str(settings.threads), PYTHONDONTWRITEBYTECODE="1")
        if self.options["tuned"]:
            environment.update(KEEP_MEMORY)
        options = dict(self.options, model=model, batch=batch, bits=settings.bits, optimizer=settings.optimizer,
                       threads=settings.threads, seconds=settings.seconds)
        return json.loads(execute([settings.python, str(WORKER), json.dumps(options)], environment).splitlines()[-1])


class Failed(Exception):
    pass


def execute(command, environment):
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failed((done.stderr.strip().splitlines() or ["exit code %d" % done.returncode])[-1])
    return done.stdout


def contestants(full):
    """The rows of one model and batch, by what each is compared with: the first of its list."""
    floats = [Bitgrad("float"), Torch("float", "none", False), Torch("float", "none", True)]
    learned = [Bitgrad("lsq"), Torch("lsq", "written", False), Torch("lsq", "written", True), Torch("lsq", "learnable", True)]
    if not full:
        return [floats, learned + [Bitgrad("lsq", "avx2")]]
    floats.append(Torch("float", "none", True, compiled=True))
    learned += [Torch("lsq", "function", True), Torch("lsq", "learnable", False), Torch("lsq", "written", True, compiled=True),
                Bitgrad("lsq", "avx2")]
    follow = [Bitgrad("ste"), Torch("ste", "builtin", False), Torch("ste", "builtin", True)]
    return [floats, learned, follow]


def plan(full):
    if not full:
        return [Job("resnet8", 32, contestants(False)), Job("lenet5", 64, [contestants(False)[1][:3]])]
    return [Job(model, batch, contestants(True))
            for model, batch in (("resnet8", 32), ("resnet8", 128), ("fashion_cnn", 64), ("lenet5", 64), ("mlp", 64))]


# Measured when asked for.
MORE = (("resnet20", 32), ("ds_cnn", 64), ("mobilenet_v1", 32))


class Series:
    """The rounds of one contestant."""

    def __init__(self, contestant, reference):
        self.contestant, self.reference = contestant, reference
        self.results, self.failure = [], None

    def measure(self, settings, model, batch):
        if self.failure is None:
            try:
                self.results.append(self.contestant.run(settings, model, batch))
            except Failed as error:
                self.failure = str(error)

    def median(self, key):
        return statistics.median(result[key] for result in self.results)

    def ratio(self, key):
        pairs = zip(self.results, self.reference.results)
        return statistics.median(mine[key] / reference[key] for mine, reference in pairs)

    def row(self, model, batch):
        head = [model, str(batch), self.contestant.mode, self.contestant.name, self.contestant.setup]
        if self.failure is not None:
            return head + [self.failure[:60], "", "", "", ""]
        ratios = ["", ""] if self.reference is self else [f"{self.ratio('step_ms'):.2f}", f"{self.ratio('peak_memory_mib'):.1f}"]
        return head + [f"{self.median('images_per_second'):.0f}", f"{self.median('step_ms'):.2f}", ratios[0],
                       f"{self.median('peak_memory_mib'):.0f}", ratios[1]]


def markdown(rows):
    head = ["model", "batch", "mode", "program", "set up", "images/s", "step, ms", "x bitgrad", "memory, MiB", "x bitgrad"]
    table = [head] + rows
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    line = lambda cells: "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"
    return "\n".join([line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|"] + [line(row) for row in rows])


def torch_version(python, environment):
    try:
        return execute([python, "-c", "import torch; print(torch.__version__)"], environment).strip()
    except (Failed, OSError) as error:
        sys.exit(f"compare_pytorch: {python} has no PyTorch ({error}).\n"
                 "Name a Python that has one by --python, or install it:\n"
                 "  python3 -m venv ~/torch && ~/torch/bin/pip install torch numpy --index-url https://download.pytorch.org/whl/cpu\n"
                 "or: apt-get install python3-torch")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two models, fewer contestants, 3 rounds of 2 seconds")
    parser.add_argument("--rounds", type=int, help="how often each measurement is made (quick 3, full 5)")
    parser.add_argument("--seconds", type=float, help="of each measurement, after its warm-up (quick 2, full 4)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of both sides (all processors)")
    parser.add_argument("--optimizer", choices=("sgd", "adam"), default="sgd")
    parser.add_argument("--bits", type=int, default=8)
    parser.add_argument("--models", help="only these, with commas between them; resnet20, ds_cnn and mobilenet_v1 besides those of the table")
    parser.add_argument("--python", default=sys.executable, help="the Python that has PyTorch (this one)")
    parser.add_argument("--bitgrad", default=str(ROOT / "build/bin/bitgrad"), help="the program (%(default)s)")
    parser.add_argument("--json", help="write every single result to this file")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (3 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (2.0 if arguments.quick else 4.0)
    return arguments


class Job:
    """A model and a batch: groups of contestants, each group compared with its first."""

    def __init__(self, model, batch, groups):
        self.model, self.batch, self.series = model, batch, []
        for group in groups:
            reference = None
            for contestant in group:
                self.series.append(Series(contestant, reference))
                reference = reference or self.series[-1]
                self.series[-1].reference = reference

    def run(self, settings, progress):
        for number in range(settings.rounds):
            for each in self.series:
                contestant = each.contestant
                progress(f"{self.model} {self.batch}, round {number + 1} of {settings.rounds}: "
                         f"{contestant.mode} {contestant.name} {contestant.setup}")
                each.measure(settings, self.model, self.batch)

    def rows(self):
        return [each.row(self.model, self.batch) for each in self.series]

    def everything(self):
        return [{"model": self.model, "batch": self.batch, "mode": each.contestant.mode, "program": each.contestant.name,
                 "setup": each.contestant.setup, "failure": each.failure, "results": each.results} for each in self.series]


def choose_jobs(settings):
    jobs = plan(not settings.quick)
    if not settings.models:
        return jobs
    jobs += [Job(model, batch, contestants(not settings.quick)) for model, batch in MORE]
    wanted, known = settings.models.split(","), sorted({job.model for job in jobs})
    unknown = [name for name in wanted if name not in known]
    if unknown:
        sys.exit(f"compare_pytorch: unknown model {unknown[0]!r}, known: {', '.join(known)}")
    return [job for job in jobs if job.model in wanted]


def describe(jobs, settings, version, removed, load, seconds):
    """What the table was measured with."""
    ours = next(result for job in jobs for each in job.series for result in each.results if "machine" in result)
    machine = ours["machine"]
    text = (f"bitgrad {ours['version']} (kernels {machine['isa']}, OpenBLAS {machine['blas_core']}), PyTorch {version}; "
            f"{machine['processor']}, {settings.threads} threads;\n"
            f"{settings.optimizer}, {settings.bits} bits; medians of {settings.rounds} rounds of {settings.seconds:g} s each; "
            f"load before {load:.2f}; {seconds:.0f} s in all.\n"
            "`x bitgrad`: step time or memory divided by that of the first row of the group in the same round, the median of these over "
            "the rounds.\nThe other columns are medians over the rounds too, each by itself: they need not divide to it.")
    return text + (f" Removed from the environment: {', '.join(removed)}." if removed else "")


def main():
    settings = parse_arguments()
    if not os.access(settings.bitgrad, os.X_OK):
        sys.exit(f"compare_pytorch: there is no program {settings.bitgrad}: build it by scripts/build, or name it by --bitgrad")
    settings.environment, removed = clean(), misleading()
    version = torch_version(settings.python, settings.environment)
    jobs = choose_jobs(settings)

    start, load = time.time(), os.getloadavg()[0]
    progress = lambda text: print(f"\r{time.time() - start:5.0f} s  {text}".ljust(110), end="", file=sys.stderr)
    for job in jobs:
        job.run(settings, progress)
    print("\r" + " " * 110 + "\r", end="", file=sys.stderr)
    failed = [each for job in jobs for each in job.series if each.failure and isinstance(each.contestant, Bitgrad)]
    if failed:
        sys.exit(f"compare_pytorch: bitgrad failed: {failed[0].failure}")

    print(markdown([row for job in jobs for row in job.rows()]) + "\n")
    print(describe(jobs, settings, version, removed, load, time.time() - start))
    if load > 0.5:
        print(f"The machine was not quiet (load {load:.2f}): these figures are worth little.", file=sys.stderr)
    if settings.json:
        pathlib.Path(settings.json).write_text(json.dumps([each for job in jobs for each in job.everything()], indent=1) + "\n")


if __name__ == "__main__":
    main()
