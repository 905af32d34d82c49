"""What is said of corrections: which face became which, which points moved, and by how much."""

from pathlib import Path

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.geometry import Floats
from facedots.labeling.changes import changes_csv, find_changes, summary
from facedots.schema import KeypointSchema

THREE = KeypointSchema(
    "three", ("right", "left", "nose"), {"all": (0, 1, 2)}, (1, 0, 2), (), (0, 1)
)
NAN = float("nan")


def at(x: float, y: float = 0) -> Floats:
    """A face 10 px wide whose first point lies there."""
    return np.array([(x, y), (x + 10, y), (x + 5, y + 6)], np.float32)


def corrected(*faces: Floats, image: str = "a.jpg") -> list[FaceAnnotation]:
    marks = [f"#{i + 1}" for i in range(len(faces))] if len(faces) > 1 else [""]
    return [
        FaceAnnotation(Path(image), face, image + mark, image)
        for face, mark in zip(faces, marks, strict=True)
    ]


def test_faces_are_paired_by_where_they_are_and_not_by_their_order() -> None:
    changes = find_changes({"a.jpg": [at(0), at(100)]}, corrected(at(101), at(0.02)))
    assert [(change.name, change.kind) for change in changes] == [
        ("a.jpg#1", "corrected"),
        ("a.jpg#2", "kept"),
    ]
    assert changes[0].distances.tolist() == [1, 1, 1]


def test_faces_that_are_new_gone_or_elsewhere() -> None:
    changes = find_changes({"a.jpg": [at(0), at(100)]}, corrected(at(0), at(50, 70)))
    assert [(change.name, change.kind) for change in changes] == [
        ("a.jpg#1", "kept"),
        ("a.jpg#2", "added"),
        ("a.jpg", "removed"),
    ]
    (change,) = find_changes({"a.jpg": []}, corrected(at(0)))
    assert change.kind == "added"
    (change,) = find_changes({}, corrected(at(0), image="b.jpg"))
    assert change.kind == "added"


def test_the_faces_of_an_image_that_is_empty_now_are_removed() -> None:
    predicted = {"a.jpg": [at(0), at(100)], "b.jpg": [at(0)], "c.jpg": [at(0)]}
    kept = corrected(at(0), image="b.jpg")
    changes = find_changes(predicted, kept, empty=["a.jpg", "b.jpg", "nobody.jpg"])
    assert [(change.name, change.kind) for change in changes] == [
        ("b.jpg", "kept"),
        ("a.jpg", "removed"),
        ("a.jpg", "removed"),
    ]


def test_moved_added_and_removed_points_are_listed_and_summed_up() -> None:
    before, after = at(0), at(0)
    before[2], after[0], after[1] = NAN, NAN, (13, 4)
    changes = find_changes(
        {"a.jpg": [before], "b.jpg": [at(0)]}, [*corrected(after), *corrected(at(0), image="b.jpg")]
    )
    assert changes_csv(changes, THREE).splitlines() == [
        "name,change,point,distance,old_x,old_y,new_x,new_y",
        "a.jpg,removed,right,,0.00,0.00,,",
        "a.jpg,moved,left,5.00,10.00,0.00,13.00,4.00",
        "a.jpg,added,nose,,,,5.00,6.00",
    ]
    assert summary(changes) == [
        "faces: 1 kept, 1 corrected",
        "points: 1 of 4 moved, by 5.00 px in the median and 5.00 px at most",
        "points: 1 added, 1 removed",
        "  a.jpg: 1 moved, by 5.00 px at most",
    ]


def test_whole_faces_are_one_line_each() -> None:
    changes = find_changes({"a.jpg": [at(500)]}, corrected(at(0)))
    assert changes_csv(changes, THREE).splitlines()[1:] == [
        "a.jpg,face added,,,,,,",
        "a.jpg,face removed,,,,,,",
    ]
    assert summary(changes) == ["faces: 1 added, 1 removed"]
    assert summary([]) == ["faces: none"]


def test_rounding_is_no_change() -> None:
    (change,) = find_changes({"a.jpg": [at(0)]}, corrected(at(0.04)))
    assert change.kind == "kept"
