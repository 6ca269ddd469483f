"""One measurement in PyTorch, in a process of its own: `torch_worker.py OPTIONS-AS-JSON` prints a JSON object.

A step is what `bitgrad bench train` times: make the batch, forward, backward, optimizer, read the loss. compare_pytorch.py starts
this program; its environment decides about the allocator.
"""
import json
import statistics
import sys
import time


def peak_memory_mib():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def make_optimizer(torch, options, model):
    weights = [p for name, p in model.named_parameters() if p.requires_grad]
    fused = {"fused": True} if options["tuned"] else {}
    if options["optimizer"] == "adam":
        return torch.optim.Adam(weights, lr=1e-5, **fused)
    return torch.optim.SGD(weights, lr=1e-5, momentum=0.9, nesterov=True, **fused)


def make_step(torch, options):
    from torch_models import INPUT_SHAPES, MODELS
    from torch_quantizers import Quantizers

    torch.manual_seed(1)
    model = MODELS[options["model"]](Quantizers(options["quantizers"], options["bits"])).train()
    batch, shape = options["batch"], INPUT_SHAPES[options["model"]]
    images = torch.randint(0, 256, (8 * batch, *shape), dtype=torch.uint8)
    labels = torch.randint(0, 10, (8 * batch,))
    channels_last = options["tuned"] and len(shape) == 3
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = make_optimizer(torch, options, model)
    run = torch.compile(model) if options["compile"] else model
    loss_of = torch.nn.CrossEntropyLoss()
    count = 0

    def step():
        nonlocal count
        begin = count % 8 * batch
        count += 1
        x = images[begin:begin + batch].float().div_(255)
        optimizer.zero_grad()
        loss = loss_of(run(x), labels[begin:begin + batch])
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def times_within(step, seconds, fewest=5):
    times = []
    start = time.perf_counter()
    while len(times) < fewest or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - begin))
    return times


def main():
    options = json.loads(sys.argv[1])
    import torch
    torch.set_num_threads(options["threads"])
    step = make_step(torch, options)
    baseline = peak_memory_mib()
    times_within(step, min(1.0, options["seconds"] / 4))
    times = times_within(step, options["seconds"])
    median = statistics.median(times)
    print(json.dumps({
        "images_per_second": 1000 * options["batch"] / median,
        "step_ms": median,
        "steps": len(times),
        "peak_memory_mib": peak_memory_mib(),
        "baseline_memory_mib": baseline,
        "version": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }))


if __name__ == "__main__":
    main()
