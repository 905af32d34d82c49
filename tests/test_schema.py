import json
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from facedots.schema import IBUG68, SCHEMAS, KeypointSchema


def test_the_ibug_points_by_their_published_numbers() -> None:
    assert IBUG68.count == len(IBUG68.names) == 68
    assert IBUG68.norm_pair == (36, 45)
    published = {
        "jaw_8": 8,
        "right_brow_0": 17,
        "left_brow_4": 26,
        "nose_3": 30,
        "right_eye_0": 36,
        "left_eye_3": 45,
        "mouth_0": 48,
        "mouth_12": 60,
    }
    assert {name: IBUG68.index(name) for name in published} == published
    assert {region: len(points) for region, points in IBUG68.regions.items()} == {
        "jaw": 17,
        "right_brow": 5,
        "left_brow": 5,
        "nose": 9,
        "right_eye": 6,
        "left_eye": 6,
        "mouth": 20,
    }


def test_flip_pairs_by_hand() -> None:
    pairs = [
        (0, 16),
        (8, 8),
        (17, 26),
        (30, 30),
        (31, 35),
        (36, 45),
        (39, 42),
        (37, 44),
        (41, 46),
        (48, 54),
        (51, 51),
        (60, 64),
    ]
    assert [(i, IBUG68.flip[i]) for i, _ in pairs] == pairs
    middle = {i for i in range(IBUG68.count) if IBUG68.flip[i] == i}
    assert middle == {8, 27, 28, 29, 30, 33, 51, 57, 62, 66}


def test_flip_swaps_the_regions_of_the_sides() -> None:
    for i, j in enumerate(IBUG68.flip):
        mirrored = (
            IBUG68.region_of[i].replace("right", "?").replace("left", "right").replace("?", "left")
        )
        assert IBUG68.region_of[j] == mirrored


def test_the_drawn_lines_are_the_same_in_a_mirror() -> None:
    lines = {frozenset(edge) for edge in IBUG68.edges}
    assert {frozenset((IBUG68.flip[a], IBUG68.flip[b])) for a, b in lines} == lines
    assert len(lines) == len(IBUG68.edges) == 63


def test_every_point_is_on_a_line_within_one_region() -> None:
    assert {i for edge in IBUG68.edges for i in edge} == set(range(IBUG68.count))
    # The bridge of the nose and its base are one region; eyes, brows, lips and jaw are never
    # joined.
    assert all(IBUG68.region_of[a] == IBUG68.region_of[b] for a, b in IBUG68.edges)


def test_json_and_pickle_give_the_same_schema_back() -> None:
    assert KeypointSchema.from_json(IBUG68.to_json()) == IBUG68
    assert pickle.loads(pickle.dumps(IBUG68)) == IBUG68
    assert hash(KeypointSchema.from_json(IBUG68.to_json())) == hash(IBUG68)
    assert set(json.loads(IBUG68.to_json())) == {
        "name",
        "names",
        "regions",
        "flip",
        "edges",
        "norm_pair",
    }


def test_schemas_by_name() -> None:
    assert SCHEMAS["ibug68"] is IBUG68
    assert all(name == schema.name for name, schema in SCHEMAS.items())


def test_a_schema_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        IBUG68.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        IBUG68.regions["jaw"] = ()  # type: ignore[index]


PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), ((0, 1),), (0, 1))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"names": ("eye", "eye")}, "names repeat"),
        ({"regions": {"eyes": (0,)}}, "exactly one region; in none: left$"),
        ({"regions": {"eyes": (0, 1), "face": (1,)}}, "exactly one region; repeated: left$"),
        ({"regions": {"eyes": (1, 1, 2)}}, "none: right, repeated: left, no points: 2$"),
        ({"flip": (0, 0)}, "permutation"),
        ({"flip": (0,)}, "permutation"),
        ({"edges": ((0, 2),)}, "indices of points"),
        ({"norm_pair": (0, -1)}, "indices of points"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        replace(PAIR, **change)  # type: ignore[arg-type]


def test_a_flip_that_does_not_undo_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="undoes itself"):
        KeypointSchema("ring", ("a", "b", "c"), {"all": (0, 1, 2)}, (1, 2, 0), (), (0, 1))


def test_an_unknown_point_name() -> None:
    with pytest.raises(ValueError, match="chin"):
        IBUG68.index("chin")
