"""Whether networks find hidden points and pupils: objects drawn over held-out photos, which hide
known points, and held-out people whose pupils are labeled.

    python benchmarks/hidden_points.py runs/small/model.onnx --pack .gpu/faces

Occluded are the validation photos of 300-W, each with one thing by
:class:`facedots.data.OccludeFace`; pupils are those of the subset *val* of the pack that
`tools/gpu_pack.py` writes.
"""

import argparse
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
from common import DATA, machine, markdown_table, options_with_data
from numpy.typing import NDArray
from score import auc

from facedots import (
    IBUG68,
    KeypointPredictor,
    load_annotations,
    load_split,
    read_image,
    tight_boxes,
)
from facedots.annotations import FaceAnnotation
from facedots.data import KeypointsDataset, OccludeFace, Sample
from facedots.evaluation import confidence_bins, ece, norm_distances

Doubles = NDArray[np.float64]

VISIBLE = 0.5
"""As in :mod:`facedots.types`."""


def occluded(faces: list[FaceAnnotation], seed: int) -> Iterator[tuple[FaceAnnotation, Sample]]:
    """Each face with the sample that shows it, half of them covered in part."""
    occlude = OccludeFace(IBUG68, p=0.5, generator=np.random.default_rng(seed))
    samples = KeypointsDataset(faces)
    for i, face in enumerate(faces):
        yield face, occlude(samples[i] | {"visible": np.ones(IBUG68.count, np.float32)})


def hidden_row(name: str, predictor: KeypointPredictor, faces: list[FaceAnnotation]) -> list[str]:
    """The row of a network in the table of hidden points."""
    probabilities, seen = list[Doubles](), list[Doubles]()
    for face, sample in occluded(faces, seed=0):
        found = predictor.predict(sample["image"], tight_boxes(face.points[None]))
        if found.visibility is None:
            return [name, *["–"] * 5]
        probabilities.append(found.visibility[0])
        seen.append(sample["visible"])
    probability, visible = np.concatenate(probabilities), np.concatenate(seen) == 1
    shares = (probability[~visible] < VISIBLE).mean(), (probability[visible] < VISIBLE).mean()
    error = ece(confidence_bins(probability, visible))
    return [
        name,
        f"{100 * (1 - visible.mean()):.1f}",
        f"{auc(probability[visible], probability[~visible]):.3f}",
        *(f"{100 * share:.1f}" for share in shares),
        f"{error:.1f}",
    ]


def pupil_row(name: str, predictor: KeypointPredictor, faces: list[FaceAnnotation]) -> list[str]:
    """The row of a network in the table of pupils."""
    errors, nominal = list[Doubles](), list[Doubles]()
    for face in faces:
        image = read_image(face.image, orient=False)
        found = predictor.predict(image, tight_boxes(face.points[None]))
        if found.pupils is None or found.pupils_covariance is None:
            return [name, *["–"] * 4]
        assert face.pupils is not None
        offset = found.pupils[0] - face.pupils
        inverse = np.linalg.inv(found.pupils_covariance[0].astype(np.float64))
        nominal.append(np.einsum("ki,kij,kj->k", offset, inverse, offset))
        unit = norm_distances(face.points[None], IBUG68)[0]
        errors.append(100 * np.linalg.norm(offset, axis=1) / unit)
    error, squared = np.concatenate(errors), np.concatenate(nominal)
    normalized = f"{squared.mean() / 2:.2f}"
    return [
        name,
        *(f"{value:.2f}" for value in (error.mean(), np.median(error))),
        f"{100 * (error > 5).mean():.1f}",
        normalized,
    ]


def main() -> None:
    """Measure, print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", help="names, ONNX files or runs")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--pack", type=Path, help="of tools/gpu_pack.py")
    options = options_with_data(parser)
    faces = load_split(options.data, ["300w"], "official").test
    predictors = {name: KeypointPredictor(name) for name in options.models}
    print(f"{date.today()}, {machine()}\n\n{len(faces)} faces of 300-W, half of them covered\n")
    head = ["network", "hidden %", "AUROC", "found %", "false %", "calibration error, points"]
    print(markdown_table(head, [hidden_row(n, p, faces) for n, p in predictors.items()]))
    if options.pack:
        val = load_annotations(options.pack).subsets["val"]
        labeled = [face for face in val if face.pupils is not None]
        print(f"\nPupils of {len(labeled)} faces of held-out people\n")
        head = ["network", "NME %", "median %", "above 5 %", "squared error / covariance"]
        print(markdown_table(head, [pupil_row(n, p, labeled) for n, p in predictors.items()]))


if __name__ == "__main__":
    main()
