"""NME under degraded images and loose boxes, and by attributes of the face.

    python benchmarks/robustness.py [--data ../shared/data] [--out out/bench] [--write
    docs/robustness.md] [--limit 100]

Every fault of ``corruptions.py`` is done to the 770 test frames of YouTube Faces, once for all
contestants: our networks and the peers that take a box (``peer_runs.py``). Prints Markdown; writes
it and the numbers as JSON into ``--out``; ``--write`` makes the page of the documentation. One
network of ours alone: ``--only small``.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from pathlib import Path

import numpy as np
from closed_eyes import SHUT, lids_drawn_shut
from common import ROOT, Faces, machine, markdown_table, options_with_data, parser_with_data
from corruptions import CORRUPTIONS, COVERS, Case, Corruption
from numpy.typing import NDArray
from peer_runs import CONTESTANTS, OURS, PEERS, TWICE, Contestant, PeerError, run, store
from slices import Slice, slices_of, worst_people

from facedots import IBUG68, KeypointPredictor, load_split, nme
from facedots.annotations import person_id
from facedots.data import load_source
from facedots.evaluation import nme_by_region
from facedots.geometry import Floats
from facedots.io import atomic_write

CLEAN = "clean"
NOTHING = Corruption(CLEAN, 0, lambda case, _level, _random: case)

Errors = dict[str, NDArray[np.float64]]
"""What was done -> NME of each face (N,) in percent; ``inf`` for a face that was missed."""


def corrupted(faces: Faces, corruption: Corruption) -> Faces:
    """The faces with one fault."""
    inputs = zip(faces.images, faces.points, faces.boxes, faces.names, strict=True)
    cases = [corruption(Case(image, points, box), name) for image, points, box, name in inputs]
    points, boxes = (
        np.stack([case.points for case in cases]),
        np.stack([case.box for case in cases]),
    )
    return Faces(faces.names, [case.image for case in cases], points, boxes)


@dataclass
class Measured:
    """One contestant.

    Attributes:
        errors: What was done -> NME of each face ``(N,)`` in percent; ``inf`` for a face that was
            missed.
        points: On the clean frames, ``(N, 68, 2)``.
    """

    errors: Errors = field(default_factory=dict)
    points: Floats = field(default_factory=lambda: np.zeros((0, IBUG68.count, 2), np.float32))


def measure(
    faces: Faces, contestants: Sequence[Contestant]
) -> tuple[dict[str, Measured], list[str]]:
    """What every contestant made of every fault, by name, and why some failed.

    All strengths of a fault go to a contestant in one run, since starting a process takes as long
    as some hundred faces.
    """
    measured = {contestant.name: Measured() for contestant in contestants}
    failed: dict[str, str] = {}
    for kind, group in groupby(
        (NOTHING, *CORRUPTIONS, *COVERS), key=lambda corruption: corruption.kind
    ):
        print(kind, file=sys.stderr, flush=True)
        shown = {corruption.name: corrupted(faces, corruption) for corruption in group}
        with tempfile.TemporaryDirectory() as folder:
            stored = store(Faces.joined(list(shown.values())), Path(folder))
            for contestant in contestants:
                if contestant.name in failed:
                    continue
                try:
                    points = run(contestant, stored, [contestant.youtube]).points[0]
                except PeerError as error:
                    failed[contestant.name] = str(error)
                    del measured[contestant.name]
                    continue
                one = measured[contestant.name]
                for (name, part), found in zip(
                    shown.items(), np.split(points, len(shown)), strict=True
                ):
                    one.errors[name] = nme(found, part.points, IBUG68)
                    one.points = found if name == CLEAN else one.points
    return measured, list(failed.values())


def mean(errors: NDArray[np.float64]) -> float:
    """Of the faces that were not missed."""
    found = errors[np.isfinite(errors)]
    return float(found.mean()) if len(found) else float("nan")


def ratios(errors: Errors) -> dict[str, float]:
    """Kind of fault -> mean NME over its strengths by the clean one; ``"all"``: over all faults,
    each strength counting once.
    """
    clean = mean(errors[CLEAN])
    by_kind = {
        kind: [mean(errors[corruption.name]) / clean for corruption in group]
        for kind, group in groupby(CORRUPTIONS, key=lambda corruption: corruption.kind)
    }
    every = [ratio for values in by_kind.values() for ratio in values]
    return {kind: float(np.mean(values)) for kind, values in {**by_kind, "all": every}.items()}


def summary_table(errors: Mapping[str, Errors], people: Sequence[str]) -> str:
    """One row a contestant."""
    rows = []
    for name, found in errors.items():
        all_ratio = ratios(found)["all"]
        clean = mean(found[CLEAN])
        missed = sum(int(np.isinf(values).sum()) for values in found.values())
        worst = worst_people(found[CLEAN], people)
        rows.append(
            [
                name,
                f"{clean:.2f}",
                f"{clean * all_ratio:.2f}",
                f"**{all_ratio:.2f}**",
                f"{worst:.2f}",
                str(missed),
            ]
        )
    return markdown_table(
        [
            "",
            "clean NME %",
            "mean corrupted NME %",
            "ratio",
            "clean NME of the worst 10 % of people",
            "missed",
        ],
        rows,
    )


def corruptions_table(errors: Mapping[str, Errors]) -> str:
    """NME under every fault; a column a contestant."""
    names = [corruption.name for corruption in (NOTHING, *CORRUPTIONS, *COVERS)]
    rows = [[name, *(f"{mean(found[name]):.2f}" for found in errors.values())] for name in names]
    return markdown_table(["NME %", *errors], rows)


def kinds_table(errors: Mapping[str, Errors]) -> str:
    """Ratios by kind of fault; a column a contestant."""
    found = {name: ratios(values) for name, values in errors.items()}
    kinds = next(iter(found.values()))
    return markdown_table(
        ["corrupted / clean", *found],
        [[kind, *(f"{each[kind]:.2f}" for each in found.values())] for kind in kinds],
    )


def slices_table(errors: Mapping[str, Errors], slices: Sequence[Slice]) -> str:
    """NME of the clean frames of every slice."""
    rows = [
        [
            f"{part.by}: {part.name}",
            str(int(part.faces.sum())),
            *(f"{mean(found[CLEAN][part.faces]):.2f}" for found in errors.values()),
        ]
        for part in slices
    ]
    return markdown_table(["clean NME %", "faces", *errors], rows)


def regions_table(clean: Mapping[str, Floats], true: Floats) -> str:
    """NME of the clean frames by region of the face."""
    found = {name: nme_by_region(points, true, IBUG68) for name, points in clean.items()}
    rows = [
        [region.replace("_", " "), *(f"{mean(each[region]):.2f}" for each in found.values())]
        for region in IBUG68.regions
    ]
    return markdown_table(["clean NME %", *found], rows)


def eyes_table(eyes: Mapping[str, Sequence[float]]) -> str:
    """The median predicted gap; one column per network."""
    rows = [
        [f"{share:.0%}", *(f"{gaps_by_network[i]:.0%}" for gaps_by_network in eyes.values())]
        for i, share in enumerate(SHUT)
    ]
    return markdown_table(["lids drawn to", *eyes], rows)


PAGE = """# Robustness to degraded images and loose boxes

Generated by `python benchmarks/robustness.py --write docs/robustness.md` on {date}, {machine}:
{faces} official test frames of YouTube Faces, tight boxes, every network with its best crop (see
[the comparison](peers.md)). Corruptions are deterministic and the same for every network;
`benchmarks/corruptions.py` defines them. Errors are plain NME against labels that no peer was
trained on: between ours and a peer compare the *ratios*, not the errors. *Two passes* crop again
upright after the first pass ([how](how-to/hard-faces.md)). Networks with 300-W's label style carry
the difference of the styles in all their errors, which makes their ratios too good; the same
weights exported with `--label-style youtube-faces` and given with `--also` do not.

{summary}

*mean corrupted*: over all {count} corruptions, every strength counting once; *ratio*: that over
the clean one. *Worst 10 % of people*: mean over the tenth of the people with the largest mean NME.
*Missed*: faces without a prediction, over all corruptions; no mean counts them.

## By kind of corruption

{kinds}

## Every corruption

Pixels of blur, motion and resolution are those of the 128 px crop around the face; cut-outs are
squares in fractions of that crop's side. Resolution: the crop reduced to that many pixels and
enlarged again. The box of a rolled face is the tight box of its rotated points. Sunglasses, masks
and hands are drawn over the face, and count in no mean.

{faults}

## By attributes of the face

Eye distance: between the outer corners, in pixels. Yaw: of the true points, to either side. Mouth:
the gap between the lips. Brightness: mean gray level in the box.

{slices}

{regions}

## Closed eyes

Open eyes of 300-W validation photos that a warp draws shut (`benchmarks/closed_eyes.py`), to a
fraction of the gap between the lids; the median of the predicted gap, in percent of the gap
before. The ideal is the number at the left.

{eyes} {failed}"""


def main() -> None:
    """Measure, print Markdown, write everything."""
    parser = parser_with_data(__doc__)
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "out" / "bench",
        help="folder for robustness.md and robustness.json",
    )
    parser.add_argument("--write", type=Path, help="write the page here too")
    parser.add_argument(
        "--limit", type=int, help="this many frames, spread over all, for a quick run"
    )
    boxed = [key for key, peer in PEERS.items() if not peer.finds_faces]
    parser.add_argument("--only", nargs="*", choices=CONTESTANTS, default=[*OURS, *TWICE, *boxed])
    parser.add_argument(
        "--also",
        nargs="*",
        type=Path,
        default=[],
        help="files of `facedots export` to measure as well",
    )
    options = options_with_data(parser)
    test = load_source(options.data, "youtube-faces").subsets["test"]
    faces = Faces.of(test[:: max(1, len(test) // options.limit)] if options.limit else test)
    people = [person_id(name) for name in faces.names]
    files = [Contestant(file.stem, "facedots", str(file.resolve())) for file in options.also]
    measured, failed = measure(faces, [*(CONTESTANTS[key] for key in options.only), *files])
    errors = {name: one.errors for name, one in measured.items()}
    slices = slices_of(faces)
    ours = [key for key in options.only if key in OURS]
    photos = load_split(options.data, ["300w"], "official").test
    eyes = {OURS[k].name: lids_drawn_shut(photos, KeypointPredictor(k, refine=0)) for k in ours}
    text = PAGE.format(
        date=date.today(),
        machine=machine(),
        faces=len(faces.images),
        count=len(CORRUPTIONS),
        summary=summary_table(errors, people),
        kinds=kinds_table(errors),
        faults=corruptions_table(errors),
        slices=slices_table(errors, slices),
        regions=regions_table({name: one.points for name, one in measured.items()}, faces.points),
        eyes=eyes_table(eyes),
        failed="".join(f"\nNot measured: {reason}\n" for reason in failed),
    )
    print(text)
    numbers = {
        "date": str(date.today()),
        "machine": machine(),
        "faces": len(faces.images),
        "nme": {
            name: {fault: mean(values) for fault, values in found.items()}
            for name, found in errors.items()
        },
        "ratios": {name: ratios(found) for name, found in errors.items()},
        "worst_tenth_of_people": {
            name: worst_people(found[CLEAN], people) for name, found in errors.items()
        },
        "slices": {
            f"{part.by}: {part.name}": {
                name: mean(found[CLEAN][part.faces]) for name, found in errors.items()
            }
            for part in slices
        },
        "closed_eyes": {
            name: dict(zip(map(str, SHUT), gaps_by_network, strict=True))
            for name, gaps_by_network in eyes.items()
        },
        "failed": failed,
    }
    atomic_write(options.out / "robustness.json", json.dumps(numbers, indent=2))
    atomic_write(options.out / "robustness.md", text)
    if options.write:
        atomic_write(options.write, text)


if __name__ == "__main__":
    main()
