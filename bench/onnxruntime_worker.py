"""Runs an ONNX file in ONNX Runtime, in a process of its own: `onnxruntime_worker.py OPTIONS-AS-JSON` prints a JSON object.

{"measure": FILE, "batch": N, "threads": N, "seconds": X} times batches of random images, which lie in memory as the session wants them
and whose results stay in one buffer (IO binding, the leanest way to call a session from Python).
{"check": FILE, "folder": DIR} counts codes that differ from those of `bitgrad infer` in DIR: x.npy, codes.npz, graph/graph.json.
compare_onnxruntime.py starts this program.
"""
import json
import pathlib
import statistics
import sys
import time

import numpy as np
import onnxruntime


def make_session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def calls_within(seconds, call):
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - begin))
    return times


def measure(options):
    session = make_session(options["measure"], options["threads"])
    source, target = session.get_inputs()[0], session.get_outputs()[0]
    random = np.random.default_rng(1)
    images = (random.integers(0, 256, (options["batch"], *source.shape[1:])) / np.float32(255)).astype(np.float32)
    results = session.run(None, {source.name: images})[0]
    binding = session.io_binding()
    binding.bind_cpu_input(source.name, images)
    binding.bind_output(target.name, "cpu", 0, np.float32, results.shape, results.ctypes.data)
    call = lambda: session.run_with_iobinding(binding)
    calls_within(min(1.0, options["seconds"] / 4), call)
    times = calls_within(options["seconds"], call)
    return {"batch_ms": statistics.median(times), "batches": len(times), "onnxruntime": onnxruntime.__version__}


def nchw(array):
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array


def check(options):
    folder = pathlib.Path(options["folder"])
    graph = json.loads((folder / "graph/graph.json").read_text())
    lowest = {tensor["name"]: tensor["grid"]["lo"] for tensor in graph["tensors"] if "grid" in tensor}
    session = make_session(options["check"], 1)
    names = [output.name for output in session.get_outputs()]
    values = session.run(None, {session.get_inputs()[0].name: nchw(np.load(folder / "x.npy"))})
    compared = differing = 0
    with np.load(folder / "codes.npz") as codes:
        for name, found in zip(names[1:], values[1:]):
            tensor = name[: -len("/codes")]
            expected = nchw((codes[tensor].astype(np.int32) - lowest[tensor]).astype(np.uint8))
            compared += found.size
            differing += int(np.count_nonzero(found != expected))
    outputs = int(np.count_nonzero(values[0].view(np.int32) != nchw(np.load(folder / "y.npy")).view(np.int32)))
    return {"codes": compared, "differing": differing, "outputs_differing": outputs}


def main():
    options = json.loads(sys.argv[1])
    print(json.dumps(measure(options) if "measure" in options else check(options)))


if __name__ == "__main__":
    main()
