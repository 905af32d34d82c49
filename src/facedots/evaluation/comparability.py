"""What a reader of scores must know: caveats of one evaluation, and whether several compare."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facedots.evaluation.result import EvalContext, Evaluation

_LABELS_AGREE = 0.01  # pixels


def caveats(context: EvalContext) -> list[str]:
    """Why scores of an evaluation may mislead, a sentence each."""
    people = "youtube-faces" in context.sources
    sentences = []
    if people and context.trained_split not in ("", "synthetic", context.split):
        sentences.append(
            f"The network was trained on split {context.trained_split}, which contains faces of "
            "this test set: its scores are too good."
        )
    if people and context.split == "official":
        sentences.append(
            "The official split leaks: everyone in its test set is in its training set too. "
            "Compare with a disjoint split."
        )
    others = [source for source in context.sources if source != context.label_style]
    if context.label_style and others:
        sentences.append(
            f"The network predicts points in the labeling style of {context.label_style}, and "
            f"{' and '.join(others)} is labeled in another: part of the error is that difference. "
            f"`facedots export RUN --label-style {others[0]}` exports its network in that style."
        )
    if context.data.startswith("synthetic:"):
        sentences.append(
            "These faces were drawn by facedots; the scores do not carry over to real ones."
        )
    return sentences


def same_faces(first: Evaluation, second: Evaluation) -> bool:
    """Whether both were measured on the same faces in the same order, with the same labels."""
    tolerance = {"rtol": 0.0, "atol": _LABELS_AGREE}
    return first.names == second.names and bool(
        np.allclose(first.true, second.true, equal_nan=True, **tolerance)
    )


def incompatibilities(evaluations: Sequence[Evaluation]) -> list[str]:
    """Why scores cannot be compared, a sentence each: other points, faces or labels."""
    first = evaluations[0]
    sentences = []
    for other in evaluations[1:]:
        pair = f"{first.name} and {other.name}"
        if first.schema != other.schema:
            schemas = f"{first.schema.name} and {other.schema.name}"
            sentences.append(f"{pair} predict different points ({schemas}).")
        elif first.names != other.names:
            one, two = (
                f"{e.context.faces_text}, split {e.context.split} with {len(e.names)} faces"
                for e in (first, other)
            )
            shared = len(set(first.names) & set(other.names))
            sentences.append(
                f"{pair} were measured on different faces: {one}, and {two}; {shared} are in both."
            )
        elif not same_faces(first, other):
            sentences.append(f"{pair} were measured on the same faces, but with different labels.")
    return sentences


def comparison_warnings(evaluations: Sequence[Evaluation]) -> list[str]:
    """Differences between evaluations that can be compared nevertheless, a sentence each."""
    sentences = []
    if len({e.context.boxes for e in evaluations}) > 1:
        boxes = "; ".join(f"{e.name}: {e.context.boxes_text}" for e in evaluations)
        sentences.append(
            f"The boxes came from different places, which alone changes the error ({boxes})."
        )
    if len({e.context.trained_split for e in evaluations}) > 1:
        splits = "; ".join(f"{e.name}: {e.context.trained_split or 'unknown'}" for e in evaluations)
        sentences.append(
            "The networks were trained on different splits, so on different faces of the data "
            f"({splits})."
        )
    names: dict[tuple[str, str], str] = {}
    for e in evaluations:
        first = names.setdefault((e.context.weights_sha256, e.context.boxes), e.name)
        if first != e.name:
            sentences.append(f"{first} and {e.name} are the same weights.")
    return sentences


def distinct_names(evaluations: Sequence[Evaluation], origins: Sequence[str]) -> list[str]:
    """A name for each evaluation: its own; where two are equal, followed by the folder or file it
    came from.
    """
    names = [evaluation.name for evaluation in evaluations]
    numbers = [str(i + 1) for i in range(len(names))]
    for suffixes in ([Path(origin).name for origin in origins], origins, numbers):
        distinct = [
            f"{name} ({suffix})" if names.count(name) > 1 else name
            for name, suffix in zip(names, suffixes, strict=True)
        ]
        if len(set(distinct)) == len(distinct):
            break
    return distinct
