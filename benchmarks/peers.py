"""Comparison with other networks that can be installed from PyPI and npm: same frames, same boxes,
one run, one core.

    python benchmarks/peers.py [--data ../shared/data] [--out out/bench] [--write docs/peers.md]

Prints Markdown; writes it, the numbers as JSON and the plot of accuracy against time into
``--out``. ``--write`` makes the page of the documentation; ``--tune`` searches the peers' crops
again. Peers are installed under ``.cache/peers`` at the first call (PyPI and npm must be in reach);
one that fails is reported and left out. ``peer_runs.py`` lists them.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, Faces, machine, markdown_table, options_with_data, parser_with_data
from peer_plot import Dot, pareto_figure
from peer_runs import (
    CONTESTANTS,
    OURS,
    PEERS,
    Answer,
    Contestant,
    PeerCrop,
    PeerError,
    milliseconds,
    run,
    store,
    tune,
)

from facedots import IBUG68, load_split
from facedots.annotations import FaceAnnotation
from facedots.evaluation import Accuracy, measure_accuracy
from facedots.io import atomic_write
from facedots.plots import save_figure

SETS = {"youtube-faces": "YouTube Faces test frames", "300w": "300-W validation photos"}
TRAINED_ON = {("dlib 68", "300w")}
"""Networks and the sets that they were trained on: dlib on all of 300-W."""


@dataclass(frozen=True)
class EvalSet:
    """Faces of one data set, and where they are stored for the workers."""

    faces: Faces
    stored: Path

    @classmethod
    def of(cls, annotations: Sequence[FaceAnnotation], folder: Path) -> "EvalSet":
        """Annotated faces, stored in a new folder."""
        faces = Faces.of(annotations)
        return cls(faces, store(faces, folder))


@dataclass(frozen=True)
class Row:
    """What was measured of one contestant.

    Attributes:
        name: In the tables.
        ours: One of facedots' networks.
        version: Of its software.
        ms: Processor time of the whole call a face, in milliseconds.
        network_ms: Of the network in it; NaN where it cannot be timed alone.
        peak_mb: The largest resident size of a process that finds the points of one face.
        file_mb: Of all its weight files, in MB (10^6 bytes).
        crops: Source -> the crop that it was shown.
        scores: Source -> its scores.
    """

    name: str
    ours: bool
    version: str
    ms: float
    network_ms: float
    peak_mb: float
    file_mb: float
    crops: Mapping[str, PeerCrop]
    scores: Mapping[str, Accuracy]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON; unknown is ``None``."""
        fields = {
            **asdict(self),
            "scores": {source: scores.to_dict() for source, scores in self.scores.items()},
        }
        return {
            name: None if isinstance(value, float) and np.isnan(value) else value
            for name, value in fields.items()
        }


def measure(
    contestant: Contestant, test_sets: Mapping[str, EvalSet], alone: Path, rounds: int
) -> Row:
    """One contestant on all test_sets; the time is that of the first.

    Args:
        contestant: Who.
        test_sets: Source -> faces.
        alone: One stored face, for the memory.
        rounds: Of the first test_set, after one to warm up.

    Raises:
        PeerError: It cannot be installed or failed.
    """
    answers: list[Answer] = []
    scores = {}
    for source, test_set in test_sets.items():
        answers.append(
            run(
                contestant, test_set.stored, [contestant.crop(source)], 1 if answers else rounds + 1
            )
        )
        scores[source] = measure_accuracy(answers[-1].points[0], test_set.faces.points, IBUG68)
    whole, network = milliseconds(answers[0]).tolist()
    peak = run(contestant, alone, [contestant.youtube]).peak_mb
    crops = {source: contestant.crop(source) for source in test_sets}
    size = answers[0].weights / 1e6
    return Row(
        contestant.name,
        contestant.ours,
        answers[0].version,
        whole,
        network,
        peak,
        size,
        crops,
        scores,
    )


def accuracy(rows: Sequence[Row], source: str) -> str:
    """The table of one data set, best first."""
    cells = []
    for row in sorted(rows, key=lambda row: row.scores[source].nme_shift_free):
        scores, (scale, up) = row.scores[source], row.crops[source]
        name = (
            f"**{row.name}**"
            if row.ours
            else row.name + " (trained on these photos)" * ((row.name, source) in TRAINED_ON)
        )
        crop = "its own" if row.ours else f"{scale:g}, {up:g}" if scale else "whole image"
        numbers = [scores.nme, scores.nme_shift_free, scores.fr10, scores.auc10]
        shift = "({:+.1f}, {:+.1f})".format(*scores.shift_px)
        cells.append(
            [name, *(f"{number:.2f}" for number in numbers), shift, str(scores.missed), crop]
        )
    return markdown_table(
        ["", "NME %", "NME* %", "FR10 %", "AUC10 %", "shift, px", "missed", "crop: scale, up"],
        cells,
    )


def cost(rows: Sequence[Row]) -> str:
    """The table of time, memory and size, fastest first."""
    cells = [
        [
            f"**{row.name}**" if row.ours else row.name,
            f"{row.ms:.2f}",
            "–" if np.isnan(row.network_ms) else f"{row.network_ms:.2f}",
            "–" if np.isnan(row.peak_mb) else f"{row.peak_mb:.0f}",
            f"{row.file_mb:.2f}",
            row.version,
        ]
        for row in sorted(rows, key=lambda row: row.ms)
    ]
    return markdown_table(
        ["", "whole call, ms a face", "of it the network", "memory, MB", "weights, MB", "version"],
        cells,
    )


PAGE = """# Comparison with other networks

Generated by `python benchmarks/peers.py --write docs/peers.md` on {date}, {machine}. One run, one
core, every network in a process of its own. `make bench` runs it again.

{image}## YouTube Faces, {n_youtube} official test frames

{youtube}

Our networks were trained on the training part of this set, which shows the same people; the peers
were not. So this table is too good for ours: the identity-disjoint scores in
[benchmarks](benchmarks.md) and in the model cards are what to expect on other people.

## 300-W, {n_300w} validation faces

Every tenth photo by name of 300-W's training part (`facedots.data.load_split`).

{w300}

## Time, memory, size

{cost}

{failed}## Method

- **Boxes**: every network gets the tight box of the true points. Each peer's *crop* was chosen in
  its favor from a grid, for each data set separately, by its NME\\* on faces held out of the
  training parts, never on these (`peers.py --tune` repeats it): side over the mean side of the
  box, and how many box heights its center lies above the box's.
- **MediaPipe** detects the face itself, in the crop or in the whole image, whichever was better;
  its time includes that. A missed face counts as a failure (FR10, AUC10), not in the mean. Its 468
  vertices become 68 points by a list fitted to training faces of both sets
  (`benchmarks/peer_mediapipe.py`).
- **NME**: mean point error over the distance of the outer eye corners. **NME\\***: the same after
  one constant shift in pixels is removed, one for all faces and points of a set: the median of
  predicted minus true, per axis and network (`facedots.evaluation.metrics.constant_shift`). Every
  data set places its labels a little differently, and peers were trained on other labels. On
  YouTube frames compare NME\\*. **FR10**: share of faces above 10 %. **AUC10**: area under the
  error curve up to 10 %.
- **Time**: processor time of all threads of the process, one face per call, median over the
  YouTube frames, then over {rounds} rounds after one to warm up. From the decoded frame and the
  box to 68 points, cropping included. A dash: the network cannot be timed alone. face-api.js runs
  on TensorFlow.js' WebAssembly, the fastest backend that npm alone can install.
- **Memory**: the largest resident size of a process that loads the library and one network and
  finds one face, interpreter included.
"""


def page(
    rows: Sequence[Row],
    failed: Sequence[str],
    test_sets: Mapping[str, EvalSet],
    rounds: int,
    image: str = "",
) -> str:
    """The whole document."""
    fails = "".join(f"- not measured: {reason}\n" for reason in failed)
    return PAGE.format(
        date=date.today(),
        machine=machine(),
        image=f"![NME* against processor time]({image})\n\n" if image else "",
        n_youtube=len(test_sets["youtube-faces"].faces.images),
        youtube=accuracy(rows, "youtube-faces"),
        n_300w=len(test_sets["300w"].faces.images),
        w300=accuracy(rows, "300w"),
        cost=cost(rows),
        failed=f"{fails}\n" if fails else "",
        rounds=rounds,
    )


def dots(rows: Sequence[Row]) -> dict[str, list[Dot]]:
    """What the plot shows, by the title of its panel."""
    return {
        title: [
            Dot(
                row.name,
                row.ms,
                row.scores[source].nme_shift_free,
                row.ours,
                (row.name, source) in TRAINED_ON,
            )
            for row in rows
        ]
        for source, title in SETS.items()
    }


def tune_all(contestants: Sequence[Contestant], test_sets: Mapping[str, EvalSet]) -> None:
    """Print the crop that suits each peer best."""
    for contestant in contestants:
        if not contestant.ours:
            best = {
                source: tune(contestant, test_set.stored, test_set.faces.points)
                for source, test_set in test_sets.items()
            }
            print(f"{contestant.name}: {best}", flush=True)


def main() -> None:
    """Measure, print Markdown, write everything."""
    parser = parser_with_data(__doc__)
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "out" / "bench",
        help="folder for peers.md, peers.json and peers.png",
    )
    parser.add_argument(
        "--write",
        type=Path,
        help="write the page here too, and its plot into the folder images next to it",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--faces", type=int, default=10_000, help="at most this many of each set, for a quick run"
    )
    parser.add_argument(
        "--tune",
        action="store_true",
        help="only search the crops again, on validation faces, and print them",
    )
    parser.add_argument("--only", nargs="*", choices=CONTESTANTS, default=[*OURS, *PEERS])
    options = options_with_data(parser)
    splits = {source: load_split(options.data, [source], "official") for source in SETS}
    chosen = [CONTESTANTS[key] for key in options.only]
    rows: list[Row] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.tune:
            tune_all(
                chosen,
                {
                    source: EvalSet.of(split.validation[: options.faces], folder / source)
                    for source, split in splits.items()
                },
            )
            return
        test_sets = {
            source: EvalSet.of(split.test[: options.faces], folder / source)
            for source, split in splits.items()
        }
        alone = store(test_sets["youtube-faces"].faces.first(1), folder / "alone")
        for contestant in chosen:
            print(contestant.name, file=sys.stderr, flush=True)
            try:
                rows.append(measure(contestant, test_sets, alone, options.rounds))
            except PeerError as error:
                failed.append(str(error))
    text = page(rows, failed, test_sets, options.rounds)
    print(text)
    numbers = {
        "date": str(date.today()),
        "machine": machine(),
        "rounds": options.rounds,
        "failed": failed,
    }
    atomic_write(
        options.out / "peers.json",
        json.dumps(numbers | {"results": [row.to_dict() for row in rows]}, indent=2),
    )
    atomic_write(options.out / "peers.md", text)
    figure = pareto_figure(dots(rows))
    save_figure(figure, options.out / "peers.png")
    if options.write:
        atomic_write(
            options.write, page(rows, failed, test_sets, options.rounds, "images/peers.png")
        )
        save_figure(figure, options.write.parent / "images" / "peers.png")
        subprocess.run([sys.executable, ROOT / "tools" / "docs_tables.py"], check=True)


if __name__ == "__main__":
    main()
