"""Training crops per second on one core, from decoded frames.

python benchmarks/augment.py
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from facedots import IBUG68, CropSpec, FacialKeypointsDataset
from facedots.data import Sample, Transform, reseed, training_augmentation

FRAMING = CropSpec("box", 1.3)
DATA = Path(os.environ.get("FACEDOTS_DATA") or Path(__file__).parents[2] / "shared" / "data")


def real_frames(count: int) -> list[Sample]:
    """Decoded frames, evenly from the training set; none where the data is not there."""
    folder = DATA / "youtube-faces"
    if not folder.is_dir():
        return []
    dataset = FacialKeypointsDataset(folder / "training_frames_keypoints.csv", folder / "training")
    return [dataset[i] for i in np.linspace(0, len(dataset) - 1, count).astype(int)]


def drawn_frames(count: int) -> list[Sample]:
    """Frames of noise, 200 to 500 pixels a side, with points all over their middle."""
    random = np.random.default_rng(0)
    frames: list[Sample] = []
    for i in range(count):
        height, width = random.integers(200, 501, 2).tolist()
        image = random.integers(0, 256, (height, width, 3), np.uint8)
        points = random.uniform(0.25, 0.75, (IBUG68.count, 2)) * (width, height)
        frames.append(
            {
                "image": image,
                "keypoints": points.astype(np.float32),
                "name": str(i),
                "label_bias_x": 0.0,
            }
        )
    return frames


def per_second(
    work: Callable[[Sample], object], samples: Sequence[Sample], runs: int
) -> list[float]:
    """Samples a second of processor time, one figure a run; what else the machine does counts for
    little.
    """
    rates = []
    for _ in range(runs):
        start = time.process_time()
        for sample in samples:
            work(sample)
        rates.append(len(samples) / (time.process_time() - start))
    return rates


def microseconds(transform: Transform, samples: Sequence[Sample], runs: int) -> float:
    """Median time of one call."""
    return 1e6 / statistics.median(per_second(transform, samples, runs))


def main() -> None:
    """Print the rate of the whole chain and the time of each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=128, help="side of the crop in pixels")
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    cv2.setNumThreads(1)

    generator = np.random.default_rng(0)
    chain = training_augmentation(FRAMING, options.size, IBUG68, generator)
    for kind, frames in {
        "real": real_frames(options.frames),
        "drawn": drawn_frames(options.frames),
    }.items():
        if not frames:
            print(f"{kind} frames: no data at {DATA}")
            continue
        height, width = np.median([frame["image"].shape[:2] for frame in frames], axis=0)
        rates = per_second(chain, frames, options.runs + 1)[1:]  # the first run warms up
        print(
            f"{kind} frames ({len(frames)}, median {height:.0f} x {width:.0f}) to {options.size} "
            "px, one core: "
            f"{statistics.median(rates):.0f} samples/s (median of {len(rates)}; {min(rates):.0f} "
            f"to {max(rates):.0f})"
        )
        names = [type(step).__name__ for step in chain.transforms]
        affine = chain.transforms[names.index("RandomAffine")]
        crops = [affine(frame) for frame in frames]
        print(f"  {'step':<14} {'p':>5} {'µs when done':>13} {'µs a sample':>12}")
        for name, step in zip(names, chain.transforms, strict=True):
            inputs = frames if names.index(name) <= names.index("RandomAffine") else crops
            p = getattr(step, "p", 1.0)
            always = step if step is affine else replace(step, p=1.0)  # type: ignore[type-var]
            times = [microseconds(which, inputs, options.runs) for which in (always, step)]
            print(f"  {name:<14} {p:>5.2f} {times[0]:>13.0f} {times[1]:>12.0f}")
    index = iter(range(10**9))
    seeding = per_second(lambda _: reseed(generator, 0, 0, next(index)), [{}] * 5000, options.runs)
    print(f"reseed: {1e6 / statistics.median(seeding):.0f} µs")


if __name__ == "__main__":
    main()
