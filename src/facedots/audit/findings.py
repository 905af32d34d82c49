"""Findings of an audit in sentences: the answer to each question, with its level."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from facedots.audit.audit import AGAINST, Audit
from facedots.audit.stats import SubsetStats

Level = Literal["error", "warning", "skipped", "ok"]
"""``error``: something is wrong; ``warning``: users of the data must know it; ``skipped``: not
checked; ``ok``.
"""


MAX_ROUNDING = 10.0
"""Percent NME that rounding may cost; faces with eyes 4 pixels apart come to it."""


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Attributes:
        check: The question, a few words.
        level: Severity of the answer.
        text: The answer.

    Example:
        >>> Finding("Equal files", "ok", "no two images have the same bytes").level
        'ok'
    """

    check: str
    level: Level
    text: str


def summarize(audit: Audit) -> list[Finding]:
    """All questions and answers, the most severe first."""
    checks = (
        _readable,
        _equal_files,
        _near_duplicates,
        _shared_people,
        _shared_names,
        _plausibility,
        _rounding,
        _offset,
        _order,
        _points,
        _copied_labels,
        _outliers,
        _coverage,
    )
    findings = [finding for check in checks for finding in check(audit)]
    return sorted(findings, key=lambda finding: get_args(Level).index(finding.level))


def count_noun(count: int, noun: str) -> str:
    """A number and what is counted.

    >>> count_noun(1, "face"), count_noun(3, "face")
    ('1 face', '3 faces')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def _readable(audit: Audit) -> Iterator[Finding]:
    files = {name: stats.files for name, stats in _audited(audit).items()}
    errors = [error for stats in files.values() for error in stats.unreadable]
    total = sum(stats.images for stats in files.values())
    check = "Images can be read"
    if errors:
        yield Finding(check, "error", f"{len(errors)} of {total} cannot, as {errors[0]}")
    else:
        yield Finding(check, "ok", f"all {total} of them")
    check = "File names match the format"
    misnamed = "; ".join(
        f"{name}: {stats.misnamed} {'/'.join(stats.formats)} files under another format's suffix"
        for name, stats in files.items()
        if stats.misnamed
    )
    if misnamed:
        text = f"{misnamed}. Software that goes by the name reads them otherwise or not at all"
        yield Finding(check, "warning", text)
    else:
        yield Finding(check, "ok", "the bytes have the format of the suffix")
    alpha = {name: stats.modes.get("RGBA", 0) for name, stats in files.items()}
    counts = "; ".join(f"{name}: {count}" for name, count in alpha.items() if count)
    if counts:
        text = f"images with an alpha channel: {counts}"
        hint = "Some readers give four channels, or floats in [0, 1]"
        yield Finding("Channels", "warning", f"{text}. {hint}")


def _equal_files(audit: Audit) -> Iterator[Finding]:
    images, pairs = audit.images, audit.equal_files
    if not pairs:
        yield Finding("Equal files", "ok", "no two images have the same bytes")
        return
    inside = sum(images[a].subset == images[b].subset for a, b in pairs)
    across = f", {len(pairs) - inside} across subsets" if len(pairs) > inside else ""
    example = f"{images[pairs[0][1]].name} repeats {images[pairs[0][0]].name}"
    text = f"{count_noun(inside, 'file')} with the bytes of another of the same subset"
    yield Finding("Equal files", "error", f"{text}{across}: {example}")


def _near_duplicates(audit: Audit) -> Iterator[Finding]:
    check = "Near duplicates in a subset"
    inside = [pair for name in audit.subsets for pair in audit.near_duplicates_between(name, name)]
    if inside:
        images = {i for pair in inside for i in (pair.first, pair.second)}
        where = f"{count_noun(len(inside), 'pair')} among {count_noun(len(images), 'image')}"
        yield Finding(check, "warning", f"{where} that look the same")
    else:
        yield Finding(check, "ok", "no two images of a subset look the same")
    check = "Near duplicates across subsets"
    found = False
    for first, second in audit.subset_pairs:
        pairs = audit.near_duplicates_between(first, second)
        images = {i for pair in pairs for i in (pair.first, pair.second)}
        count = sum(audit.images[i].subset == second for i in images)
        if count:
            found = True
            text = f"{count_noun(count, 'image')} of {second} nearly equal to one of {first}"
            yield Finding(check, "error", f"{text}: scores on these measure memory")
    if audit.subset_pairs and not found:
        yield Finding(check, "ok", "no image looks the same as one of another subset")


def _shared_people(audit: Audit) -> Iterator[Finding]:
    check, subsets, pairs = "People in one subset only", audit.stats.subsets, audit.subset_pairs
    shared = [
        pair for pair in audit.stats.shared if pair.groups and (pair.first, pair.second) in pairs
    ]
    for pair in shared:
        second = subsets[pair.second]
        videos = f" and {pair.videos} of its {second.videos} videos" if pair.videos else ""
        people = f"{pair.groups} of {second.groups} people or photos of {pair.second}"
        yield Finding(check, "error", f"{people}{videos} are in {pair.first} too: the split leaks")
    if pairs and not shared:
        if any(stats.groups for stats in subsets.values()):
            yield Finding(check, "ok", "no person or photo is in two subsets")
        else:
            yield Finding(check, "skipped", "the annotations do not tell people apart")


def _shared_names(audit: Audit) -> Iterator[Finding]:
    for pair in audit.stats.shared:
        if pair.names_of_other_images and (pair.first, pair.second) in audit.subset_pairs:
            names = count_noun(pair.names_of_other_images, "file name")
            text = f"{names} in both {pair.first} and {pair.second}, for different images"
            hint = "A name alone does not identify an image"
            yield Finding("Unique file names", "warning", f"{text}. {hint}")


def _plausibility(audit: Audit) -> Iterator[Finding]:
    check = "Labels can be right"
    faults = [
        f"{name}: {fault}"
        for name, one in audit.plausibility.items()
        for fault in one.faults(audit.schema)
    ]
    yield from (Finding(check, "error", fault) for fault in faults)
    if faults:
        return
    judged = sum(one.faces for one in audit.plausibility.values())
    text = f"they have the shape of {audit.schema.name}, " if judged else "they have "
    yield Finding(check, "ok", f"{text}a size and a place that faces can have")


def _rounding(audit: Audit) -> Iterator[Finding]:
    check = "Exact coordinates"
    for name, stats in _audited(audit).items():
        cost = f"{stats.labels.rounding_nme:.2f} % NME"
        if stats.labels.whole_numbers:
            text = f"{name}: all coordinates are whole numbers. Rounding alone costs {cost}"
            level: Level = "error" if stats.labels.rounding_nme > MAX_ROUNDING else "warning"
            yield Finding(check, level, f"{text}: no network can be measured below that")
        elif stats.labels.rounding_nme > MAX_ROUNDING:
            text = f"{name}: rounding to whole pixels would cost {cost}"
            yield Finding(check, "error", f"{text}: the coordinates are no pixels")
        else:
            text = f"{name}: not rounded to whole pixels, which would cost {cost}"
            yield Finding(check, "ok", text)


def _offset(audit: Audit) -> Iterator[Finding]:
    check = "Labels lie on the features"
    if not audit.label_offsets:
        yield Finding(check, "skipped", audit.skip_reason or "no image could be read")
    for name, offset in audit.label_offsets.items():
        x, y = offset.pixels
        side, height = "right" if x > 0 else "left", "below" if y > 0 else "above"
        error, percent = offset.error[0], abs(offset.percent[0])
        horizontal = f"{name}: {abs(x):.2f} ± {error:.2f} px to the {side} ({percent:.1f} %)"
        vertical = f"{abs(y):.2f} px {height} the prediction, which may be the network's bias"
        text = f"{horizontal}; {vertical}"
        if audit.is_implausible(name):
            yield Finding(check, "skipped", f"{name}: the labels as a whole are at fault")
        elif offset.significant:
            cost = f"A network that finds the features exactly would score {offset.nme:.1f} % NME"
            yield Finding(check, "error", f"{text}. {cost}")
        else:
            yield Finding(check, "ok", text)


def _order(audit: Audit) -> Iterator[Finding]:
    check = "Points in their order"
    names = Counter(permutation.name for permutation in audit.permutations if permutation)
    if not names and any(map(audit.is_implausible, audit.subsets)):
        yield Finding(check, "skipped", "the labels as a whole are at fault")
        return
    if not names:
        text = "no label has left and right or the order of points wrong"
        yield Finding(check, "ok", text)
        return
    kinds = ", ".join(f"{count} with {name}" for name, count in names.most_common())
    text = f"{count_noun(names.total(), 'label')} in a wrong order: {kinds}"
    if names.total() > len(audit.faces) / 2:
        text += ". Most labels have it: the data set follows another order"
    yield Finding(check, "error", f"{text}. --fix corrects that in a copy")


def _points(audit: Audit) -> Iterator[Finding]:
    check, outside = "Points inside the image", False
    for name, stats in _audited(audit).items():
        labels = stats.labels
        if labels.points_outside:
            outside = True
            points = count_noun(labels.points_outside, "point")
            faces = count_noun(labels.faces_outside, "face")
            low, high = labels.coordinates.min, labels.coordinates.max
            distance = f"by up to {labels.furthest_outside:.1f} px"
            text = f"{name}: {points} of {faces} outside, {distance}"
            yield Finding(check, "warning", f"{text}; coordinates go from {low:g} to {high:g}")
        if labels.missing_points:
            text = f"{name}: {count_noun(labels.missing_points, 'point')} missing"
            yield Finding("All points labeled", "warning", text)
    if not outside:
        yield Finding(check, "ok", "all of them")


def _copied_labels(audit: Audit) -> Iterator[Finding]:
    if pairs := audit.copied_labels:
        first, second = (audit.faces[i].name for i in pairs[0])
        faces = count_noun(len(pairs), "face")
        text = f"{faces} with exactly the points of one in another image, as {second} with {first}"
        yield Finding("Unique labels", "error", text)
    else:
        yield Finding("Unique labels", "ok", "no label is the copy of another image's")


def _outliers(audit: Audit) -> Iterator[Finding]:
    check = "Labels look right"
    if not audit.label_outliers.tests:
        yield Finding(check, "skipped", "too few faces, or faces of too few points, to compare")
        return
    counts = audit.label_outliers.counts
    if not counts:
        yield Finding(check, "ok", "none is an outlier")
        return
    total = sum(counts.values())
    kinds = ", ".join(f"{count} {name}" for name, count in counts.items())
    share = f"{count_noun(total, 'face')} ({100 * total / len(audit.faces):.1f} %)"
    yield Finding(check, "warning", f"{share} to look at: {kinds}")


def _coverage(audit: Audit) -> Iterator[Finding]:
    check = "All kinds of faces"
    rare = [
        f"{measure.name}: {name}"
        for measure in audit.coverage
        if np.isfinite(measure.values).any()
        for name in measure.rare
    ]
    if rare:
        text = f"less than 2 % of the faces each: {'; '.join(rare)}"
        yield Finding(check, "warning", text)
    else:
        yield Finding(check, "ok", "at least 2 % of the faces are in every class")


def _audited(audit: Audit) -> dict[str, SubsetStats]:
    subsets = audit.stats.subsets
    return {name: stats for name, stats in subsets.items() if not name.startswith(AGAINST)}
