"""Somebody's own data as test sets: what is measured, against which labels, and what is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.load import AnnotationSet
from facedots.annotations.packing import pack
from facedots.data.synthetic import draw_face
from facedots.evaluation.protocol import evaluate_split
from facedots.io.images import write_image
from facedots.schema import IBUG68


def drawn(folder: Path, part: str, count: int) -> list[FaceAnnotation]:
    """Faces drawn into a folder; their names begin with the part's."""
    faces = []
    for i in range(count):
        image, points = draw_face(np.random.default_rng(i))
        write_image(folder / f"{part}{i}.png", image)
        faces.append(FaceAnnotation(folder / f"{part}{i}.png", points, f"{part}{i}.png"))
    return faces


@pytest.mark.parametrize(("style", "told"), [("fgnet", True), ("300w", False), ("", False)])
def test_another_style_is_told_where_the_labels_follow_it(
    tmp_path: Path, style: str, told: bool
) -> None:
    faces = [replace(face, label_style=style) for face in drawn(tmp_path, "a", 3)]
    list(pack(AnnotationSet({"faces": faces[:2], "test": faces[2:]}, IBUG68), tmp_path / "pack"))
    evaluation = evaluate_split("tiny", tmp_path / "pack", sources=["custom"])
    assert evaluation.names == ("a2.png",)
    assert any("in that of fgnet" in sentence for sentence in evaluation.caveats()) == told
    assert any("labeling style" in sentence for sentence in evaluation.caveats()) == told
