import numpy as np
import pytest

from facedots.audit.coverage import Measure, measure_coverage
from facedots.geometry import Matrix
from facedots.schema import IBUG68, KeypointSchema

PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), ((0, 1),), (0, 1))


def coverage(labels: Matrix, schema: KeypointSchema) -> tuple[Measure, ...]:
    count = len(labels)
    return measure_coverage(
        labels, np.full((count, 2), (100.0, 90.0)), np.full(count, 120.0), schema
    )


def test_classes_by_hand() -> None:
    measure = Measure("px", np.array([1, 9.99, 10, 19, 20, 500, np.nan]), (10, 20))
    assert measure.classes == ("below 10", "10 to 20", "20 and more")
    assert measure.shares() == pytest.approx([2 / 6, 2 / 6, 2 / 6])
    assert measure.shares(np.arange(7) > 2) == pytest.approx([0, 1 / 3, 2 / 3])
    assert np.isnan(measure.shares(np.arange(7) > 5)).all()


def test_rare_is_below_two_percent() -> None:
    values = np.concatenate([np.full(98, 5.0), [15.0, 25.0]])
    assert Measure("px", values, (10, 20)).rare == ("10 to 20", "20 and more")
    assert Measure("px", values[2:], (10,)).rare == ()


def test_faces_have_size_brightness_and_three_angles(truth: Matrix) -> None:
    measures = coverage(truth[:6], IBUG68)
    assert [measure.name.partition(",")[0] for measure in measures] == [
        "eye distance",
        "brightness of the face",
        "yaw",
        "pitch",
        "roll",
    ]
    np.testing.assert_allclose(
        measures[0].values, np.linalg.norm(truth[:6, 45] - truth[:6, 36], axis=1)
    )
    eyes = truth[:6, 45] - truth[:6, 36]
    np.testing.assert_allclose(
        measures[4].values, np.rad2deg(np.arctan2(eyes[:, 1], eyes[:, 0])), atol=12
    )


def test_other_schemas_have_no_angles_and_unreadable_poses_are_gaps(truth: Matrix) -> None:
    assert len(coverage(np.array([[[0, 0], [7.0, 0]]]), PAIR)) == 2
    gone = truth[:2].copy()
    gone[0] = np.nan
    assert np.isnan(coverage(gone, IBUG68)[2].values).tolist() == [True, False]
