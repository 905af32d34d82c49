import numpy as np
import pytest
from common import Faces
from slices import brightness, parts, slices_of, worst_people

from facedots.data.synthetic import draw_face
from facedots.geometry import tight_boxes


def test_an_edge_belongs_to_the_upper_part_and_empty_parts_are_left_out() -> None:
    found = parts("age", np.array([5.0, 20.0, 30.0]), [10, 20])
    assert [(part.name, part.faces.tolist()) for part in found] == [
        ("below 10", [True, False, False]),
        ("20 and more", [False, True, True]),
    ]


def test_brightness_is_that_of_the_box_inside_the_image() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    image[:5, :5] = 100
    assert brightness(image, np.array([-3, -3, 4, 4], np.float32)) == 100
    assert brightness(image, np.array([0, 0, 9, 4], np.float32)) == 50


def test_worst_people_by_hand() -> None:
    errors = np.array([1.0, 3.0, 6.0, 8.0])
    assert worst_people(errors, ["a", "a", "b", "c"]) == 8
    assert worst_people(errors, ["a", "a", "b", "c"], share=2 / 3) == 7
    assert worst_people(errors, ["a", "a", "a", "a"]) == 4.5
    assert worst_people(np.array([1.0, np.inf]), ["a", "b"]) == np.inf


def test_every_face_is_in_one_slice_of_each_sort() -> None:
    drawn = [draw_face(np.random.default_rng(seed)) for seed in range(8)]
    points = np.stack([points for _, points in drawn])
    faces = Faces(
        [str(i) for i in range(8)], [image for image, _ in drawn], points, tight_boxes(points)
    )
    found = slices_of(faces)
    for by in ("eye distance, px", "yaw, degrees", "brightness"):
        assert sum(part.faces.astype(int) for part in found if part.by == by) == pytest.approx(
            np.ones(8)
        )
