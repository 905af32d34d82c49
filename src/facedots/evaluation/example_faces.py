"""Faces of a test set as small images: the best, typical, worst and missed ones."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from facedots.evaluation.metrics import Doubles
from facedots.evaluation.result import Evaluation
from facedots.geometry import Image
from facedots.io.images import read_image
from facedots.plots.faces import Comparison, comparison_tile

FACES_PER_ROW = 6
_WORST, _TYPICAL, _MISSED = 10, 5, 10


def ranking(evaluation: Evaluation) -> list[int]:
    """The indices of the faces that were not missed, lowest NME first."""
    order = np.argsort(evaluation.nme, kind="stable")
    indices: list[int] = order[np.isfinite(evaluation.nme[order])].tolist()
    return indices


def example_rows(evaluation: Evaluation) -> dict[str, list[Comparison]]:
    """The faces with the lowest, the middle and the highest NME, without missed ones."""
    order = ranking(evaluation)
    rows = {
        "best": order[:FACES_PER_ROW],
        "typical": _middle(order, FACES_PER_ROW),
        "worst": order[::-1][:FACES_PER_ROW],
    }
    return {name: [_comparison(evaluation, face) for face in row] for name, row in rows.items()}


def example_tiles(
    evaluation: Evaluation, others: Iterable[Evaluation] = ()
) -> dict[str, list[tuple[Image, str]]]:
    """Small images of the worst, typical and missed faces with captions: name, NME, size, turn.

    Args:
        evaluation: Whose predictions are drawn.
        others: Evaluations of the same faces; their NME is in the captions.

    Raises:
        ImageError: An image cannot be read any more.
    """
    order = ranking(evaluation)
    missed: list[int] = np.flatnonzero(np.isinf(evaluation.nme)).tolist()
    rows = {
        "largest errors": order[::-1][:_WORST],
        "typical faces": _middle(order, _TYPICAL),
        "missed: no box on these faces": missed[:_MISSED],
    }
    nme = {other.name: other.nme for other in others}
    return {
        title: [
            (comparison_tile(_comparison(evaluation, i)), _caption(evaluation, i, nme)) for i in row
        ]
        for title, row in rows.items()
        if row
    }


def _middle(order: list[int], count: int) -> list[int]:
    start = max(0, (len(order) - count) // 2)
    return order[start : start + count]


def _comparison(evaluation: Evaluation, face: int) -> Comparison:
    return Comparison(
        image=read_image(evaluation.images[face], orient=False),
        true=evaluation.true[face],
        predicted=evaluation.predicted[face],
        title=f"{Path(evaluation.names[face]).name}\nNME {evaluation.nme[face]:.2f} %",
    )


def _caption(evaluation: Evaluation, face: int, others: Mapping[str, Doubles]) -> str:
    error, attributes = evaluation.nme[face], evaluation.attributes
    lines = [evaluation.names[face], f"NME {error:.1f} %" if np.isfinite(error) else "missed"]
    lines += [f"{name}: {errors[face]:.1f} %" for name, errors in others.items()]
    yaw = attributes["yaw"][face]
    turn = f", turned {abs(yaw):.0f}°" if np.isfinite(yaw) else ""
    return "\n".join([*lines, f"eyes {attributes['eye_distance'][face]:.0f} px apart{turn}"])
