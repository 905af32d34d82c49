"""What an audit found, in sentences: one finding for each question that was put to the data."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np

from facedots.audit.audit import AGAINST, Audit
from facedots.audit.duplicates import DuplicatePair
from facedots.audit.stats import PartStats

Level = Literal["fault", "care", "unknown", "fine"]
"""``fault``: something is wrong; ``care``: whoever uses the data must know it; ``unknown``: not
checked; ``fine``.
"""


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Attributes:
        check: The question, a few words.
        level: How grave the answer is.
        text: The answer.
    """

    check: str
    level: Level
    text: str


def findings(audit: Audit) -> list[Finding]:
    """All questions and answers, the gravest first."""
    found: list[Finding] = []
    for answer in (
        _files,
        _bytes,
        _near,
        _sides,
        _names,
        _whole,
        _offset,
        _orders,
        _outside,
        _copies,
        _suspicious,
        _gaps,
    ):
        found += answer(audit)
    return sorted(found, key=lambda finding: get_args(Level).index(finding.level))


def same_bytes(audit: Audit) -> list[tuple[int, int]]:
    """Pairs of images, by index, whose files hold the same bytes: each with the first that does."""
    first: dict[str, int] = {}
    pairs = []
    for i, image in enumerate(audit.images):
        if image.digest:
            if image.digest in first:
                pairs.append((first[image.digest], i))
            first.setdefault(image.digest, i)
    return pairs


def twins_between(audit: Audit, first: str, second: str) -> list[DuplicatePair]:
    """The pairs of images that look the same of which one is of the first part and one of the
    second, or both of one part.
    """
    parts = [image.part for image in audit.images]
    return [
        pair
        for pair in audit.duplicates
        if {parts[pair.first], parts[pair.second]} == {first, second}
    ]


def part_pairs(audit: Audit) -> list[tuple[str, str]]:
    """All pairs of parts, of which at least one was audited."""
    names = tuple(audit.stats.parts)
    return [
        pair
        for pair in combinations(names, 2)
        if not all(name.startswith(AGAINST) for name in pair)
    ]


def copied_labels(audit: Audit) -> list[tuple[int, int]]:
    """Pairs of faces with exactly the same points in images of other bytes: each with the first
    that has them.
    """
    first: dict[bytes, int] = {}
    pairs = []
    for i, points in enumerate(audit.labels):
        j = first.setdefault(points.tobytes(), i)
        if audit.sights.digests[i] != audit.sights.digests[j]:
            pairs.append((j, i))
    return pairs


def many(count: int, word: str) -> str:
    """A number and what is counted.

    >>> many(1, "face"), many(3, "face")
    ('1 face', '3 faces')
    """
    return f"{count} {word}{'s' * (count != 1)}"


def _files(audit: Audit) -> Iterator[Finding]:
    parts = _audited(audit)
    unreadable = [reason for stats in parts.values() for reason in stats.files.unreadable]
    misnamed = {name: stats.files.misnamed for name, stats in parts.items() if stats.files.misnamed}
    alpha = {
        name: stats.files.modes["RGBA"]
        for name, stats in parts.items()
        if stats.files.modes.get("RGBA")
    }
    total = sum(stats.files.images for stats in parts.values())
    if unreadable:
        yield Finding(
            "Images can be read",
            "fault",
            f"{len(unreadable)} of {total} cannot, as {unreadable[0]}",
        )
    else:
        yield Finding("Images can be read", "fine", f"all {total} of them")
    if misnamed:
        formats = {name: "/".join(parts[name].files.formats) for name in misnamed}
        told = "; ".join(
            f"{name}: {count} {formats[name]} files under another format's ending"
            for name, count in misnamed.items()
        )
        yield Finding(
            "File names tell the format",
            "care",
            f"{told}. Software that goes by the name reads them otherwise or not at all",
        )
    else:
        yield Finding("File names tell the format", "fine", "the bytes are what the endings say")
    if alpha:
        told = "; ".join(f"{name}: {count}" for name, count in alpha.items())
        yield Finding(
            "Channels",
            "care",
            f"images with an alpha channel: {told}. Some readers give four channels, or floats in [0, 1]",
        )


def _bytes(audit: Audit) -> Iterator[Finding]:
    pairs = same_bytes(audit)
    if not pairs:
        yield Finding("Equal files", "fine", "no two images have the same bytes")
        return
    inside = sum(audit.images[a].part == audit.images[b].part for a, b in pairs)
    across = f", {len(pairs) - inside} across parts" if len(pairs) > inside else ""
    text = f"{many(inside, 'file')} with the bytes of another of the same part{across}: {_named(audit, pairs[0])}"
    yield Finding("Equal files", "fault", text)


def _near(audit: Audit) -> Iterator[Finding]:
    inside = [pair for part in audit.parts for pair in twins_between(audit, part, part)]
    if inside:
        images = len({i for pair in inside for i in (pair.first, pair.second)})
        text = f"{many(len(inside), 'pair')} among {many(images, 'image')} that look the same: one image seen twice"
        yield Finding("Near duplicates in a part", "care", text)
    else:
        yield Finding("Near duplicates in a part", "fine", "no two images of a part look the same")
    across = {pair: found for pair in part_pairs(audit) if (found := twins_between(audit, *pair))}
    for (first, second), found in across.items():
        parts = [image.part for image in audit.images]
        there = len({i for pair in found for i in (pair.first, pair.second) if parts[i] == second})
        text = f"{many(there, 'image')} of {second} with the looks of one of {first}: a test on them is no test"
        yield Finding("Near duplicates across parts", "fault", text)
    if not across and part_pairs(audit):
        yield Finding(
            "Near duplicates across parts", "fine", "no image looks the same as one of another part"
        )


def _sides(audit: Audit) -> Iterator[Finding]:
    pairs = part_pairs(audit)
    if not pairs:
        return
    groups = {name: stats.groups for name, stats in audit.stats.parts.items()}
    shared = [
        pair for pair in audit.stats.shared if pair.groups and (pair.first, pair.second) in pairs
    ]
    for pair in shared:
        videos = (
            f" and {pair.videos} of its {audit.stats.parts[pair.second].videos} videos"
            if pair.videos
            else ""
        )
        people = f"{pair.groups} of {groups[pair.second]} people or photos of {pair.second}"
        text = f"{people}{videos} are in {pair.first} too: the split leaks"
        yield Finding("People on one side only", "fault", text)
    if not shared and any(groups.values()):
        yield Finding("People on one side only", "fine", "no person or photo is in two parts")
    elif not shared:
        yield Finding(
            "People on one side only", "unknown", "the annotations do not say who is in an image"
        )


def _names(audit: Audit) -> Iterator[Finding]:
    for pair in audit.stats.shared:
        if pair.names_of_other_images and (pair.first, pair.second) in part_pairs(audit):
            names = many(pair.names_of_other_images, "file name")
            text = f"{names} in both {pair.first} and {pair.second}, for different images"
            yield Finding(
                "A name stands for one image", "care", f"{text}. A name alone does not identify one"
            )


def _whole(audit: Audit) -> Iterator[Finding]:
    for name, stats in _audited(audit).items():
        cost = f"{stats.labels.rounding_nme:.2f} % NME"
        if stats.labels.whole_numbers:
            text = f"{name}: all coordinates are whole numbers. Rounding alone costs {cost}: no network can be measured below that"
            yield Finding("Exact coordinates", "care", text)
        else:
            yield Finding(
                "Exact coordinates",
                "fine",
                f"{name}: not rounded to whole pixels, which would cost {cost}",
            )


def _offset(audit: Audit) -> Iterator[Finding]:
    if not audit.displacements:
        yield Finding(
            "Labels lie on the features", "unknown", audit.not_asked or "no image could be seen"
        )
    for name, found in audit.displacements.items():
        x, y = found.pixels
        side, height = "right" if x > 0 else "left", "below" if y > 0 else "above"
        measured = f"{name}: {abs(x):.2f} ± {found.error[0]:.2f} px to the {side} ({abs(found.percent[0]):.1f} %)"
        vertical = f"; {abs(y):.2f} px {height} where the network puts them, which may be the network's habit"
        if found.clear:
            text = f"{measured}{vertical}. A network that finds the features exactly would score {found.nme:.1f} % NME"
            yield Finding("Labels lie on the features", "fault", text)
        else:
            yield Finding("Labels lie on the features", "fine", measured + vertical)


def _orders(audit: Audit) -> Iterator[Finding]:
    found = Counter(mistake.name for mistake in audit.permutations if mistake)
    if not found:
        yield Finding(
            "Points in their order",
            "fine",
            "no label has left and right or the order of points wrong",
        )
        return
    told = ", ".join(f"{count} with {name}" for name, count in found.most_common())
    whole = (
        " Most labels have it: the data set follows another order."
        if found.total() > len(audit.faces) / 2
        else ""
    )
    text = f"{many(found.total(), 'label')} in a wrong order: {told}.{whole} --fix mends that in a copy"
    yield Finding("Points in their order", "fault", text)


def _outside(audit: Audit) -> Iterator[Finding]:
    for name, stats in _audited(audit).items():
        labels = stats.labels
        if labels.points_outside:
            low, high = labels.coordinates.min, labels.coordinates.max
            where = f"by up to {labels.furthest_outside:.1f} px; coordinates go from {low:g} to {high:g}"
            text = f"{name}: {many(labels.points_outside, 'point')} of {many(labels.faces_outside, 'face')} outside, {where}"
            yield Finding("Points inside the image", "care", text)
        if labels.missing_points:
            yield Finding(
                "All points labeled",
                "care",
                f"{name}: {many(labels.missing_points, 'point')} missing",
            )
    if not any(stats.labels.points_outside for stats in _audited(audit).values()):
        yield Finding("Points inside the image", "fine", "all of them")


def _copies(audit: Audit) -> Iterator[Finding]:
    if pairs := copied_labels(audit):
        first, second = (audit.faces[i].name for i in pairs[0])
        text = f"{many(len(pairs), 'face')} with exactly the points of one in another image, as {second} with those of {first}"
        yield Finding("Labels of their own", "fault", text)
    else:
        yield Finding("Labels of their own", "fine", "no label is the copy of another image's")


def _suspicious(audit: Audit) -> Iterator[Finding]:
    if not audit.label_outliers.tests:
        yield Finding(
            "Labels look right",
            "unknown",
            "too few faces, or faces of too few points, to say what is usual",
        )
        return
    kinds = Counter(kind for kind in audit.label_outliers.kinds if kind)
    if not kinds:
        yield Finding("Labels look right", "fine", "none is out of line with the others")
        return
    share = 100 * kinds.total() / len(audit.faces)
    told = ", ".join(f"{count} {name}" for name, count in kinds.most_common())
    text = f"{many(kinds.total(), 'face')} ({share:.1f} %) out of line and to be looked at: {told}"
    yield Finding("Labels look right", "care", text)


def _gaps(audit: Audit) -> Iterator[Finding]:
    rare = [
        f"{measure.name}: {name}"
        for measure in audit.coverage
        if np.isfinite(measure.values).any()
        for name in measure.rare
    ]
    if rare:
        yield Finding(
            "All kinds of faces are there",
            "care",
            f"less than 2 % of the faces each: {'; '.join(rare)}",
        )
    else:
        yield Finding(
            "All kinds of faces are there", "fine", "at least 2 % of the faces are in every class"
        )


def _audited(audit: Audit) -> dict[str, PartStats]:
    return {
        name: stats for name, stats in audit.stats.parts.items() if not name.startswith(AGAINST)
    }


def _named(audit: Audit, pair: tuple[int, int]) -> str:
    first, second = (audit.images[i] for i in pair)
    return f"{second.part}/{second.path.name} repeats {first.part}/{first.path.name}"
