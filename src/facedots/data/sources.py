"""Data sets as training and evaluation name them: the known sets, or ``custom`` data."""

import re
from pathlib import Path

from facedots.annotations.known_sets import KNOWN_SETS, KnownLabels, recognize
from facedots.annotations.load import AnnotationSet, ReadOptions, load_known
from facedots.errors import DataError

CUSTOM = "custom"
"""The source that is no known set: whatever annotations a path stands for."""

SOURCE_NAMES = (*KNOWN_SETS, CUSTOM)
"""All that a recipe may name."""


def load_source(data: str | Path, name: str, options: ReadOptions | None = None) -> AnnotationSet:
    """A known data set, whole and with its facts.

    Args:
        data: The set's folder, or its parent.
        name: One of :data:`~facedots.annotations.known_sets.KNOWN_SETS`.
        options: Their ``origin`` replaces the set's.

    Raises:
        DataError: The files are missing.
        AnnotationError: They have faults.

    Example:
        >>> train, test = load_source("data", "youtube-faces").subsets.values()  # doctest: +SKIP
    """
    labels = _whole_set(data, name)
    if not labels:
        needed = ", ".join(KNOWN_SETS[name].labels.values())
        raise DataError(
            f"no {name} data at {data}: {needed} must be there or in its folder {name}; "
            "`facedots data download` fetches what is public, or point --data at a copy; "
            f"your own data are the source {CUSTOM}: recipes/custom.yaml, or --sources {CUSTOM}"
        )
    return load_known(labels, ReadOptions(origin=options.origin if options else None))


def detect_sources(data: str | Path) -> tuple[str, ...]:
    """The source of a path: the first known set that is there, else custom data.

    >>> detect_sources("cats/labels.csv")
    ('custom',)
    """
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
