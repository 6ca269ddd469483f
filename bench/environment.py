"""The environment that programs are measured in."""
import os


def misleading():
    """Names of the variables that are set here and slow OpenBLAS, bitgrad or the allocator down, or speed one side up."""
    return [name for name in os.environ
            if name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "BITGRAD_ISA") or name.startswith("MALLOC_")]


def clean(**more):
    """A copy of this process's environment without them, and with `more`."""
    removed = misleading()
    return {name: value for name, value in os.environ.items() if name not in removed} | more
