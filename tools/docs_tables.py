"""Fill the tables between ``<!-- begin: NAME … -->`` and ``<!-- end: NAME -->`` of the pages.

    python tools/docs_tables.py [--check]

The numbers come from the model cards (``docs/models``, written by ``tools/ship_weights.py``) and
from ``docs/peers.md`` (written by ``benchmarks/peers.py``), both of which call this script.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from facedots.inference.weights import WEIGHTS
from facedots.inspection import feature_maps, list_layers, load_model
from facedots.io import atomic_write

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/benchmarks.md", "docs/how-to/benchmark.md")
CARDS = {
    "tiny": "tiny",
    "small": "small",
    "large-int8": "large",
    "small-ytf": "small-ytf",
    "baseline": "baseline",
}
"""Name of a network -> its model card."""

W300 = "300-W validation photos, tight box"
OFFICIAL = "youtube-faces official, tight box"
OWN_STYLE = f"{OFFICIAL}, labels' own style"
RETINAFACE = "youtube-faces official, box by RetinaFace"
WHOLE_FRAME = "youtube-faces official, whole frame"
SPEED = (
    *("tiny", "small-int8", "small", "large-int8", "small-ytf"),
    *("dlib 68", "MediaPipe FaceMesh + attention", "face-api.js 68"),
)

PAPERS = (
    ("STAR", "–", "–", "300-W", "2.52 / 4.32 / 2.87", "Zhou et al., CVPR 2023"),
    ("HRNetV2-W18, 256 px", "9.67", "4,770", "300-W", "2.92 / 5.64 / 3.45", "MMPose; H3R (cost)"),
    ("H3R, HRNet-W18, 256 px", "9.67", "4,770", "300-W", "– / – / 3.48", "H3R's repository"),
    ("H3R, MobileNetV2, 256 px", "0.59", "470", "300-W", "– / – / 3.96", "H3R's repository"),
    ("H3R, MobileNetV2, 128 px", "0.59", "120", "300-W", "– / – / 4.17", "H3R's repository"),
)
"""Name, millions of parameters and of multiply-adds, training data, NME on 300-W common /
challenging / full, and who published these numbers."""

Cells = dict[str, str]
"""A row of a table: column -> cell."""


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if outdated")
    check = parser.parse_args().check
    if not check:
        write_tables()
    elif pages := outdated():
        sys.exit(f"outdated: {', '.join(pages)}; run python tools/docs_tables.py")


def outdated() -> list[str]:
    """The pages whose tables are not those that the measurements give."""
    return [page for page in PAGES if (ROOT / page).read_text(encoding="utf-8") != filled(page)]


def write_tables() -> None:
    """Fill the tables of all pages."""
    for page in PAGES:
        atomic_write(ROOT / page, filled(page))


def filled(page: str) -> str:
    """The text of a page with its tables made anew."""
    tables = {
        "models": models_table,
        "accuracy": accuracy_table,
        "speed": speed_table,
        "papers": papers_table,
        "scripts": scripts_table,
    }

    def fill(marked: re.Match[str]) -> str:
        return f"{marked['begin']}\n{tables[marked['name']]()}\n{marked['end']}"

    return re.sub(
        r"(?P<begin><!-- begin: (?P<name>\w+) .*?-->)\n.*?(?P<end><!-- end: (?P=name) -->)",
        fill,
        (ROOT / page).read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )


def models_table() -> str:
    """Accuracy, time, size and terms of each network."""
    times = peers_table("Time, memory, size")
    rows = []
    for name, card in CARDS.items():
        scores = card_scores(card)
        prefix = "int8: " if name.endswith("-int8") else ""
        time = times[f"facedots {name}"]
        folds = disjoint_mean(scores)
        rows.append(
            (
                f"[`{name}`](docs/models/{card}.md)" + " (default)" * (name == "small"),
                nme(scores, prefix + W300),
                folds or "–",
                time["whole call, ms a face"],
                time["weights, MB"],
                terms(card),
            )
        )
    table = markdown(
        ("model", "300-W, NME %", "unseen people, NME %", "ms per face", "MB", "terms"), rows
    )
    w300 = peers_table("300-W")
    measured = re.search(
        r"on (\d{4}-\d\d-\d\d), (.+?),", (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
    )
    assert measured, "docs/peers.md names no date and machine"
    peer = next(name for name in w300 if "facedots" not in name and "trained on" not in name)
    return f"""{table}

NME: mean point error over the distance of the outer eye corners. 300-W: 205 held-out photos, tight
boxes. Unseen people: YouTube Faces, mean of five identity-disjoint folds, by shorter runs of the
float networks, of {card_fact("small", "Disjoint runs")[:10]}, on these two sets alone and by
an earlier recipe: they take a training, no shipped file gives them. Time:
a call for a face that was found, on one core ({measured[2]}, {measured[1]}, `benchmarks/peers.py`).
The most accurate public alternative in the same run, {peer}, has
{w300[peer]["NME* %"]} % after a constant shift is removed, at
{times[peer]["whole call, ms a face"]} ms."""


def accuracy_table() -> str:
    """NME of each network by protocol."""
    rows = []
    for name, card in CARDS.items():
        scores = card_scores(card)
        own = OWN_STYLE if OWN_STYLE in scores else OFFICIAL if OFFICIAL in scores else WHOLE_FRAME
        w300 = f"{nme(scores, W300)} / {scores[W300]['FR10 %']}" if W300 in scores else "–"
        detected = scores.get(RETINAFACE)
        missed = re.search(r"\d+ missed", detected["faces"]) if detected else None
        rows.append(
            (
                f"[`{card}`](models/{card}.md)" + ", whole frame" * (own == WHOLE_FRAME),
                w300 + " (another style)" * (name == "small-ytf"),
                nme(scores, own),
                f"{detected['NME %']}, {missed[0]}" if detected and missed else "–",
                disjoint_mean(scores) or "–",
            )
        )
    return markdown(
        (
            "network",
            "300-W, NME / FR10",
            "YouTube Faces official, own label style",
            "by RetinaFace's boxes",
            "disjoint, mean",
        ),
        rows,
    )


def speed_table() -> str:
    """Time and NME* of our networks and the fastest peers."""
    times = peers_table("Time, memory, size")
    w300, youtube = peers_table("300-W"), peers_table("YouTube Faces")
    rows = []
    for name in SPEED:
        full = f"facedots {name}" if name in CARDS or name.endswith("-int8") else name
        label = full if full in w300 else f"{full} (trained on these photos)"
        ours = full != name
        rows.append(
            (
                f"**`{name}`**" if ours else label,
                times[full]["whole call, ms a face"],
                w300[label]["NME* %"] + " (YouTube style)" * (name == "small-ytf"),
                youtube[full]["NME* %"] + " (300-W style)" * (ours and name != "small-ytf"),
                times[full]["weights, MB"],
            )
        )
    return markdown(
        ("", "ms per face, whole call", "300-W, NME\\*", "YouTube official, NME\\*", "MB"), rows
    )


def papers_table() -> str:
    """Cost and training data of our networks, measured, and of papers' networks, as published."""
    times = peers_table("Time, memory, size")
    rows = []
    for name, card in CARDS.items():
        parameters, products = network_cost(name)
        rows.append(
            (
                f"[`{name}`](../models/{card}.md)",
                f"{parameters / 1e6:.2f}",
                f"{products / 1e6:,.0f}",
                times[f"facedots {name}"]["whole call, ms a face"],
                card_fact(card, "Trained on").partition(";")[0],
                "–",
                "measured here",
            )
        )
    published = [(*row[:3], "–", *row[3:]) for row in PAPERS]
    head = ("network", "parameters, M", "MACs, M", "ms", "trained on", "300-W, NME %", "source")
    return markdown(head, rows + published)


def network_cost(name: str) -> tuple[int, int]:
    """The kernels' weights, and the multiply-adds of the convolutions for one crop."""
    model = load_model(WEIGHTS[name].path)
    sides = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    maps, layers = feature_maps(model, np.zeros(sides, np.uint8)), list_layers(model)
    sizes = [layer.kernels.size for layer in layers]
    cells = [maps[layer.name][0].size for layer in layers]
    return sum(sizes), sum(size * count for size, count in zip(sizes, cells, strict=True))


def scripts_table() -> str:
    """What each script of ``benchmarks/`` measures."""
    rows = []
    for file in sorted((ROOT / "benchmarks").glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
            summary = (ast.get_docstring(tree) or "").partition("\n\n")[0].replace("\n", " ")
            rows.append((f"`{file.name}`", summary))
    return markdown(("`benchmarks/`", "measures"), rows)


def card_scores(card: str) -> dict[str, Cells]:
    """The table of a model card, by what was measured."""
    return table_of((ROOT / "docs" / "models" / f"{card}.md").read_text(encoding="utf-8"))


def terms(card: str) -> str:
    """What the weights of a model card may be used for."""
    return "research" + ", non-commercial" * ("non-commercial" in card_fact(card, "Terms"))


def card_fact(card: str, fact: str) -> str:
    """What a model card says behind a bold word."""
    text = (ROOT / "docs" / "models" / f"{card}.md").read_text(encoding="utf-8")
    line = re.search(rf"^- \*\*{fact}\*\*: (.*)$", text, re.MULTILINE)
    assert line is not None, f"{card}: no line {fact}"
    return line[1]


def peers_table(heading: str) -> dict[str, Cells]:
    """The table below a heading of ``docs/peers.md``, by network."""
    text = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
    return table_of(text.partition(f"\n## {heading}")[2])


def table_of(text: str) -> dict[str, Cells]:
    r"""The first Markdown table in a text, by its first column.

    >>> table_of("| a | b |\n|---|---|\n| **x** | 1 |\n")
    {'x': {'b': '1'}}
    """
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert lines is not None, "no table"
    head, _, *rows = map(cells, lines[0].splitlines())
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def cells(line: str) -> list[str]:
    """The cells of one line of a table, without bold type."""
    return [cell.strip().replace("**", "") for cell in line.strip().strip("|").split("|")]


def nme(scores: dict[str, Cells], row: str) -> str:
    """The NME of a row, or a dash."""
    return scores[row]["NME %"] if row in scores else "–"


def disjoint_mean(scores: dict[str, Cells]) -> str:
    """Mean NME over the identity-disjoint folds; "" where none was measured."""
    folds = [float(row["NME %"]) for name, row in scores.items() if "disjoint:" in name]
    return f"{fmean(folds):.2f}" if folds else ""


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""

    def lines() -> Iterator[str]:
        for row in (head, ["---"] * len(head), *rows):
            yield f"| {' | '.join(row)} |"

    return "\n".join(lines())


if __name__ == "__main__":
    main()
