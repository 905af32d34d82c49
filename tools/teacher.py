r"""Labels moved towards those of a trained network, which repeats no slip of a labeler's hand.

The teacher of the networks that ship is a run of `recipes/large.yaml` on the pack that has none,
where each infant was once instead of four times. Then the faces are packed once more, with it::

    python tools/gpu_pack.py faces DATA
    facedots train recipes/large.yaml --data /tmp/facedots-gpu/faces --out TEACHER --epochs 36 \
        --sources custom --styles 300w,youtube-faces,fgnet,webmorph
    python tools/gpu_pack.py faces DATA --teacher TEACHER
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from facedots import IBUG68, KeypointPredictor, Predictor, read_image, tight_boxes
from facedots.annotations import FaceAnnotation
from facedots.data.augment import mirror_points
from facedots.evaluation import nme
from facedots.geometry import Floats, Image
from facedots.training import export_run, load_run
from facedots.training.run_folder import PROVENANCE_FILE

TAUGHT = "labels of 68 points moved halfway to those of"
"""How a card says that there was a teacher."""

STYLES = ("300w", "youtube-faces")
"""Label styles whose 68 points are all labeled."""

WEIGHT = 0.5
"""Of the teacher's points beside a labeler's: docs/experiments.md."""

_LOST = 12.0
"""NME in percent, beside the labels, from which the labels hold."""


def taught_by(run: Path) -> str:
    """What the cards of networks say that learn the labels of this run's."""
    started: str = json.loads((run / PROVENANCE_FILE).read_text())["started"]
    return f"{TAUGHT} {load_run(run)[0].model} of {started[:10]}"


class Teacher:
    """A trained network, by its predictor in each of `STYLES`."""

    def __init__(self, predictors: Mapping[str, Predictor]) -> None:
        self._predictors = predictors

    @classmethod
    def of_run(cls, run: Path) -> "Teacher":
        """The network of a finished run, which saw none of the faces that are held out."""
        predictors = {}
        with tempfile.TemporaryDirectory() as folder:
            for style in STYLES:
                file = Path(folder) / f"{style}.onnx"
                export_run(run, file, label_style=style)
                predictors[style] = KeypointPredictor(file, refine=0)
        return cls(predictors)

    def labels(self, face: FaceAnnotation) -> FaceAnnotation:
        """A face of one of `STYLES` with labels moved by `WEIGHT`; others as they are."""
        if face.label_style not in STYLES or not np.isfinite(face.points).all():
            return face
        image = read_image(face.image, orient=False)
        points = self._views(image, face.points, face.label_style, face.label_bias_x).mean(axis=0)
        if nme(points[None], face.points[None], IBUG68)[0] > _LOST:
            return face
        moved = (1 - WEIGHT) * face.points + WEIGHT * points
        return replace(face, points=moved.astype(np.float32).round(2))

    def _views(self, image: Image, points: Floats, style: str, bias: float) -> Floats:
        """The points ``(2, K, 2)`` in the crop around these, and from the mirror image of it."""
        predictor, width = self._predictors[style], image.shape[1]
        mirrored = mirror_points(points, width, IBUG68, bias)
        straight = predictor.predict(image, tight_boxes(points[None])).points[0]
        other = np.ascontiguousarray(image[:, ::-1])
        back = predictor.predict(other, tight_boxes(mirrored[None])).points[0]
        return np.stack([straight, mirror_points(back, width, IBUG68, bias)])
