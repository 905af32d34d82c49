"""Splits: who may meet whom, balance, and that they never change."""

import hashlib
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.known_sets import KNOWN_SETS
from facedots.data.splits import (
    FOLDS,
    SPLITS,
    Split,
    held_out_groups,
    load_source,
    load_split,
    person_folds,
)
from facedots.errors import DataError

GROUPS = st.lists(st.sampled_from([f"person{i}" for i in range(30)]), max_size=120)


FOLD_SUMS = {
    "official": "304ab6afec7f",
    "disjoint:0": "9149797962d1",
    "disjoint:1": "d9ba39ad1afc",
    "disjoint:2": "b21d4b5a02cc",
    "disjoint:3": "076f9dc24147",
    "disjoint:4": "207b760fdd13",
}


def _faces(groups: list[str]) -> list[FaceAnnotation]:
    return [
        FaceAnnotation(Path("x.jpg"), np.zeros((1, 2), np.float32), f"{i}", group)
        for i, group in enumerate(groups)
    ]


@given(groups=GROUPS)
def test_folds_differ_by_at_most_the_largest_person(groups: list[str]) -> None:
    folds = person_folds(_faces(groups))
    assert set(folds) == set(groups)
    filled = Counter(folds[group] for group in groups)
    sizes = [filled[fold] for fold in range(FOLDS)]
    assert max(sizes) - min(sizes) <= max(Counter(groups).values(), default=0)


@given(groups=GROUPS)
def test_folds_and_held_out_groups_do_not_depend_on_the_order_of_the_rows(
    groups: list[str],
) -> None:
    turned = groups[::-1]
    assert person_folds(_faces(groups)) == person_folds(_faces(turned))
    assert held_out_groups(_faces(groups), 0.2) == held_out_groups(_faces(turned), 0.2)


@given(groups=GROUPS, share=st.floats(0, 0.99))
def test_held_out_groups_hold_the_share_and_one_less_would_not(
    groups: list[str], share: float
) -> None:
    held = held_out_groups(_faces(groups), share)
    sizes = Counter(groups)
    total = sum(sizes[group] for group in held)
    assert total >= share * len(groups)
    if held:
        assert min(total - sizes[group] for group in held) < share * len(groups)


@pytest.fixture(scope="module")
def splits(data_dir: Path) -> dict[str, Split]:
    with pytest.MonkeyPatch.context() as patch:  # Read the files once, not once a split.
        patch.setattr("facedots.data.splits.load_source", cache(load_source))
        return {split: load_split(data_dir, list(KNOWN_SETS), split) for split in SPLITS}


def _of(faces: list[FaceAnnotation], source: str) -> list[FaceAnnotation]:
    return [face for face in faces if face.group.startswith(f"{source}/")]


def _groups(faces: list[FaceAnnotation]) -> set[str]:
    return {face.group for face in faces}


@pytest.mark.parametrize("name", SPLITS)
def test_every_face_is_in_exactly_one_part(splits: dict[str, Split], name: str) -> None:
    split = splits[name]
    names = [face.name for face in (*split.train, *split.validation, *split.test)]
    assert len(names) == len(set(names)) == 3462 + 770 + 2014


@pytest.mark.parametrize("name", SPLITS)
def test_validation_is_a_share_of_each_source_and_shares_no_group_with_training(
    splits: dict[str, Split], name: str
) -> None:
    split = splits[name]
    assert not _groups(split.validation) & _groups(split.train)
    for source in KNOWN_SETS:
        held, rest = len(_of(split.validation, source)), len(_of(split.train, source))
        assert 0.04 <= held / (held + rest) < 0.045


def test_the_official_test_part_is_the_published_one(splits: dict[str, Split]) -> None:
    test = _of(splits["official"].test, "youtube-faces")
    assert len(test) == 770
    assert all(face.name.startswith("test/") for face in test)


def test_disjoint_folds_share_no_person_and_cover_every_frame_once(
    splits: dict[str, Split],
) -> None:
    folds = [splits[f"disjoint:{k}"] for k in range(FOLDS)]
    for fold in folds:
        assert not _groups(fold.test) & (_groups(fold.train) | _groups(fold.validation))
    names = [face.name for fold in folds for face in _of(fold.test, "youtube-faces")]
    assert len(names) == len(set(names)) == 3462 + 770
    assert max(len(fold.test) for fold in folds) - min(len(fold.test) for fold in folds) <= 10


def test_no_image_stands_on_both_sides_of_a_disjoint_fold(splits: dict[str, Split]) -> None:
    split = splits["disjoint:0"]
    faces = _of([*split.train, *split.validation, *split.test], "youtube-faces")
    people: dict[str, set[str]] = {}
    for face in faces:
        people.setdefault(hashlib.sha256(face.image.read_bytes()).hexdigest(), set()).add(
            face.group
        )
    assert len(people) < len(faces)  # There are duplicates,
    assert all(
        len(groups) == 1 for groups in people.values()
    )  # but each belongs to one person, so folds keep them together.


def test_every_tenth_photo_of_300w_is_test_with_all_its_faces(splits: dict[str, Split]) -> None:
    for split in splits.values():
        exam, others = (
            _groups(_of(split.test, "300w")),
            _groups(_of([*split.train, *split.validation], "300w")),
        )
        photos = sorted(exam | others)
        assert exam == {photo for place, photo in enumerate(photos, start=1) if place % 10 == 0}
        assert not exam & others


def test_a_split_never_changes(splits: dict[str, Split]) -> None:
    """Published numbers rest on these lists; a changed sum makes them incomparable."""
    sums = {
        name: hashlib.sha256(
            "\n".join(sorted(face.name for face in _of(split.test, "youtube-faces"))).encode()
        ).hexdigest()[:12]
        for name, split in splits.items()
    }
    assert sums == FOLD_SUMS


def test_sources_and_validation_can_be_chosen(data_dir: Path) -> None:
    split = load_split(data_dir, ["youtube-faces"], "official", validation=0)
    assert (len(split.train), len(split.validation), len(split.test)) == (3462, 0, 770)


@pytest.mark.parametrize(
    ("sources", "split", "validation", "fault"),
    [
        (["youtube-faces"], "disjoint:5", 0.1, "disjoint:4"),
        (["imagenet"], "official", 0.1, "imagenet.*300w"),
        ([], "official", 0.1, "sources"),
        (["300w"], "official", 1.0, "validation"),
        (["youtube-faces"], "official", 0.1, "facedots data download"),
        (["300w"], "official", 0.1, "recipes/custom.yaml"),
    ],
)
def test_wrong_arguments_are_refused(
    tmp_path: Path, sources: list[str], split: str, validation: float, fault: str
) -> None:
    with pytest.raises(DataError, match=fault):
        load_split(tmp_path, sources, split, validation)


def test_drawn_faces_are_split_80_10_10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    split = load_split("synthetic:20", [], "ignored")
    assert [len(part) for part in (split.train, split.validation, split.test)] == [16, 2, 2]
    names = [face.name for face in (*split.train, *split.validation, *split.test)]
    assert names == [f"synthetic/{number:06}" for number in range(20)]


@pytest.mark.parametrize("data", ["synthetic:", "synthetic:9", "synthetic:many", "synthetic:-20"])
def test_too_few_drawn_faces_are_refused(data: str) -> None:
    with pytest.raises(DataError, match="10 to 9999999"):
        load_split(data, [], "official")
