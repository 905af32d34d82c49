"""Where the time of our networks goes on one thread: the crop, the network, the rest; one face a
call and sixteen.

    python benchmarks/latency.py [--data ../shared/data] [--out out/latency.json]

Times are processor time, so that what else the machine does counts for little: the median over the
faces, then over the rounds. ``peers.py`` compares the whole call with other networks.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from common import Faces, machine, options_with_data, parser_with_data

from facedots import IBUG68, WEIGHTS, KeypointPredictor, crop_matrix
from facedots.data import load_source
from facedots.evaluation import measure_accuracy
from facedots.inference import Session
from facedots.io import atomic_write

BATCH = 16


@dataclass(frozen=True)
class Result:
    """One row of the table: milliseconds a face, and the NME in percent on these faces.

    Attributes:
        name: Of the network.
        whole: From the image and the box to points in the image.
        crop: Cutting out and scaling the crop, part of ``whole``.
        network: The network alone, part of ``whole``.
        network_batch: The network alone, a face of a batch of 16.
        nme: On all these faces, with the tight boxes of the labels.
    """

    name: str
    whole: float
    crop: float
    network: float
    network_batch: float
    nme: float


def median_ms(work: Callable[[int], object], count: int, rounds: int) -> float:
    """The median over rounds of the median milliseconds of processor time of ``work(i)`` for i
    below ``count``.
    """
    times = np.zeros((rounds + 1, count))
    for row in times:
        for i in range(count):
            start = time.process_time()
            work(i)
            row[i] = (time.process_time() - start) * 1000
    return float(np.median(np.median(times[1:], axis=1)))  # the first round warms up


def measure(name: str, faces: Faces, rounds: int) -> Result:
    """One of our networks."""
    predictor, session = KeypointPredictor(name, refine=0), Session(name)
    crop_spec, size = predictor.spec.crop, predictor.spec.input_size
    squares = [
        crop_spec.crop_squares(box[None], image.shape[:2])[0]
        for image, box in zip(faces.images, faces.boxes, strict=True)
    ]
    maps = [crop_matrix(square, size) for square in squares]
    crops = np.concatenate(
        [
            predictor.cut_crops(image, [matrix])
            for image, matrix in zip(faces.images, maps, strict=True)
        ]
    )
    predicted = [
        predictor.predict(image, box[None]).points[0]
        for image, box in zip(faces.images, faces.boxes, strict=True)
    ]
    count = len(crops)
    return Result(
        name,
        median_ms(
            lambda i: predictor.predict(faces.images[i], faces.boxes[i, None]), count, rounds
        ),
        median_ms(lambda i: predictor.cut_crops(faces.images[i], [maps[i]]), count, rounds),
        median_ms(lambda i: session.run(crops[i, None]), count, rounds),
        median_ms(lambda i: session.run(crops[BATCH * i :][:BATCH]), count // BATCH, rounds)
        / BATCH,
        measure_accuracy(np.stack(predicted), faces.points, IBUG68).nme,
    )


def markdown(results: list[Result]) -> str:
    """The table."""
    rows = [
        "| model | whole, ms a face | crop | network | network, batch of 16 | NME % |",
        "|---|---|---|---|---|---|",
    ]
    for result in results:
        times = [result.whole, result.crop, result.network, result.network_batch]
        cells = [f"{value:.2f}" for value in times]
        rows.append(f"| {result.name} | {' | '.join(cells)} | {result.nme:.2f} |")
    return "\n".join(rows)


def main() -> None:
    """Measure, print Markdown, write JSON."""
    parser = parser_with_data(__doc__)
    parser.add_argument("--out", type=Path, help="write the numbers as JSON too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--faces", type=int, default=770, help="measure on this many test frames")
    options = options_with_data(parser)
    cv2.setNumThreads(1)
    test = load_source(options.data, "youtube-faces").subsets["test"]
    faces = Faces.of(test[:: max(1, len(test) // options.faces)])
    results = [measure(name, faces, options.rounds) for name in WEIGHTS]
    print(
        f"{len(faces.images)} test frames of YouTube Faces, tight boxes, one thread, {machine()}, "
        f"{date.today()}, processor time, median of {options.rounds} rounds\n\n{markdown(results)}"
    )
    if options.out:
        document = {
            "date": str(date.today()),
            "machine": machine(),
            "faces": len(faces.images),
            "rounds": options.rounds,
        }
        atomic_write(
            options.out,
            json.dumps(document | {"results": [asdict(result) for result in results]}, indent=2),
        )


if __name__ == "__main__":
    main()
