"""Whether results may stand side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facedots.evaluate.result import Result

_LABELS_AGREE = 0.01  # pixels


def same_faces(first: Result, second: Result) -> bool:
    """Whether both were measured on the same faces in the same order, with the same labels."""
    one, other = first.evaluation, second.evaluation
    return one.names == other.names and bool(np.allclose(one.true, other.true, rtol=0, atol=_LABELS_AGREE, equal_nan=True))


def obstacles(results: Sequence[Result]) -> list[str]:
    """Why the numbers of the results cannot be compared, a sentence each: other points, other faces, other labels."""
    first = results[0]
    sentences = []
    for other in results[1:]:
        one, two = first.evaluation, other.evaluation
        pair = f"{first.name} and {other.name}"
        if one.schema != two.schema:
            sentences.append(f"{pair} predict different points ({one.schema.name} and {two.schema.name}).")
        elif one.names != two.names:
            shared = len(set(one.names) & set(two.names))
            sentences.append(
                f"{pair} were measured on different faces: {_what(first)} with {len(one.names)} faces, against "
                f"{_what(other)} with {len(two.names)}; {shared} are in both."
            )
        elif not same_faces(first, other):
            sentences.append(f"{pair} were measured on the same faces, but with different labels.")
    return sentences


def cautions(results: Sequence[Result]) -> list[str]:
    """What differs between results that may be compared all the same, a sentence each."""
    sentences = []
    if len({result.setting.boxes for result in results}) > 1:
        boxes = "; ".join(f"{result.name}: {BOXES.get(result.setting.boxes, result.setting.boxes)}" for result in results)
        sentences.append(f"The boxes came from different places, which alone changes the error ({boxes}).")
    trained = {result.setting.trained_split for result in results}
    if len(trained) > 1:
        splits = "; ".join(f"{result.name}: {result.setting.trained_split or 'unknown'}" for result in results)
        sentences.append(f"The networks were trained on different splits, so not all have seen the same faces ({splits}).")
    seen: dict[str, str] = {}
    for result in results:
        settings = (result.setting.weights_sha256, result.setting.boxes)
        twin = seen.setdefault("/".join(settings), result.name)
        if twin != result.name:
            sentences.append(f"{twin} and {result.name} are the same weights.")
    return sentences


def with_own_names(results: Sequence[Result], origins: Sequence[str]) -> list[str]:
    """A name for each result: its own, and where two are called the same, the folder or file that it came from behind it."""
    names = [result.name for result in results]
    for told in ([Path(origin).name for origin in origins], origins, [f"{i + 1}" for i in range(len(names))]):
        own = [f"{name} ({more})" if names.count(name) > 1 else name for name, more in zip(names, told, strict=True)]
        if len(set(own)) == len(own):
            break
    return own


BOXES = {"truth": "the tight box of the true points", "none": "nowhere: it sees the whole picture"}
"""What ``Setting.boxes`` means, in words; any other is the name of a detector."""


def _what(result: Result) -> str:
    return f"{', '.join(result.setting.sources) or result.setting.data}, split {result.setting.split}"
