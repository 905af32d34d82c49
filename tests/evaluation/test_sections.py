from collections.abc import Callable

import numpy as np
import pytest

from facedots.evaluation.result import Evaluation
from facedots.evaluation.sections import (
    FACES_PER_ROW,
    by_slice,
    example_rows,
    example_tiles,
    ranking,
)

Maker = Callable[..., Evaluation]


def test_rows_of_faces_are_best_typical_worst(make_evaluation: Maker) -> None:
    shifts = np.random.default_rng(0).permutation(31) / 10
    rows = example_rows(make_evaluation(shifts))
    errors = {
        name: [float(face.title.split()[-2]) for face in faces] for name, faces in rows.items()
    }
    assert errors["best"] == [0, 1, 2, 3, 4, 5]
    assert errors["typical"] == [12, 13, 14, 15, 16, 17]
    assert errors["worst"] == [30, 29, 28, 27, 26, 25]
    assert {len(faces) for faces in rows.values()} == {FACES_PER_ROW}


def test_missed_faces_are_not_among_those_found(make_evaluation: Maker) -> None:
    assert ranking(make_evaluation([3, np.nan, 1, 2])) == [2, 3, 0]


def test_tiles_have_captions(make_evaluation: Maker) -> None:
    evaluation = make_evaluation([1, np.nan, 2])
    other = make_evaluation([0.5, 3, 0], name="rival")
    evaluation.attributes["yaw"][:] = [-12, np.nan, 0]
    rows, problem = example_tiles(evaluation, [other])
    assert not problem
    assert {name: len(tiles) for name, tiles in rows.items()} == {
        "the faces, largest error first": 2,
        "missed: no box on these faces": 1,
    }
    images = [rows["the faces, largest error first"][1], rows["missed: no box on these faces"][0]]
    assert [caption.splitlines() for _, caption in images] == [
        ["test/face_0.png", "NME 10.0 %", "rival: 5.0 %", "eyes 0 px apart, turned 12°"],
        ["test/face_1.png", "missed", "rival: 30.0 %", "eyes 50 px apart"],
    ]
    assert {image.shape for image, _ in images} == {(220, 220, 3)}


@pytest.mark.parametrize("count", [1, 2, 6, 16, 20, 30])
def test_no_face_is_shown_twice(make_evaluation: Maker, count: int) -> None:
    evaluation = make_evaluation(np.arange(count) / 10)
    tiles = [caption for row in example_tiles(evaluation)[0].values() for _, caption in row]
    faces = [face.title for row in example_rows(evaluation).values() for face in row]
    assert len(set(tiles)) == len(tiles) == min(count, 15 if count > 24 else len(tiles))
    assert len(set(faces)) == len(faces) == min(count, 3 * FACES_PER_ROW)


def test_slices_of_the_same_faces_do_not_depend_on_how_many_networks(
    make_evaluation: Maker,
) -> None:
    one = make_evaluation([0] * 6)
    two = make_evaluation([1] * 6, name="two")
    for evaluation in (one, two):
        evaluation.attributes["brightness"][:] = [10, 20, 30, 40, 50, 60]

    def counts(evaluations: list[Evaluation]) -> list[int]:
        tables = {attribute.name: table for attribute, table in by_slice(evaluations)[1]}
        return [row[1] for row in tables["brightness"]["rows"]]

    assert counts([one, two]) == counts([one]) == [2, 1, 1, 2]
