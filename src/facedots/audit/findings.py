"""Findings of an audit in sentences: the answer to each question, with its level."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from facedots.audit.audit import AGAINST, Audit
from facedots.audit.stats import Overlap, SubsetStats
from facedots.io.text import count_noun

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


Answers = Iterator[tuple[Level, str]]


def summarize(audit: Audit) -> list[Finding]:
    """All questions and answers, the most severe first."""
    findings = []
    for check, (answers, ok) in _CHECKS.items():
        found = list(answers(audit))
        if not found and ok:
            found = [("ok", ok)]
        findings += [Finding(check, level, text) for level, text in found]
    return sorted(findings, key=lambda finding: get_args(Level).index(finding.level))


def _unreadable(audit: Audit) -> Answers:
    files = [stats.files for stats in _audited(audit).values()]
    errors = [error for one in files for error in one.unreadable]
    total = sum(one.images for one in files)
    if errors:
        yield "error", f"{len(errors)} of {total} cannot, as {errors[0]}"
    else:
        yield "ok", f"all {total} of them"


def _misnamed(audit: Audit) -> Answers:
    texts = [
        f"{name}: {files.misnamed} {'/'.join(files.formats)} files under another format's suffix"
        for name, stats in _audited(audit).items()
        if (files := stats.files).misnamed
    ]
    if texts:
        hint = "Software that goes by the name reads them otherwise or not at all"
        yield "warning", f"{'; '.join(texts)}. {hint}"


def _alpha(audit: Audit) -> Answers:
    alpha = {name: stats.files.modes.get("RGBA", 0) for name, stats in _audited(audit).items()}
    counts = "; ".join(f"{name}: {count}" for name, count in alpha.items() if count)
    if counts:
        hint = "Some readers give four channels, or floats in [0, 1]"
        yield "warning", f"images with an alpha channel: {counts}. {hint}"


def _equal_files(audit: Audit) -> Answers:
    images, pairs = audit.images, audit.equal_files
    if pairs:
        inside = sum(images[a].subset == images[b].subset for a, b in pairs)
        across = f", {len(pairs) - inside} across subsets" if len(pairs) > inside else ""
        example = f"{images[pairs[0][1]].name} repeats {images[pairs[0][0]].name}"
        text = f"{count_noun(inside, 'file')} with the bytes of another of the same subset"
        yield "error", f"{text}{across}: {example}"


def _duplicates_within(audit: Audit) -> Answers:
    pairs = [pair for name in audit.subsets for pair in audit.near_duplicates_between(name, name)]
    if pairs:
        images = {i for pair in pairs for i in (pair.first, pair.second)}
        where = f"{count_noun(len(pairs), 'pair')} among {count_noun(len(images), 'image')}"
        yield "warning", f"{where} that look the same"


def _duplicates_across(audit: Audit) -> Answers:
    counts = []
    for first, second in audit.subset_pairs:
        pairs = audit.near_duplicates_between(first, second)
        images = {i for pair in pairs for i in (pair.first, pair.second)}
        counts.append(sum(audit.images[i].subset == second for i in images))
        if counts[-1]:
            text = f"{count_noun(counts[-1], 'image')} of {second} nearly equal to one of {first}"
            yield "error", f"{text}: scores on these measure memory"
    if counts and not any(counts):
        yield "ok", "no image looks the same as one of another subset"


def _shared_people(audit: Audit) -> Answers:
    subsets = audit.stats.subsets
    shared = [pair for pair in _overlaps(audit) if pair.groups]
    for pair in shared:
        second = subsets[pair.second]
        videos = f" and {pair.videos} of its {second.videos} videos" if pair.videos else ""
        people = f"{pair.groups} of {second.groups} people or photos of {pair.second}"
        yield "error", f"{people}{videos} are in {pair.first} too: the split leaks"
    if audit.subset_pairs and not shared:
        if any(stats.groups for stats in subsets.values()):
            yield "ok", "no person or photo is in two subsets"
        else:
            yield "skipped", "the annotations do not tell people apart"


def _shared_names(audit: Audit) -> Answers:
    for pair in _overlaps(audit):
        if pair.names_of_other_images:
            names = count_noun(pair.names_of_other_images, "file name")
            text = f"{names} in both {pair.first} and {pair.second}, for different images"
            yield "warning", f"{text}. A name alone does not identify an image"


def _set_faults(audit: Audit) -> Answers:
    faults = audit.set_faults.items()
    texts = [f"{name}: {text}" for name, one in faults for text in (*one.labels, *one.network)]
    for text in texts:
        yield "error", text
    if not texts:
        compared = any(one.compared for _, one in faults)
        shape = f"the shape of {audit.schema.name}, " if compared else ""
        yield "ok", f"they have {shape}a size and a place that faces can have"


def _rounding(audit: Audit) -> Answers:
    for name, stats in _audited(audit).items():
        cost = f"{stats.labels.rounding_nme:.2f} % NME"
        coarse = stats.labels.rounding_nme > MAX_ROUNDING
        if stats.labels.whole_numbers:
            text = f"{name}: all coordinates are whole numbers. Rounding alone costs {cost}"
            text += ": no network can be measured below that"
            yield "error" if coarse else "warning", text
        elif coarse:
            text = f"{name}: rounding to whole pixels would cost {cost}"
            yield "error", f"{text}: the coordinates are no pixels"
        else:
            yield "ok", f"{name}: not rounded to whole pixels, which would cost {cost}"


def _offset(audit: Audit) -> Answers:
    if not audit.label_offsets:
        yield "skipped", audit.skip_reason or "no image could be read"
    for name, offset in audit.label_offsets.items():
        x, y = offset.pixels
        side, height = "right" if x > 0 else "left", "below" if y > 0 else "above"
        error, percent = offset.error[0], abs(offset.percent[0])
        horizontal = f"{name}: {abs(x):.2f} ± {error:.2f} px to the {side} ({percent:.1f} %)"
        vertical = f"{abs(y):.2f} px {height} the prediction, which may be the network's bias"
        text = f"{horizontal}; {vertical}"
        if audit.set_faults[name].labels:
            yield "skipped", f"{name}: the labels as a whole are at fault"
        elif offset.significant:
            cost = f"A network that finds the features exactly would score {offset.nme:.1f} % NME"
            yield "error", f"{text}. {cost}"
        else:
            yield "ok", text


def _order(audit: Audit) -> Answers:
    names = Counter(permutation.name for permutation in audit.permutations if permutation)
    if names:
        kinds = ", ".join(f"{count} with {name}" for name, count in names.most_common())
        text = f"{count_noun(names.total(), 'label')} in a wrong order: {kinds}"
        if names.total() > len(audit.faces) / 2:
            text += ". Most labels have it: the data set follows another order"
        yield "error", f"{text}. --fix corrects that in a copy"
    elif any(faults.labels for faults in audit.set_faults.values()):
        yield "skipped", "the labels as a whole are at fault"


def _outside(audit: Audit) -> Answers:
    for name, stats in _audited(audit).items():
        labels = stats.labels
        if labels.points_outside:
            points = count_noun(labels.points_outside, "point")
            faces = count_noun(labels.faces_outside, "face")
            low, high = labels.coordinates.min, labels.coordinates.max
            distance = f"by up to {labels.furthest_outside:.1f} px"
            text = f"{name}: {points} of {faces} outside, {distance}"
            yield "warning", f"{text}; coordinates go from {low:g} to {high:g}"


def _missing(audit: Audit) -> Answers:
    for name, stats in _audited(audit).items():
        if count := stats.labels.missing_points:
            yield "warning", f"{name}: {count_noun(count, 'point')} missing"


def _copied_labels(audit: Audit) -> Answers:
    if pairs := audit.copied_labels:
        first, second = (audit.faces[i].name for i in pairs[0])
        faces = count_noun(len(pairs), "face")
        text = f"{faces} with exactly the points of one in another image"
        yield "error", f"{text}, as {second} with {first}"


def _outliers(audit: Audit) -> Answers:
    counts = audit.label_outliers.counts
    if not audit.label_outliers.tests:
        yield "skipped", "too few faces, or faces of too few points, to compare"
    elif counts:
        total = sum(counts.values())
        kinds = ", ".join(f"{name} ({count})" for name, count in counts.items())
        share = f"{count_noun(total, 'face')} ({100 * total / len(audit.faces):.1f} %)"
        yield "warning", f"{share} to look at: {kinds}"


def _rare(audit: Audit) -> Answers:
    rare = [
        f"{measure.name}: {name}"
        for measure in audit.coverage
        if np.isfinite(measure.values).any()
        for name in measure.rare
    ]
    if rare:
        yield "warning", f"less than 2 % of the faces each: {'; '.join(rare)}"


_CHECKS: dict[str, tuple[Callable[[Audit], Answers], str]] = {
    "Images can be read": (_unreadable, ""),
    "File names match the format": (_misnamed, "the bytes have the format of the suffix"),
    "Channels": (_alpha, ""),
    "Equal files": (_equal_files, "no two images have the same bytes"),
    "Near duplicates in a subset": (_duplicates_within, "no two images of a subset look the same"),
    "Near duplicates across subsets": (_duplicates_across, ""),
    "People in one subset only": (_shared_people, ""),
    "Unique file names": (_shared_names, ""),
    "Labels can be right": (_set_faults, ""),
    "Exact coordinates": (_rounding, ""),
    "Labels lie on the features": (_offset, ""),
    "Points in their order": (_order, "no label has left and right or the order of points wrong"),
    "Points inside the image": (_outside, "all of them"),
    "All points labeled": (_missing, ""),
    "Unique labels": (_copied_labels, "no label is the copy of another image's"),
    "Labels look right": (_outliers, "none is an outlier"),
    "All kinds of faces": (_rare, "at least 2 % of the faces are in every class"),
}
"""Question -> its check, and the answer where that finds nothing; none where it is empty."""


def _overlaps(audit: Audit) -> list[Overlap]:
    pairs = audit.subset_pairs
    return [pair for pair in audit.stats.shared if (pair.first, pair.second) in pairs]


def _audited(audit: Audit) -> dict[str, SubsetStats]:
    subsets = audit.stats.subsets
    return {name: stats for name, stats in subsets.items() if not name.startswith(AGAINST)}
