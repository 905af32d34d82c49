from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from facedots.evaluation.protocol import Evaluation
from facedots.evaluation.result import (
    EvalContext,
    Result,
    comparison_warnings,
    incompatibilities,
    same_faces,
    with_own_names,
)
from facedots.schema import KeypointSchema

SETTING = EvalContext(
    "corner", "ab" * 32, "/data", ("youtube-faces",), "official", "official", "truth"
)


@pytest.fixture
def result(make_evaluation: Callable[..., Evaluation]) -> Result:
    return Result("one", make_evaluation([0, 1, 2]), SETTING)


def test_the_same_faces_may_stand_side_by_side(result: Result) -> None:
    other = replace(
        result, name="two", setting=replace(SETTING, weights_sha256="cd" * 32, data="/elsewhere")
    )
    assert incompatibilities([result, other]) == []
    assert comparison_warnings([result, other]) == []
    assert same_faces(result, other)


def test_other_faces_may_not(result: Result) -> None:
    names = ("test/face_0.png", "test/x.png", "test/y.png")
    other = replace(
        result,
        name="two",
        evaluation=replace(result.evaluation, names=names),
        setting=replace(SETTING, split="disjoint:0"),
    )
    (sentence,) = incompatibilities([result, other])
    assert "youtube-faces, split official with 3 faces" in sentence
    assert "split disjoint:0 with 3" in sentence
    assert "1 are in both" in sentence


def test_other_labels_may_not(result: Result) -> None:
    moved = replace(
        result,
        name="two",
        evaluation=replace(result.evaluation, true=result.evaluation.true + np.float32(0.5)),
    )
    assert incompatibilities([result, moved]) == [
        "one and two were measured on the same faces, but with different labels."
    ]
    gap = result.evaluation.true.copy()
    gap[0, 2] = np.nan
    assert (
        incompatibilities([result, replace(moved, evaluation=replace(result.evaluation, true=gap))])
        != []
    )


def test_other_points_may_not(result: Result) -> None:
    pair = KeypointSchema("pair", ("a", "b"), {"eyes": (0, 1)}, (1, 0), (), (0, 1))
    other = replace(result, name="two", evaluation=replace(result.evaluation, schema=pair))
    assert "different points (trio and pair)" in incompatibilities([result, other])[0]


def test_what_differs_otherwise_is_said(result: Result) -> None:
    boxes = replace(result, name="two", setting=replace(SETTING, boxes="haar"))
    assert (
        "one: the tight box of the true points; two: haar"
        in comparison_warnings([result, boxes])[0]
    )
    trained = replace(
        result, name="two", setting=replace(SETTING, trained_split="", weights_sha256="")
    )
    assert "one: official; two: unknown" in comparison_warnings([result, trained])[0]
    assert comparison_warnings([result, replace(result, name="two")]) == [
        "one and two are the same weights."
    ]


def test_names_are_told_apart(result: Result) -> None:
    three = [result, replace(result, name="two"), result]
    assert with_own_names(three, ["out/a", "out/b", "out/c"]) == ["one (a)", "two", "one (c)"]
    assert with_own_names(three, ["x/a", "b", "y/a"]) == ["one (x/a)", "two", "one (y/a)"]
    assert with_own_names(three, ["a", "b", "a"]) == ["one (1)", "two", "one (3)"]
