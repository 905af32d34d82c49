"""The sources of a training, and their deterministic train/validation/test splits, the same on
every machine.

``official`` is the YouTube-faces CSVs as published; it leaks, since every person of its test frames
is among the training frames too. ``disjoint:k`` is fold ``k`` of five by person, over the labeled
frames of both CSVs. In both, every tenth photo of 300-W is test: photos sorted by name, the 10th,
20th, 30th, … with all their faces.

``official`` splits custom data by the names of subsets: *test*, *val*, else train. Without such
names a tenth of the groups (images, photos) is test, chosen by a hash of their names; where all
are for validation, all are test. ``disjoint:k`` folds all groups.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.known_sets import KNOWN_SETS, YOUTUBE_FACES, KnownLabels, recognize
from facedots.annotations.load import AnnotationSet, ReadOptions, load_annotations, load_known
from facedots.annotations.packs import is_pack
from facedots.data.synthetic import cached_synthetic
from facedots.errors import DataError
from facedots.io.text import utf8
from facedots.schema import IBUG68, KeypointSchema

CUSTOM = "custom"
"""The source that is no known set: whatever annotations a path stands for."""
SOURCE_NAMES = (*KNOWN_SETS, CUSTOM)
"""All sources that a recipe may name."""


FOLDS = 5
SPLITS = ("official", *(f"disjoint:{k}" for k in range(FOLDS)))
"""The splits: ``official``, and five folds without a person on both sides."""
SEED = 20260
"""Decides the folds and the held-out groups; another one makes published ``disjoint`` numbers
incomparable.
"""

CUSTOM_TEST_FRACTION = 0.1
"""Share of custom faces that is test where no subset is called so."""

Faces = list[FaceAnnotation]


@dataclass(frozen=True)
class Split:
    """Three lists of faces without a common image; that to train on may be empty.

    Attributes:
        train: To fit the weights.
        validation: To choose the checkpoint; its groups (person, photo) are not in ``train``.
        test: To measure on.
        schema: What the points of all of them mean.
        by_hash: Whether no subset is called test, so that a hash chose ``test``.

    Example:
        >>> split = load_split("synthetic:20", [], "official")  # doctest: +SKIP
        >>> len(split.train), len(split.validation), len(split.test)  # doctest: +SKIP
        (16, 2, 2)
    """

    train: Faces
    validation: Faces
    test: Faces
    schema: KeypointSchema = IBUG68
    by_hash: bool = False


def load_split(
    data: str | Path,
    sources: Sequence[str],
    split: str,
    validation: float = 0.04,
    options: ReadOptions | None = None,
) -> Split:
    """The faces of a split by name.

    Args:
        data: Folder that holds the known sets; with the source ``custom`` whatever
            :func:`~facedots.annotations.load.load_annotations` takes; or ``"synthetic:N"`` for N
            drawn faces, split 80 / 10 / 10, whatever the other arguments.
        sources: Some of the known sets, joined in this order; or ``custom`` alone.
        split: One of :data:`SPLITS`.
        validation: Share of each source's training faces to hold out, by whole groups.
        options: How to read the files; of known sets only the ``origin`` can be changed.

    Raises:
        DataError: An argument is none of these, or files are missing.
        AnnotationError: The files have faults.
    """
    if str(data).startswith("synthetic:"):
        return _synthetic(str(data))
    if split not in SPLITS:
        raise DataError(f"no split {split!r}: use one of {', '.join(SPLITS)}")
    if not sources or not set(sources) <= set(SOURCE_NAMES):
        raise DataError(f"sources {list(sources)}: use one or more of {', '.join(SOURCE_NAMES)}")
    if CUSTOM in sources and len(set(sources)) > 1:
        reason = "since its points may mean something else"
        raise DataError(f"sources {list(sources)}: {CUSTOM} stands alone, {reason}")
    if not 0 <= validation < 1:
        raise DataError(f"the share held out for validation must be in [0, 1), not {validation}")
    if CUSTOM in sources:
        return _custom(data, split, validation, options)
    result = Split([], [], [])
    for source in dict.fromkeys(sources):
        subsets = load_source(data, source, options).subsets
        if source == YOUTUBE_FACES.name:
            train, test = subsets["training"], subsets["test"]
            if split != "official":
                train, test = _fold([*train, *test], split)
        else:
            faces = subsets[source]
            train, test = _partition(faces, sorted({face.group for face in faces})[9::10])
        rest, held_out = _partition(train, held_out_groups(train, validation))
        result.train.extend(rest)
        result.validation.extend(held_out)
        result.test.extend(test)
    return result


def load_source(data: str | Path, name: str, options: ReadOptions | None = None) -> AnnotationSet:
    """A known data set in the folder ``data`` or below it, whole and with its facts; the ``origin``
    of the options replaces the set's.

    Raises:
        DataError: The files are missing.
        AnnotationError: They have faults.

    Example:
        >>> train, test = load_source("data", "youtube-faces").subsets.values()  # doctest: +SKIP
    """
    if is_pack(data):
        return _packed_source(data, name, options)
    labels = _whole_set(data, name)
    if not labels:
        needed, (here,) = ", ".join(KNOWN_SETS[name].labels.values()), detect_sources(data)
        fix = f"it has {here}"
        if here == CUSTOM:
            fix = (
                "`facedots data download` fetches YouTube Faces; your own need recipes/custom.yaml"
            )
        raise DataError(
            f"no {name} data at {data}: {needed} must be there or in its folder {name}; "
            f"{fix}: --sources {here}"
        )
    return load_known(labels, ReadOptions(origin=options.origin if options else None))


def _packed_source(data: str | Path, name: str, options: ReadOptions | None) -> AnnotationSet:
    """A known data set out of a pack, which may hold others, too."""
    packed = load_annotations(data, options)
    subsets = {
        subset.removeprefix(f"{name}/"): faces
        for subset, faces in packed.subsets.items()
        if all(face.label_style == name for face in faces)
    }
    known = KNOWN_SETS[name]
    if missing := set(known.labels if known.subsets else [name]) - subsets.keys():
        fix = "pack a folder that has it too, or name the --sources that are here"
        needed = ", ".join(sorted(missing))
        raise DataError(f"{data}: no {name} data in this pack ({needed}); {fix}")
    return AnnotationSet(subsets, packed.schema)


def detect_sources(data: str | Path) -> tuple[str, ...]:
    """The source of a path: the first known set that is there, else custom data.

    >>> detect_sources("cats/labels.csv")
    ('custom',)
    """
    if is_pack(data):
        styles = {face.label_style for face in load_annotations(data).faces}
        return (next((name for name in KNOWN_SETS if name in styles), CUSTOM),)
    return (next((name for name in KNOWN_SETS if _whole_set(data, name)), CUSTOM),)


def _whole_set(data: str | Path, name: str) -> list[KnownLabels]:
    """The labels of a known set, if a path holds all of them."""
    found = [labels for labels in recognize(Path(data)) if labels.known.name == name]
    return found if len(found) == len(KNOWN_SETS[name].labels) else []


def role_of(subset: str) -> str:
    """What a subset of custom data is for, by its name: ``"train"``, ``"val"`` or ``"test"``.

    >>> [role_of(name) for name in ("person_keypoints_val2017", "test", "cats", "contest_2")]
    ['val', 'test', 'train', 'train']
    """
    match = re.search(r"(?<![a-z])(?:(test)|val|valid|validation)(?![a-z])", subset.lower())
    return "train" if match is None else match[1] or "val"


def held_out_groups(faces: Iterable[FaceAnnotation], share: float) -> set[str]:
    """Whole groups with at least ``share`` of the faces, but not with one group less."""
    sizes = Counter(face.group for face in faces)
    target, total = share * sizes.total(), 0
    chosen: set[str] = set()
    for group in sorted(sizes, key=_shuffle_key):
        if total >= target:
            break
        chosen.add(group)
        total += sizes[group]
    return chosen


def person_folds(faces: Iterable[FaceAnnotation]) -> dict[str, int]:
    """Group -> fold in 0 … 4, of nearly equal sizes: large groups first, each to the emptiest."""
    sizes = Counter(face.group for face in faces)
    filled = [0] * FOLDS
    folds: dict[str, int] = {}
    for group in sorted(sizes, key=lambda group: (-sizes[group], _shuffle_key(group))):
        folds[group] = filled.index(min(filled))
        filled[folds[group]] += sizes[group]
    return folds


def _shuffle_key(group: str) -> str:
    """Sort key that shuffles groups the same way everywhere, whatever the other groups."""
    return hashlib.sha256(utf8(f"{SEED}/{group}")).hexdigest()


def _partition(faces: Faces, groups: Iterable[str]) -> tuple[Faces, Faces]:
    """The other faces, and those of some groups: in this order."""
    chosen = set(groups)
    parts: tuple[Faces, Faces] = ([], [])
    for face in faces:
        parts[face.group in chosen].append(face)
    return parts


def _fold(faces: Faces, split: str) -> tuple[Faces, Faces]:
    """Training and test faces of a ``disjoint`` split."""
    fold = int(split.removeprefix("disjoint:"))
    return _partition(faces, [g for g, number in person_folds(faces).items() if number == fold])


def _custom(data: str | Path, split: str, validation: float, options: ReadOptions | None) -> Split:
    annotations = load_annotations(data, options)
    roles: dict[str, Faces] = {"train": [], "val": [], "test": []}
    for subset, faces in annotations.subsets.items():
        roles[role_of(subset)] += _with_box(faces)
    train, val, test = roles.values()
    if not train + val + test:
        flat = f"all {len(annotations.faces)} faces have their points in one place, and no box"
        raise DataError(f"{data}: no face of use: {flat}")
    if split != "official":
        train, test = _fold([*train, *val, *test], split)
        val = []
    if by_hash := not test:
        train, test = _partition(train, held_out_groups(train, CUSTOM_TEST_FRACTION))
    if not test:
        val, test = [], val
    if not val:
        train, val = _partition(train, held_out_groups(train, validation))
    return Split(train, val, test, annotations.schema, by_hash)


def _with_box(faces: Faces) -> Faces:
    """The faces that have a box or whose labeled points span one, since crops need it; each with a
    group.
    """
    boxes = np.stack([face.tight_box for face in faces])
    usable = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).any(axis=1)
    return [
        replace(faces[i], group=f"{CUSTOM}/{faces[i].group or faces[i].name}")
        for i in np.flatnonzero(usable)
    ]


def _synthetic(data: str) -> Split:
    number = data.removeprefix("synthetic:")
    if not number.isdecimal() or len(number) > 7 or int(number) < 10:
        hint = "synthetic:N needs a number of faces, 10 to 9999999, as in synthetic:2000"
        raise DataError(f"{data}: {hint}")
    faces = cached_synthetic(int(number))
    train, test = len(faces) * 8 // 10, len(faces) // 10
    return Split(faces[:train], faces[train:-test], faces[-test:])
