"""What gate and compressor cost beside the models: `python -m benchmarks.vision`.

Prints median milliseconds per sample of both models, of every gate stage, of the attention and of the whole
compressor with its codec, the shares of the onboard model's time they take, and images per second in batches.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from models.attention import attention_mean
from models.cascade import run_onboard
from models.codec import restore
from models.compressors import Request, SpaceVerseCompressor
from models.gate import GateConfig
from models.gate_training import fit_calibrated, gate_inputs
from models.pair.model import PairModel
from models.procedural import procedural_samples


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Median wall time of one call."""
    work()
    spans = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        spans.append(time.perf_counter() - begin)
    return statistics.median(spans) * 1e3


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    small, large = PairModel.load("small"), PairModel.load("large")
    samples = procedural_samples(range(9_000_000, 9_000_064))
    traces = [trace for trace in small.traces(samples)[0] if trace is not None]
    config = GateConfig()
    inputs = gate_inputs(traces, config)
    target = torch.linspace(0, 1, len(traces))
    gate, _ = fit_calibrated(inputs, target, config, seed=0, epochs=2)
    sample = samples[0]
    encoding = small.encode(sample.image, sample.prompt)
    steps = list(small.decode(encoding))
    compressor = SpaceVerseCompressor()

    def request() -> Request:
        """Of an encoding that remembers nothing, as the satellite has it."""
        return Request(sample.image, replace(encoding))

    data = compressor.compress(request())
    never = torch.zeros(config.stages).numpy()
    batch = samples[:192]
    rows = {
        "small model, whole answer": lambda: small.trace(sample),
        "large model, whole answer": lambda: large.trace(sample),
        "small model, encoding only": lambda: small.encode(sample.image, sample.prompt),
        f"gate, stage 1 ({config.members} members)": lambda: gate.estimate(encoding, [], 0),
        f"gate, stage 2 ({config.members} members)": lambda: gate.estimate(encoding, steps, 1),
        "small model under the gate": lambda: run_onboard(small, gate, never, sample),
        "attention, eq. (2)": lambda: attention_mean(replace(encoding), (12, 12)),
        "compressor with codec": lambda: compressor.compress(request()),
        "restoring on the ground": lambda: restore(data),
    }
    print(f"{platform.machine()}, {options.threads} thread(s), torch {torch.__version__}")
    times = {name: median_ms(work, options.repeats) for name, work in rows.items()}
    whole = times["small model, whole answer"]
    for name, value in times.items():
        print(f"{name:30s} {value:8.3f} ms   {value / whole:6.2f} of the onboard answer")
    images = len({id(one.image) for one in batch})
    for name, model in (("small", small), ("large", large)):
        spent = median_ms(lambda model=model: model.replies(batch), max(3, options.repeats // 10))
        print(
            f"{name} model in batches       {images / spent * 1e3:8.0f} images/s, "
            f"{len(batch) / spent * 1e3:.0f} prompts/s"
        )


if __name__ == "__main__":
    main()
