import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedots.geometry import CropSpec
from facedots.schema import IBUG68
from facedots.spec import ModelSpec

numbers = st.floats(0.01, 3)


@given(
    st.text(min_size=1),
    st.builds(CropSpec, st.sampled_from(["box", "frame"]), numbers),
    st.integers(16, 512),
    st.sampled_from([1, 3]).flatmap(
        lambda n: st.lists(st.tuples(numbers, numbers), min_size=n, max_size=n)
    ),
    st.one_of(st.none(), st.floats(2.01, 100)),
)
def test_json_gives_the_same_spec_back(
    name: str, crop_spec: CropSpec, size: int, scaling: list[tuple[float, float]], dof: float | None
) -> None:
    mean, std = zip(*scaling, strict=True)
    spec = ModelSpec(name, IBUG68, crop_spec, size, len(scaling), mean, std, dof)
    text = spec.to_json()
    assert ModelSpec.from_json(text) == spec
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("channels", "mean", "std"), [(2, (0, 0), (1, 1)), (3, (0,), (1,)), (1, (0,), (1, 1))]
)
def test_channels_and_their_scaling_must_fit(
    channels: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="as many means"):
        ModelSpec("x", IBUG68, CropSpec("box", 1.4), 128, channels, mean, std)


def test_the_schema_is_plain_json_inside() -> None:
    spec = ModelSpec("x", IBUG68, CropSpec("box", 1.4), 128, 1, (0.5,), (0.25,))
    assert json.loads(spec.to_json())["schema"]["norm_pair"] == [36, 45]


def test_a_spec_of_before_the_tail_was_known_has_none() -> None:
    spec = ModelSpec("x", IBUG68, CropSpec("box", 1.4), 128, 1, (0.5,), (0.25,))
    fields = json.loads(spec.to_json())
    del fields["tail"]
    assert ModelSpec.from_json(json.dumps(fields)) == spec


@pytest.mark.parametrize("dof", [2.0, -1.0, float("nan")])
def test_a_tail_without_a_covariance_is_refused(dof: float) -> None:
    with pytest.raises(ValueError, match="above 2"):
        ModelSpec("x", IBUG68, CropSpec("box", 1.4), 128, 1, (0.5,), (0.25,), dof)
