"""Who trains, who chooses the checkpoint, who is the exam. The same on every machine: no random generator is involved.

``official`` is the YouTube-faces CSVs as published; it leaks, since every person of the test part is in the training part too.
``disjoint:k`` is the fold ``k`` of five by person, over the labelled frames of both CSVs. In both, every tenth photo of 300-W is
test: photos sorted by name, the 10th, 20th, 30th, … with all their faces.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from facedots.data.sources import SOURCES, w300, youtube_faces
from facedots.data.synthetic import cached_synthetic
from facedots.errors import DataError
from facedots.io.annotations import Annotation

FOLDS = 5
SPLITS = ("official", *(f"disjoint:{k}" for k in range(FOLDS)))
SEED = 20260
"""Decides the folds and the held-out groups; a new one makes every published ``disjoint`` number incomparable."""


@dataclass(frozen=True)
class Split:
    """Three lists without a common frame.

    Attributes:
        train: To fit the weights.
        validation: To choose the checkpoint; no group of it (person, photo) is in ``train``.
        test: The exam.
    """

    train: list[Annotation]
    validation: list[Annotation]
    test: list[Annotation]


def load_split(data: str | Path, sources: Sequence[str], split: str, validation: float = 0.04) -> Split:
    """The annotations of a split by name.

    Args:
        data: Folder that holds the sources, or ``"synthetic:N"`` for N drawn faces, split 80 / 10 / 10; the rest is then ignored.
        sources: Some of :data:`SOURCES`; their lists are joined in this order.
        split: One of :data:`SPLITS`.
        validation: Share of each source's training part to hold out for validation, by whole groups.

    Raises:
        DataError: An argument is none of these, or files are not there.
        AnnotationError: The files have faults.
    """
    if str(data).startswith("synthetic:"):
        return _synthetic(str(data))
    if split not in SPLITS:
        raise DataError(f"no split {split!r}: use one of {', '.join(SPLITS)}")
    if not sources or not set(sources) <= set(SOURCES):
        raise DataError(f"sources {list(sources)}: use one or more of {', '.join(SOURCES)}")
    if not 0 <= validation < 1:
        raise DataError(f"the share held out for validation must be in [0, 1), not {validation}")
    result = Split([], [], [])
    for source in dict.fromkeys(sources):
        train, test = _youtube(Path(data), split) if source == "youtube-faces" else _w300(Path(data))
        held = held_out_groups(train, validation)
        result.train.extend(face for face in train if face.group not in held)
        result.validation.extend(face for face in train if face.group in held)
        result.test.extend(test)
    return result


def held_out_groups(faces: Iterable[Annotation], share: float) -> set[str]:
    """Whole groups that together hold at least ``share`` of the faces, and one group less would not."""
    sizes = Counter(face.group for face in faces)
    wanted, held = share * sizes.total(), 0
    chosen: set[str] = set()
    for group in sorted(sizes, key=_shuffle_key):
        if held >= wanted:
            break
        chosen.add(group)
        held += sizes[group]
    return chosen


def person_folds(faces: Iterable[Annotation]) -> dict[str, int]:
    """Group -> fold in 0 … 4, with nearly as many faces in each: the largest groups first, each to the emptiest fold."""
    sizes = Counter(face.group for face in faces)
    filled = [0] * FOLDS
    folds: dict[str, int] = {}
    for group in sorted(sizes, key=lambda group: (-sizes[group], _shuffle_key(group))):
        folds[group] = filled.index(min(filled))
        filled[folds[group]] += sizes[group]
    return folds


def _shuffle_key(group: str) -> str:
    """Sorting by it shuffles, the same way everywhere and whatever other groups there are."""
    return hashlib.sha256(f"{SEED}/{group}".encode()).hexdigest()


def _youtube(data: Path, split: str) -> tuple[list[Annotation], list[Annotation]]:
    train, test = youtube_faces(data)
    if split == "official":
        return train, test
    folds = person_folds(chain(train, test))
    fold = int(split.removeprefix("disjoint:"))
    everyone = [*train, *test]
    return [face for face in everyone if folds[face.group] != fold], [face for face in everyone if folds[face.group] == fold]


def _w300(data: Path) -> tuple[list[Annotation], list[Annotation]]:
    faces = w300(data)
    exam = set(sorted({face.group for face in faces})[9::10])
    return [face for face in faces if face.group not in exam], [face for face in faces if face.group in exam]


def _synthetic(data: str) -> Split:
    number = data.removeprefix("synthetic:")
    if not number.isdecimal() or int(number) < 10:
        raise DataError(f"{data}: synthetic:N needs a number of faces, at least 10, as in synthetic:2000")
    faces = cached_synthetic(int(number))
    train, test = len(faces) * 8 // 10, len(faces) // 10
    return Split(faces[:train], faces[train:-test], faces[-test:])
