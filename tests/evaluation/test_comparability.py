from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facedots.evaluation.comparability import (
    caveats,
    comparison_warnings,
    distinct_names,
    incompatibilities,
    same_faces,
)
from facedots.evaluation.result import EvalContext, Evaluation
from facedots.schema import KeypointSchema

Maker = Callable[..., Evaluation]


@pytest.fixture
def first(make_evaluation: Maker) -> Evaluation:
    return make_evaluation([0, 1, 2], name="one")


def context(evaluation: Evaluation, **fields: Any) -> Evaluation:
    return replace(evaluation, name="two", context=replace(evaluation.context, **fields))


def test_the_same_faces_are_comparable(first: Evaluation) -> None:
    other = context(first, weights_sha256="cd" * 32, data="/elsewhere")
    assert incompatibilities([first, other]) == []
    assert comparison_warnings([first, other]) == []
    assert same_faces(first, other)


def test_other_faces_are_not(first: Evaluation) -> None:
    names = ("test/face_0.png", "test/x.png", "test/y.png")
    other = replace(context(first, split="disjoint:0"), names=names)
    (sentence,) = incompatibilities([first, other])
    assert "youtube-faces, split official with 3 faces" in sentence
    assert "split disjoint:0 with 3" in sentence
    assert "1 are in both" in sentence


def test_other_labels_are_not(first: Evaluation) -> None:
    moved = replace(first, name="two", true=first.true + np.float32(0.5))
    assert incompatibilities([first, moved]) == [
        "one and two were measured on the same faces, but with different labels."
    ]
    gap = first.true.copy()
    gap[0, 2] = np.nan
    assert incompatibilities([first, replace(first, name="two", true=gap)]) != []


def test_other_points_are_not(first: Evaluation) -> None:
    pair = KeypointSchema("pair", ("a", "b"), {"eyes": (0, 1)}, (1, 0), (), (0, 1))
    other = replace(first, name="two", schema=pair)
    assert "different points (trio and pair)" in incompatibilities([first, other])[0]


def test_other_differences_are_warnings(first: Evaluation) -> None:
    true_boxes = context(replace(first), boxes="ground-truth")
    (sentence, *_) = comparison_warnings([true_boxes, replace(first, name="three")])
    assert "two: the tight box of the true points; three: haar" in sentence
    trained = context(first, trained_split="", weights_sha256="")
    assert "one: official; two: unknown" in comparison_warnings([first, trained])[0]
    assert comparison_warnings([first, replace(first, name="two")]) == [
        "one and two are the same weights."
    ]


def test_equal_names_get_a_suffix(first: Evaluation) -> None:
    three = [first, replace(first, name="two"), first]
    assert distinct_names(three, ["out/a", "out/b", "out/c"]) == ["one (a)", "two", "one (c)"]
    assert distinct_names(three, ["x/a", "b", "y/a"]) == ["one (x/a)", "two", "one (y/a)"]
    assert distinct_names(three, ["a", "b", "a"]) == ["one (1)", "two", "one (3)"]


@pytest.mark.parametrize(
    ("sources", "trained", "split", "warned"),
    [
        (("youtube-faces",), "official", "disjoint:0", True),
        (("300w", "youtube-faces"), "disjoint:1", "disjoint:0", True),
        (("youtube-faces",), "disjoint:0", "disjoint:0", False),
        (("youtube-faces",), "synthetic", "disjoint:0", False),
        (("youtube-faces",), "", "disjoint:0", False),
        # The held-out photos of 300-W are the same in every split.
        (("300w",), "official", "disjoint:0", False),
    ],
)
def test_network_that_was_trained_on_test_faces_is_called_out(
    sources: tuple[str, ...], trained: str, split: str, warned: bool
) -> None:
    context = EvalContext("haar", "/data", sources, split, trained_split=trained)
    assert any("too good" in sentence for sentence in caveats(context)) == warned


@pytest.mark.parametrize(
    ("style", "sources", "expected"),
    [("300w", ("youtube-faces",), True), ("300w", ("300w",), False), ("", ("300w",), False)],
)
def test_another_labeling_style_is_a_caveat(
    style: str, sources: tuple[str, ...], expected: bool
) -> None:
    context = EvalContext("haar", "/data", sources, "official", label_style=style)
    found = any("labeling style of 300w" in sentence for sentence in caveats(context))
    assert found == expected


def test_drawn_faces_are_a_caveat() -> None:
    (sentence,) = caveats(EvalContext("haar", "synthetic:20", (), "synthetic"))
    assert "drawn by facedots" in sentence
