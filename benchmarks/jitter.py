"""Flicker and lag in video with ground truth: still test frames set in motion, with changing
light and noise.

    python benchmarks/jitter.py [--data ../shared/data] [--part test] [--model small] [--out
    out/jitter.json]

Each still moves, turns and grows along a smooth path of similarities, on average by 1 % of
the eye distance a frame; its brightness swings and every frame has noise of its own. The tracker
follows it from the whole frame, detector included.

* flicker: mean ‖Δp - Δg‖ over the eye distance, Δ from frame to frame, p predicted and g true
    points, in percent;
* NME: mean ‖p - g‖ over the eye distance, in percent, as the labels have it;
* lag: frames by which the center of the points is behind, the least-squares fit of its error to the
    true velocity.

dlib runs in an environment of its own under ``.cache/peers`` and gets the true box of every frame;
``--no-dlib`` leaves it out.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from common import Faces, machine, options_with_data, parser_with_data
from peer_runs import PEERS, points_of

from facedots import (
    KeypointPredictor,
    RetinaFace,
    Tracker,
    apply_affine,
    read_image,
    similarity,
    tight_boxes,
)
from facedots.annotations import FaceAnnotation
from facedots.data import load_source
from facedots.geometry import Floats, Image, Matrix
from facedots.io import atomic_write
from facedots.tracking import FaceSmoother

RATE = 30
SPEED = 0.01
TURN, GROWTH = 10.0, 0.08
LIGHT, NOISE = 0.25, 4.0


@dataclass(frozen=True)
class Clip:
    """A still in motion: ``maps`` (T, 2, 3) from the still to each frame, ``gains`` (T,) of its
    brightness.
    """

    still: Image
    points: Floats
    maps: Matrix
    gains: Matrix
    seed: int

    def frames(self) -> Iterator[Image]:
        """The frames, the same ones at every call."""
        generator = np.random.default_rng(self.seed)
        size = (self.still.shape[1], self.still.shape[0])
        for matrix, gain in zip(self.maps, self.gains, strict=True):
            moved = cv2.warpAffine(
                self.still, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
            )
            noisy = moved * np.float32(gain) + NOISE * generator.standard_normal(
                moved.shape, np.float32
            )
            yield np.clip(noisy, 0, 255).astype(np.uint8)

    def truth(self) -> Floats:
        """The points of every frame ``(T, K, 2)``."""
        return np.stack([apply_affine(matrix, self.points) for matrix in self.maps])


def make_clip(face: FaceAnnotation, count: int, seed: int) -> Clip:
    """A still frame and its path, decided by the seed."""
    generator = np.random.default_rng(seed)
    eyes = float(np.linalg.norm(face.points[36] - face.points[45]))
    middle = tight_boxes(face.points[None])[0].reshape(2, 2).mean(axis=0)
    x, y = wave(generator, count), wave(generator, count)
    pace = SPEED * eyes / np.hypot(np.diff(x), np.diff(y)).mean()
    turns, sizes = TURN * wave(generator, count), np.exp(GROWTH * wave(generator, count))
    path = zip(turns, sizes, pace * x, pace * y, strict=True)
    maps = np.stack(
        [similarity(turn, size, (dx, dy), (middle[0], middle[1])) for turn, size, dx, dy in path]
    )
    return Clip(
        read_image(face.image, orient=False),
        face.points,
        maps,
        1 + LIGHT * wave(generator, count),
        seed,
    )


def wave(generator: np.random.Generator, count: int) -> Matrix:
    """A smooth curve ``(count,)`` in [-1, 1]: three sines with periods of two to seven seconds."""
    frequencies = generator.uniform(1 / 7, 1 / 2, 3) / RATE
    phases, shares = generator.uniform(0, 2 * np.pi, 3), generator.dirichlet(np.ones(3))
    return np.asarray(
        shares @ np.sin(2 * np.pi * frequencies[:, None] * np.arange(count) + phases[:, None])
    )


@dataclass(frozen=True)
class Scores:
    """Flicker and NME in percent of the eye distance, lag in frames."""

    flicker: float
    nme: float
    lag: float

    @classmethod
    def of(cls, predicted: Floats, truth: Floats) -> "Scores":
        """Of one clip, (T, K, 2) each; frames without a face (NaN) do not count."""
        eyes = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=1)[:, None]
        error = predicted - truth
        flicker = np.nanmean(np.linalg.norm(np.diff(error, axis=0), axis=2) / eyes[1:])
        nme = np.nanmean(np.linalg.norm(error, axis=2) / eyes)
        velocity, behind = np.diff(truth.mean(axis=1), axis=0), -error.mean(axis=1)
        behind = (behind - np.nanmean(behind, axis=0))[1:]
        finite = np.isfinite(behind).all(axis=1)
        lag = (behind[finite] * velocity[finite]).sum() / (velocity[finite] ** 2).sum()
        return cls(float(100 * flicker), float(100 * nme), float(lag))


@dataclass(frozen=True)
class Result:
    """One row of the table: the mean over the clips, and the largest lag of a clip."""

    name: str
    flicker: float
    nme: float
    lag: float
    largest_lag: float
    missed: int


def summary(name: str, predicted: list[Floats], clips: list[Clip]) -> Result:
    """The row of one method; ``found`` has (T, K, 2) for each clip."""
    scores = [
        Scores.of(points, clip.truth()) for points, clip in zip(predicted, clips, strict=True)
    ]
    lags = [score.lag for score in scores]
    missed = sum(int(np.isnan(points).any(axis=(1, 2)).sum()) for points in predicted)
    flicker, nme = (
        float(np.mean([getattr(score, what) for score in scores])) for what in ("flicker", "nme")
    )
    return Result(name, flicker, nme, float(np.mean(lags)), float(np.max(np.abs(lags))), missed)


def follow(clip: Clip, predictor: KeypointPredictor, detector: RetinaFace) -> tuple[Floats, Floats]:
    """Points (T, K, 2) and sigma (T, K) of the labeled face, not smoothed; NaN where it was not
    predicted.
    """
    tracker = Tracker(detector, predictor, smooth=False)
    truth = clip.truth()
    points, sigma = (
        np.full(truth.shape, np.nan, np.float32),
        np.full(truth.shape[:2], np.nan, np.float32),
    )
    for i, image in enumerate(clip.frames()):
        for face in tracker(image, i / RATE):
            if np.linalg.norm(face.points - truth[i], axis=1).mean() < np.linalg.norm(
                truth[i, 36] - truth[i, 45]
            ):
                points[i], sigma[i] = face.points, face.sigma
    return points, sigma


def smoothed(points: Floats, sigma: Floats) -> Floats:
    """What the tracker makes of such points when it smooths."""
    smoother = FaceSmoother()
    frames = enumerate(zip(points, sigma, strict=True))
    return np.stack([smoother(points, sigma, i / RATE) for i, (points, sigma) in frames])


def dlib_points(clip: Clip) -> Floats:
    """Points ``(T, K, 2)`` of dlib in the true boxes of every frame."""
    frames, truth = list(clip.frames()), clip.truth()
    return points_of(PEERS["dlib"], Faces([""] * len(frames), frames, truth, tight_boxes(truth)))


def measure(clips: list[Clip], model: str, dlib: bool) -> list[Result]:
    """All rows."""
    predictor, detector = KeypointPredictor(model, refine=0), RetinaFace()
    raw: list[Floats] = []
    quiet: list[Floats] = []
    peer: list[Floats] = []
    for i, clip in enumerate(clips):
        points, sigma = follow(clip, predictor, detector)
        raw.append(points)
        quiet.append(smoothed(points, sigma))
        if dlib:
            peer.append(dlib_points(clip))
        print(
            f"clip {i + 1} of {len(clips)}: {Scores.of(raw[-1], clip.truth())}",
            file=sys.stderr,
            flush=True,
        )
    name = predictor.spec.name
    results = [
        summary(f"facedots {name}, unsmoothed", raw, clips),
        summary(f"facedots {name}, smoothed", quiet, clips),
    ]
    if dlib:
        unknown = np.full(peer[0].shape[:2], np.nan, np.float32)
        results.append(summary("dlib 68, true boxes", peer, clips))
        results.append(
            summary(
                "dlib 68, true boxes, our smoothing",
                [smoothed(points, unknown) for points in peer],
                clips,
            )
        )
    return results


def markdown(results: list[Result]) -> str:
    """The table."""
    rows = [
        "| | flicker % | NME % | lag, frames | largest lag | frames missed |",
        "|---|---|---|---|---|---|",
    ]
    for row in results:
        cells = [
            row.name,
            f"{row.flicker:.3f}",
            f"{row.nme:.3f}",
            f"{row.lag:+.2f}",
            f"{row.largest_lag:.2f}",
            str(row.missed),
        ]
        rows += [f"| {' | '.join(cells)} |"]
    left = results[1].flicker / results[0].flicker
    return "\n".join([*rows, "", f"Smoothing leaves {100 * left:.0f} % of the flicker."])


def main() -> None:
    """Measure, print Markdown, write JSON."""
    parser = parser_with_data(__doc__)
    parser.add_argument("--part", choices=("training", "test"), default="test")
    parser.add_argument("--model", default="small")
    parser.add_argument("--faces", type=int, default=20)
    parser.add_argument("--frames", type=int, default=360)
    parser.add_argument("--no-dlib", action="store_true")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON too")
    options = options_with_data(parser)
    cv2.setNumThreads(1)
    training, test = load_source(options.data, "youtube-faces").subsets.values()
    faces = training if options.part == "training" else test
    chosen = np.random.default_rng(0).choice(len(faces), options.faces, replace=False)
    clips = [make_clip(faces[index], options.frames, seed) for seed, index in enumerate(chosen)]
    results = measure(clips, options.model, not options.no_dlib)
    what = (
        f"{options.faces} {options.part} stills of YouTube Faces in motion, "
        f"{options.frames} frames each"
    )
    print(f"{what}, {machine()}, {date.today()}\n\n{markdown(results)}")
    if options.out:
        document = {
            "date": str(date.today()),
            "machine": machine(),
            "faces": options.faces,
            "frames": options.frames,
        }
        atomic_write(
            options.out,
            json.dumps(document | {"results": [asdict(result) for result in results]}, indent=2),
        )


if __name__ == "__main__":
    main()
