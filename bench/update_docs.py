#!/usr/bin/env python3
"""Fills docs/performance.md: runs the command of every measured block and puts its output in.

A block is
    <!-- measured: COMMAND -->
    output
    <!-- end -->
Commands run in the root of the tree, with build/bin in front of PATH and this Python as python3, without the variables that slow
OpenBLAS down. Tables in Markdown go in as they are, other output as code under the command. A command that fails leaves its block alone.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

from environment import clean

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/performance.md"
BLOCK = re.compile(r"(<!-- measured: (?P<command>.*?) -->\n)(?P<output>.*?)(<!-- end -->)", re.DOTALL)


def environment():
    path = os.pathsep.join([str(ROOT / "build/bin"), str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    return clean(PATH=path)


def measure(command):
    """The block's new text, or None."""
    print(f"{command}", file=sys.stderr)
    done = subprocess.run(["bash", "-c", "set -e; " + command], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print(f"  failed with exit code {done.returncode}: its block stays as it was", file=sys.stderr)
        return None
    output = done.stdout.strip("\n")
    if "|--" in output:
        return f"    {command}\n\n{output}\n"
    return f"```\n$ {command}\n{output}\n```\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the commands and stop")
    parser.add_argument("--only", metavar="WORD", help="only commands that contain this")
    arguments = parser.parse_args()
    page = PAGE.read_text()
    commands = [block["command"] for block in BLOCK.finditer(page) if not arguments.only or arguments.only in block["command"]]
    if not commands:
        sys.exit(f"update_docs: no command contains {arguments.only!r}")
    if arguments.list:
        print("\n".join(commands))
        return
    failed = False
    for command in commands:
        output = measure(command)
        failed = failed or output is None
        if output is None:
            continue
        page = BLOCK.sub(lambda block: block[1] + output + block[4] if block["command"] == command else block[0], page)
        beside = PAGE.with_suffix(".md.new")
        beside.write_text(page)
        beside.replace(PAGE)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
