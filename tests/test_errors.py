import inspect

import pytest

from facedots import errors
from facedots.errors import AnnotationError, FacedotsError


def test_every_error_is_a_facedots_error_and_says_what_for() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    ]
    assert len(kinds) > 5
    assert all(issubclass(kind, FacedotsError) and kind.__doc__ for kind in kinds)


@pytest.mark.parametrize(("count", "head"), [(1, "x.csv: 1 fault"), (2, "x.csv: 2 faults")])
def test_annotation_faults_are_all_there(count: int, head: str) -> None:
    error = AnnotationError("x.csv", [f"row {i}" for i in range(count)])
    assert str(error).splitlines() == [head, *(f"  row {i}" for i in range(count))]


def test_a_flood_of_faults_is_cut_in_the_text_but_kept() -> None:
    error = AnnotationError("x.csv", [f"row {i}" for i in range(50)])
    assert len(error.faults) == 50
    assert str(error).splitlines()[-2:] == ["  row 19", "  … and 30 more"]
