"""How far networks close eyes: on lids of held-out photos that a warp draws shut, and on real
closed eyes.

    python benchmarks/closed_eyes.py small runs/a/model.onnx [--data ../shared/data]

Drawn shut are open eyes of the validation photos of 300-W: the upper lids of the labels are moved
down to a share of the gap, and the image is bent with them. Real ones are eyes of the same photos,
and of held-out infants, whose labeled lids are as close as those of closed eyes.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from common import machine, markdown_table, options_with_data, parser_with_data

from facedots import (
    Camera,
    KeypointPredictor,
    head_pose,
    load_annotations,
    load_split,
    read_image,
    tight_boxes,
)
from facedots.analysis import expression_signals, frontal, warp_texture
from facedots.annotations import FaceAnnotation
from facedots.geometry import Floats, Image, Matrix
from facedots.spec import Predictor

OURS = ("tiny", "small", "large-int8")
SHUT = (0.5, 0.25, 0.08)
"""Shares of the open gap that lids are drawn shut to."""
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
INFANTS = "google2_"
"""The images of ``more/infanface`` that no network is trained on."""
MAX_YAW = 25, 45
"""Degrees up to which lids are drawn shut, and up to which both eyes can be read."""


def eyes(points: Floats, image: Image) -> tuple[Matrix, float]:
    """Of both eyes the gap in eye distances and how closed that is, from 0 (open) to 1, ``(2, 2)``;
    and the yaw in degrees.
    """
    camera = Camera.guess((image.shape[0], image.shape[1]))
    pose = head_pose(points, camera)
    signals = expression_signals(frontal(points, pose, camera))
    names = [[f"{eye}_eye_open", f"{eye}_eye_closed"] for eye in ("right", "left")]
    return np.array([[signals[name] for name in row] for row in names]), pose.yaw


def held_out(data: Path) -> dict[str, list[FaceAnnotation]]:
    """Photos of 300-W, and infants where they are there."""
    sets = {"300-W": load_split(data, ["300w"], "official").test}
    if (data / "more" / "infanface").is_dir():
        infants = load_annotations(data / "more" / "infanface").faces
        sets["infants"] = [face for face in infants if face.name.startswith(INFANTS)]
    return sets


def lids_drawn_shut(faces: Sequence[FaceAnnotation], predictor: Predictor) -> list[float]:
    """For each of :data:`SHUT` the median gap that a network still reads of the faces with open
    eyes, as a share of the gap that it reads before.
    """
    ratios = list[Matrix]()
    for face in faces:
        image = read_image(face.image, orient=False)
        labeled, yaw = eyes(face.points, image)
        if labeled[:, 1].any() or abs(yaw) > MAX_YAW[0]:
            continue
        gaps = []
        for share in (1.0, *SHUT):
            points = face.points.copy()
            for upper, lower in LIDS:
                points[upper] = points[lower] + share * (points[upper] - points[lower])
            bent = warp_texture(image, face.points, points, (image.shape[0], image.shape[1]))
            shown = np.where(bent.mask[..., None], bent.image, image)
            found = predictor.predict(shown, tight_boxes(points[None])).points[0]
            gaps.append(eyes(found, shown)[0][:, 0].mean())
        ratios.append(np.array(gaps[1:]) / gaps[0])
    medians: list[float] = np.median(ratios, axis=0).tolist()
    return medians


def real_eyes(faces: Sequence[FaceAnnotation], predictor: Predictor) -> list[str]:
    """Cells: the number of eyes that are labeled as closed, the share that is read as rather closed
    than open, the median gaps of the labels and as read; number and share of the open eyes.
    """
    rows = list[Matrix]()
    for face in faces:
        image = read_image(face.image, orient=False)
        labeled, yaw = eyes(face.points, image)
        if abs(yaw) <= MAX_YAW[1]:
            found = predictor.predict(image, tight_boxes(face.points[None])).points[0]
            rows.append(np.hstack([labeled, eyes(found, image)[0]]))
    true_gap, true, gap, closed = np.concatenate(rows).T
    shut, wide = true == 1, true == 0
    return [
        str(shut.sum()),
        f"{100 * (closed[shut] >= 0.5).mean():.0f}",
        f"{np.median(true_gap[shut]):.3f}",
        f"{np.median(gap[shut]):.3f}",
        str(wide.sum()),
        f"{100 * (closed[wide] >= 0.5).mean():.1f}",
    ]


def main() -> None:
    """Measure, print Markdown."""
    parser = parser_with_data(__doc__)
    parser.add_argument("models", nargs="*", default=OURS, help="names, ONNX files or runs")
    options = options_with_data(parser)
    cv2.setNumThreads(1)
    photos = held_out(options.data)
    print(
        f"{date.today()}, {machine()}\n\nLids drawn shut: the gap that is read, in % of the open\n"
    )
    rows = []
    for model in options.models:
        gaps = lids_drawn_shut(photos["300-W"], KeypointPredictor(model, refine=0))
        rows.append([model, *(f"{100 * gap:.0f}" for gap in gaps)])
    print(markdown_table(["drawn to", *(f"{100 * share:.0f} %" for share in SHUT)], rows))
    print("\nReal eyes; gaps in eye distances\n")
    rows = [
        [f"{model}, {name}", *real_eyes(faces, KeypointPredictor(model))]
        for name, faces in photos.items()
        for model in options.models
    ]
    columns = ["closed eyes", "read as closed, %", "labeled gap", "gap that is read"]
    print(markdown_table(["network, photos", *columns, "open eyes", "read as closed, %"], rows))


if __name__ == "__main__":
    main()
