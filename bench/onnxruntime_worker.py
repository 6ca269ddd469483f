"""Runs an ONNX file in ONNX Runtime, in a process of its own: `onnxruntime_worker.py OPTIONS-AS-JSON` prints a JSON object.

{"measure": FILE, "batch": N, "threads": N, "seconds": X} times batches of random images, which lie in memory as the session wants them
and whose results stay in one buffer (IO binding, the leanest way to call a session from Python).
{"call": true} times a session that hands its input on: what is not ONNX Runtime's kernels but the call from Python.
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


def bound_call(session, images):
    """A call of the session with these images whose results stay in one buffer."""
    source, target = session.get_inputs()[0], session.get_outputs()[0]
    results = session.run(None, {source.name: images})[0]
    binding = session.io_binding()
    binding.bind_cpu_input(source.name, images)
    binding.bind_output(target.name, "cpu", 0, np.float32, results.shape, results.ctypes.data)
    kept = images, results  # whose memory is bound
    return lambda: session.run_with_iobinding(binding) or kept


def measure(options):
    session = make_session(options["measure"], options["threads"])
    random = np.random.default_rng(1)
    images = (random.integers(0, 256, (options["batch"], *session.get_inputs()[0].shape[1:])) / np.float32(255)).astype(np.float32)
    call = bound_call(session, images)
    calls_within(min(1.0, options["seconds"] / 4), call)
    times = calls_within(options["seconds"], call)
    return {"batch_ms": statistics.median(times), "batches": len(times), "onnxruntime": onnxruntime.__version__}


def identity_model():
    """y = x in the bytes of ONNX's protobuf, each message a field number, a kind, a length and its content."""
    field = lambda number, content: bytes([number << 3 | 2, len(content)]) + content
    value = lambda name: field(1, name) + field(2, field(1, b"\x08\x01" + field(2, field(1, b"\x08\x01"))))
    node = field(1, b"x") + field(2, b"y") + field(4, b"Identity")
    graph = field(1, node) + field(2, b"identity") + field(11, value(b"x")) + field(12, value(b"y"))
    return b"\x08\x08" + field(7, graph) + field(8, b"\x10\x0d")


def measure_call():
    call = bound_call(make_session(identity_model(), 1), np.zeros(1, np.float32))
    calls_within(0.1, call)
    return {"call_ms": statistics.median(calls_within(0.5, call))}


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
    kinds = {"measure": measure, "check": check, "call": lambda _: measure_call()}
    print(json.dumps(kinds[next(iter(options))](options)))


if __name__ == "__main__":
    main()
