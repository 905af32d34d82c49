"""Which faces of a test set to look at, as images."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from facedots.evaluation.protocol import Evaluation
from facedots.geometry import Image
from facedots.io.images import read_image
from facedots.plots.faces import Comparison, comparison_tile

FACES_PER_ROW = 6


def chosen_faces(evaluation: Evaluation) -> dict[str, list[Comparison]]:
    """The faces with the lowest, the middle and the highest NME; missed ones have nothing to show."""
    order = found_by_nme(evaluation)
    count = min(FACES_PER_ROW, len(order))
    middle = (len(order) - count) // 2
    rows = {
        "best": order[:count],
        "typical": order[middle : middle + count],
        "worst": order[::-1][:count],
    }
    return {
        name: [comparison(evaluation, face) for face in chosen] for name, chosen in rows.items()
    }


def found_by_nme(evaluation: Evaluation) -> list[int]:
    """The indices of the faces that were found, lowest NME first."""
    order = np.argsort(evaluation.nme, kind="stable")
    return [int(face) for face in order[np.isfinite(evaluation.nme[order])]]


def comparison(evaluation: Evaluation, face: int) -> Comparison:
    """One face with its true and its predicted points, named and with its NME.

    Raises:
        ImageError: Its image cannot be read any more.
    """
    return Comparison(
        image=read_image(evaluation.images[face], orient=False),
        true=evaluation.true[face],
        predicted=evaluation.predicted[face],
        title=f"{Path(evaluation.names[face]).name}\nNME {evaluation.nme[face]:.2f} %",
    )


def tiles(
    evaluation: Evaluation, faces: Iterable[int], others: Mapping[str, Evaluation]
) -> list[tuple[Image, str]]:
    """Small images of faces, each with a caption: name, NME, how large and how turned.

    Args:
        evaluation: Whose predictions are drawn.
        faces: Their indices.
        others: By name, the same faces measured with other networks; their NME stands in the
            caption.

    Raises:
        ImageError: An image cannot be read any more.
    """
    return [
        (comparison_tile(comparison(evaluation, face)), _caption(evaluation, face, others))
        for face in faces
    ]


def _caption(evaluation: Evaluation, face: int, others: Mapping[str, Evaluation]) -> str:
    missed = not np.isfinite(evaluation.nme[face])
    lines = [evaluation.names[face], "missed" if missed else f"NME {evaluation.nme[face]:.1f} %"]
    lines += [f"{name}: {other.nme[face]:.1f} %" for name, other in others.items()]
    yaw = evaluation.attributes["yaw"][face]
    turned = f", turned {abs(yaw):.0f}°" if np.isfinite(yaw) else ""
    return "\n".join(
        [*lines, f"eyes {evaluation.attributes['eye_distance'][face]:.0f} px apart{turned}"]
    )
