#!/usr/bin/env python3
"""Times int8 networks in LiteRT and in Otolith, one thread, in one run.

    time_networks.py --otolith INFERENCE MODEL.tflite ...

INFERENCE is the program `inference` of the crate `otolith-benches`, built in release. LiteRT with
and without XNNPACK and Otolith take turns in short rounds; each has a line for the median over the
rounds and one for the best of them, which another program on the machine disturbs least. Run it
pinned to one processor (`taskset -c 1`).
"""

import argparse
import importlib.metadata
import os
import statistics
import subprocess
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

ROUNDS, TURN_S = 301, 0.001

ENGINES = {
    "XNNPACK": OpResolverType.AUTO,
    "no delegate": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
}


def litert(path, resolver):
    """A job that makes some inferences and gives their seconds."""
    interpreter = Interpreter(
        model_path=path, num_threads=1, experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    for tensor in interpreter.get_input_details():
        n = np.prod(tensor["shape"])
        values = (np.arange(n) * 37).astype(np.int8).reshape(tensor["shape"])
        interpreter.set_tensor(tensor["index"], values)

    def run(n):
        start = time.perf_counter()
        for _ in range(n):
            interpreter.invoke()
        return time.perf_counter() - start

    return run


def otolith(process, index):
    def run(n):
        process.stdin.write(f"{index} {n}\n")
        process.stdin.flush()
        return int(process.stdout.readline()) * 1e-9

    return run


def repeats(run):
    """Inferences that fill a turn, found while warming up."""
    n = 1
    while run(n) < TURN_S:
        n *= 2
    return n


def times(runs):
    """Seconds of one inference in each round, for each job."""
    counts = [repeats(run) for run in runs]
    taken = [[] for _ in runs]
    for _ in range(ROUNDS):
        for run, n, into in zip(runs, counts, taken):
            into.append(run(n) / n)
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--otolith", required=True, help="the program `inference`")
    parser.add_argument("models", nargs="+", help="int8 .tflite models")
    arguments = parser.parse_args()
    process = subprocess.Popen(
        [arguments.otolith, *arguments.models],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    version = importlib.metadata.version("ai-edge-litert")
    print(f"LiteRT {version}, us of one inference, one thread")
    print(f"{'':31} {'XNNPACK':>12} {'no delegate':>12} {'Otolith':>12} {'of XNNPACK':>11} {'faster':>7}")
    for index, path in enumerate(arguments.models):
        runs = [litert(path, resolver) for resolver in ENGINES.values()]
        taken = times([*runs, otolith(process, index)])
        name = os.path.splitext(os.path.basename(path))[0]
        for kind, pick in (("median", statistics.median), ("best", min)):
            xnnpack, plain, ours = map(pick, taken)
            print(
                f"{name:24} {kind:6} {xnnpack * 1e6:12.1f} {plain * 1e6:12.1f} {ours * 1e6:12.1f} "
                f"{ours / xnnpack:11.2f} {plain / ours:7.2f}"
            )
    process.stdin.close()
    process.wait()


if __name__ == "__main__":
    main()
