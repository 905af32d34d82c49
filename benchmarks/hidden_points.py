"""Whether networks find hidden points and pupils: objects drawn over held-out photos, which hide
known points, people in medical masks, and held-out people whose pupils are labeled.

    python tools/gpu_pack.py faces ../shared/data
    python benchmarks/hidden_points.py small --pack /tmp/facedots-gpu/faces

Occluded are the validation photos of 300-W, each second one with one thing by
:class:`facedots.data.OccludeFace`; pupils are those of the subset *val* of the pack that
`tools/gpu_pack.py` writes. The measures are those of `facedots evaluate`. People with and without
masks are in the photos of ``scenes/crowds`` and ``scenes/masks`` that this pack leaves out.
"""

import csv
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
from common import machine, markdown_table, options_with_data, parser_with_data

from facedots import (
    IBUG68,
    KeypointPredictor,
    RetinaFace,
    load_annotations,
    load_split,
    read_image,
    write_image,
)
from facedots.annotations import FaceAnnotation
from facedots.data import KeypointsDataset, OccludeFace
from facedots.evaluation import (
    PUPILS,
    VISIBILITY,
    Evaluation,
    Measure,
    evaluate,
    pupil_values,
    visibility_values,
)
from facedots.geometry import Floats

MOUTH_AND_CHIN = [*range(4, 13), *range(48, 68)]
MIN_SIDE = 40
"""Pixels of a box in the scenes."""


def occluded(faces: Sequence[FaceAnnotation], folder: Path, seed: int) -> list[FaceAnnotation]:
    """The faces in images in the folder, about half of them covered in part, with labels of what
    is hidden.
    """
    occlude = OccludeFace(IBUG68, p=0.5, generator=np.random.default_rng(seed))
    samples, covered = KeypointsDataset(faces), list[FaceAnnotation]()
    for i, face in enumerate(faces):
        sample = occlude(samples[i] | {"visible": np.ones(IBUG68.count, np.float32)})
        write_image(folder / f"{i}.png", sample["image"])
        covered.append(replace(face, image=folder / f"{i}.png", visible=sample["visible"]))
    return covered


def faces_by_note(data: Path) -> dict[str, list[tuple[Path, Floats]]]:
    """Note -> photo and tight box ``(1, 4)`` of each face in the held-out scenes."""
    faces = defaultdict[str, list[tuple[Path, Floats]]](list)
    for folder in (data / "scenes" / "crowds", data / "scenes" / "masks"):
        with (folder / "boxes.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        held_out = sorted({row["image"] for row in rows})[3::4]
        for row in rows:
            box = np.array([[row[name] for name in ("x0", "y0", "x1", "y1")]], np.float32)
            if row["image"] in held_out and np.ptp(box.reshape(2, 2), axis=0).max() >= MIN_SIDE:
                faces[row["note"]].append((folder / row["image"], RetinaFace.adjustment.tight(box)))
    return faces


def called_hidden(faces: Sequence[tuple[Path, Floats]], predictor: KeypointPredictor) -> str:
    """Percentage of the points of mouth and chin; a dash where the network predicts none."""
    if not predictor.predicts_visibility:
        return "–"
    found = [
        predictor.predict(read_image(path, orient=False), box).faces(box) for path, box in faces
    ]
    return f"{100 * np.mean([face.hidden[MOUTH_AND_CHIN] for (face,) in found]):.1f}"


def table(
    predictors: Mapping[str, KeypointPredictor],
    faces: Sequence[FaceAnnotation],
    measures: Sequence[Measure],
    values_of: Callable[[Evaluation], dict[str, float]],
) -> str:
    """A row for each network, dashes where it does not predict what is measured."""
    rows = []
    for name, predictor in predictors.items():
        values = values_of(evaluate(predictor, faces))
        rows.append([name, *(f"{values[m.name]:.2f}" if values else "–" for m in measures)])
    return markdown_table(["network", *(f"{m.title}, {m.unit}" for m in measures)], rows)


def main() -> None:
    """Measure, print Markdown."""
    parser = parser_with_data(__doc__)
    parser.add_argument("models", nargs="+", help="names, ONNX files or runs")
    parser.add_argument("--pack", type=Path, help="folder, of tools/gpu_pack.py faces")
    options = options_with_data(parser)
    faces = load_split(options.data, ["300w"], "official").test
    predictors = {name: KeypointPredictor(name) for name in options.models}
    print(f"{date.today()}, {machine()}; –: the network does not predict it\n")
    print(f"{len(faces)} faces of 300-W, half of them covered\n")
    with tempfile.TemporaryDirectory() as folder:
        covered = occluded(faces, Path(folder), seed=0)
        print(table(predictors, covered, VISIBILITY, visibility_values))
    if (options.data / "scenes").is_dir():
        by_note = faces_by_note(options.data)
        notes = ("with_mask", "without_mask")
        print("\nPoints of mouth and chin that are called hidden, %\n")
        rows = [
            [name, *(called_hidden(by_note[note], predictor) for note in notes)]
            for name, predictor in predictors.items()
        ]
        columns = [f"{note}, {len(by_note[note])} faces" for note in notes]
        print(markdown_table(["network", *columns], rows))
    if options.pack:
        val = load_annotations(options.pack).subsets["val"]
        labeled = [face for face in val if face.pupils is not None]
        print(f"\nPupils of {len(labeled)} faces of held-out people\n")
        print(table(predictors, labeled, PUPILS, pupil_values))


if __name__ == "__main__":
    main()
