"""benchmarks/hidden_points.py: rows from a predictor that knows the truth."""

from dataclasses import replace
from pathlib import Path

import hidden_points
import numpy as np
from numpy.typing import ArrayLike
from tests.faces import isotropic_covariance

from facedots.data.synthetic import cached_synthetic
from facedots.evaluation.measures import PUPILS, VISIBILITY, pupil_values, visibility_values
from facedots.geometry import CropSpec, Image
from facedots.io.images import read_image, write_image
from facedots.schema import IBUG68
from facedots.spec import ModelSpec
from facedots.types import Keypoints

FACES = [
    replace(face, pupils=np.stack([face.points[36], face.points[45]]))
    for face in cached_synthetic(10)
]


class Oracle:
    """Sees which points are painted over, and the pupils 3 px to the right of where they are."""

    spec = ModelSpec("oracle", IBUG68, CropSpec("box", 1.0), 8, 3, (0.0,) * 3, (1.0,) * 3)

    def __init__(self, *, predicts: bool = True) -> None:
        self.predicts, self.faces = predicts, iter(FACES)
        self.predicts_visibility = predicts

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        face = next(self.faces)
        original = read_image(face.image)
        columns, rows = face.points.round().astype(int).T
        same = (image[rows, columns] == original[rows, columns]).all(axis=1)
        one = np.ones((1, IBUG68.count), np.float32)
        found = Keypoints(face.points[None], isotropic_covariance(one), one, one[:, 0], IBUG68)
        if not self.predicts or face.pupils is None:
            return found
        return replace(
            found,
            visibility=np.where(same, 0.95, 0.05)[None].astype(np.float32),
            pupils=(face.pupils + np.array([3, 0], np.float32))[None],
            pupils_covariance=isotropic_covariance(np.full((1, 2), 3, np.float32)),
        )


def cells(table: str) -> list[str]:
    """Of the last row."""
    return table.splitlines()[-1].strip("| ").split(" | ")


def test_an_oracle_finds_all_hidden_points(tmp_path: Path) -> None:
    covered = hidden_points.occluded(FACES, tmp_path, seed=0)
    table = hidden_points.table({"o": Oracle()}, covered, VISIBILITY, visibility_values)  # type: ignore[dict-item]
    name, hidden, auroc, error, recall, false = cells(table)
    assert name == "o"
    assert 2 < float(hidden) < 40
    assert float(auroc) > 99
    assert 4 < float(error) < 6
    assert float(recall) > 98
    assert float(false) < 2


def test_pupils_are_measured_in_eye_distances_and_against_their_covariance() -> None:
    table = hidden_points.table({"o": Oracle()}, FACES, PUPILS, pupil_values)  # type: ignore[dict-item]
    units = [np.linalg.norm(face.points[36] - face.points[45]) for face in FACES]
    errors = 300 / np.array(units)
    expected = [errors.mean(), 100 * (errors > 10).mean(), 0.5]
    np.testing.assert_allclose([float(cell) for cell in cells(table)[1:]], expected, atol=0.006)


def test_networks_that_predict_neither_have_empty_rows() -> None:
    for measures, values in ((VISIBILITY, visibility_values), (PUPILS, pupil_values)):
        blind = {"o": Oracle(predicts=False)}
        table = hidden_points.table(blind, FACES, measures, values)  # type: ignore[arg-type]
        assert cells(table) == ["o", *["–"] * len(measures)]


def test_of_the_scenes_every_fourth_photo_counts_without_small_faces(tmp_path: Path) -> None:
    rows = [f"{name}.jpg,0,0,100,50,human,with_mask" for name in "badc"]
    rows += ["d.jpg,10,10,49,49,human,with_mask", "d.jpg,0,0,40,40,human,without_mask"]
    for folder in ("crowds", "masks"):
        (tmp_path / "scenes" / folder).mkdir(parents=True)
        lines = ["image,x0,y0,x1,y1,source,note", *(rows if folder == "masks" else [])]
        (tmp_path / "scenes" / folder / "boxes.csv").write_text("\n".join(lines))
    by_note = hidden_points.faces_by_note(tmp_path)
    assert list(by_note) == ["with_mask", "without_mask"]
    for ((path, box),) in by_note.values():
        assert (path.name, box.shape) == ("d.jpg", (1, 4))


def test_hidden_points_of_mouth_and_chin_are_counted(tmp_path: Path) -> None:
    columns, rows = FACES[0].points[48:].round().astype(int).T
    image = read_image(FACES[0].image).copy()
    image[rows, columns] ^= 255
    write_image(tmp_path / "a.png", image)
    faces = [(tmp_path / "a.png", np.array([[0, 0, 50, 50]], np.float32))]
    # Of 9 points of the chin and 20 of the mouth.
    assert hidden_points.called_hidden(faces, Oracle()) == f"{100 * 20 / 29:.1f}"  # type: ignore[arg-type]
    assert hidden_points.called_hidden(faces, Oracle(predicts=False)) == "–"  # type: ignore[arg-type]
