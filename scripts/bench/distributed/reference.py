"""One process of torch.distributed for bench.js distributed: answers `allreduce ELEMENTS TIMES` with milliseconds."""

import statistics
import sys
import time

import torch
import torch.distributed as dist

torch.set_num_threads(1)
dist.init_process_group("gloo")


def allreduce(elements: int, times: int) -> float:
    values = torch.zeros(elements)
    taken = []
    for i in range(times + 1):
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(values)
        if i > 0:
            taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)


for line in sys.stdin:
    what, elements, times = line.split()
    if what != "allreduce":
        raise ValueError(f"Expected allreduce but received {what}")
    print(allreduce(int(elements), int(times)), flush=True)
dist.destroy_process_group()
