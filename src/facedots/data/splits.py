"""Who trains, who chooses the checkpoint, who is the exam. The same on every machine: no random
generator is involved.

``official`` is the YouTube-faces CSVs as published; it leaks, since every person of the test part
is in the training part too. ``disjoint:k`` is the fold ``k`` of five by person, over the labeled
frames of both CSVs. In both, every tenth photo of 300-W is
test: photos sorted by name, the 10th, 20th, 30th, … with all their faces. Of somebody's own data
    (source ``custom``), ``official``
is what the names of the files say (:mod:`facedots.data.custom`), else a tenth of the groups;
``disjoint:k`` folds all groups.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from facedots.annotations.base import FaceAnnotation
from facedots.data.custom import custom_faces
from facedots.data.sources import CUSTOM, SOURCE_NAMES, w300, youtube_faces
from facedots.data.synthetic import cached_synthetic
from facedots.errors import DataError
from facedots.schema import IBUG68, KeypointSchema

FOLDS = 5
SPLITS = ("official", *(f"disjoint:{k}" for k in range(FOLDS)))
SEED = 20260
"""Decides the folds and the held-out groups; a new one makes every published ``disjoint`` number
incomparable.
"""

CUSTOM_TEST_FRACTION = 0.1
"""Share of somebody's own faces that is test, where no file of theirs is called so."""


@dataclass(frozen=True)
class Split:
    """Three lists without a common frame.

    Attributes:
        train: To fit the weights.
        validation: To choose the checkpoint; no group of it (person, photo) is in ``train``.
        test: The exam.
        schema: What the points of all of them mean.
    """

    train: list[FaceAnnotation]
    validation: list[FaceAnnotation]
    test: list[FaceAnnotation]
    schema: KeypointSchema = IBUG68


def load_split(
    data: str | Path,
    sources: Sequence[str],
    split: str,
    validation: float = 0.04,
    schema: KeypointSchema | None = None,
) -> Split:
    """The annotations of a split by name.

    Args:
        data: Folder that holds the sources; with the source ``custom``, a CSV, a COCO file or a
            folder, as :func:`facedots.data.custom.custom_faces` takes it; or ``"synthetic:N"`` for
            N drawn faces, split 80 / 10 / 10; the rest is then ignored.
        sources: Some of :data:`~facedots.data.sources.SOURCES`; their lists are joined in this
            order. Or ``own`` alone.
        split: One of :data:`SPLITS`.
        validation: Share of each source's training part to hold out for validation, by whole
            groups.
        schema: What the points of somebody's own data mean, as where a network is measured that has
            one; None asks the data.

    Raises:
        DataError: An argument is none of these, or files are not there.
        AnnotationError: The files have faults.
    """
    if str(data).startswith("synthetic:"):
        return _synthetic(str(data))
    if split not in SPLITS:
        raise DataError(f"no split {split!r}: use one of {', '.join(SPLITS)}")
    if not sources or not set(sources) <= set(SOURCE_NAMES):
        raise DataError(f"sources {list(sources)}: use one or more of {', '.join(SOURCE_NAMES)}")
    if CUSTOM in sources and len(set(sources)) > 1:
        raise DataError(
            f"sources {list(sources)}: {CUSTOM} stands alone, since its points may mean something else"
        )
    if not 0 <= validation < 1:
        raise DataError(f"the share held out for validation must be in [0, 1), not {validation}")
    if CUSTOM in sources:
        return _own(data, split, validation, schema)
    result = Split([], [], [])
    for source in dict.fromkeys(sources):
        train, test = (
            _youtube(Path(data), split) if source == "youtube-faces" else _w300(Path(data))
        )
        rest, held = _divided(train, validation)
        result.train.extend(rest)
        result.validation.extend(held)
        result.test.extend(test)
    return result


def held_out_groups(faces: Iterable[FaceAnnotation], share: float) -> set[str]:
    """Whole groups that together hold at least ``share`` of the faces, and one group less would
    not.
    """
    sizes = Counter(face.group for face in faces)
    wanted, held = share * sizes.total(), 0
    chosen: set[str] = set()
    for group in sorted(sizes, key=_shuffle_key):
        if held >= wanted:
            break
        chosen.add(group)
        held += sizes[group]
    return chosen


def person_folds(faces: Iterable[FaceAnnotation]) -> dict[str, int]:
    """Group -> fold in 0 … 4, with nearly as many faces in each: the largest groups first, each to
    the emptiest fold.
    """
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


def _youtube(data: Path, split: str) -> tuple[list[FaceAnnotation], list[FaceAnnotation]]:
    train, test = youtube_faces(data)
    if split == "official":
        return train, test
    folds = person_folds(chain(train, test))
    fold = int(split.removeprefix("disjoint:"))
    everyone = [*train, *test]
    return [face for face in everyone if folds[face.group] != fold], [
        face for face in everyone if folds[face.group] == fold
    ]


def _w300(data: Path) -> tuple[list[FaceAnnotation], list[FaceAnnotation]]:
    faces = w300(data)
    exam = set(sorted({face.group for face in faces})[9::10])
    return [face for face in faces if face.group not in exam], [
        face for face in faces if face.group in exam
    ]


def _own(data: str | Path, split: str, validation: float, schema: KeypointSchema | None) -> Split:
    roles, meaning = custom_faces(data, schema)
    train, chosen, test = roles["train"], roles["val"], roles["test"]
    if split != "official":
        everyone, fold = [*train, *chosen, *test], int(split.removeprefix("disjoint:"))
        folds = person_folds(everyone)
        train, chosen, test = (
            [f for f in everyone if folds[f.group] != fold],
            [],
            [f for f in everyone if folds[f.group] == fold],
        )
    if not test:
        train, test = _divided(train, CUSTOM_TEST_FRACTION)
    if not chosen:
        train, chosen = _divided(train, validation)
    if not train:
        raise DataError(
            f"{data}: {len(test) + len(chosen)} faces are too few to hold some out and learn from the rest"
        )
    return Split(train, chosen, test, meaning)


def _divided(
    faces: list[FaceAnnotation], share: float
) -> tuple[list[FaceAnnotation], list[FaceAnnotation]]:
    """The faces without, and those of, the groups that are held out."""
    held = held_out_groups(faces, share)
    return [face for face in faces if face.group not in held], [
        face for face in faces if face.group in held
    ]


def _synthetic(data: str) -> Split:
    number = data.removeprefix("synthetic:")
    if not number.isdecimal() or int(number) < 10:
        raise DataError(
            f"{data}: synthetic:N needs a number of faces, at least 10, as in synthetic:2000"
        )
    faces = cached_synthetic(int(number))
    train, test = len(faces) * 8 // 10, len(faces) // 10
    return Split(faces[:train], faces[train:-test], faces[-test:])
