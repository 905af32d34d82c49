import json
from pathlib import Path

import numpy as np
from common import Faces, markdown_table
from peers import EvalSet, Row, accuracy, cost, dots, page

from facedots.evaluation.metrics import measure_accuracy
from facedots.schema import IBUG68

TRUE = np.random.default_rng(0).uniform(0, 100, (3, 68, 2)).astype(np.float32)


def row(name: str, error: float, network: float = 1.0) -> Row:
    predicted = TRUE.copy()
    predicted[:, ::2, 0] += error
    predicted[:, 1::2, 0] -= error
    scores = measure_accuracy(predicted, TRUE, IBUG68)
    crops = {"youtube-faces": (0.0, 0.0), "300w": (1.2, 0.1)}
    return Row(
        name,
        name.startswith("facedots"),
        "1.0",
        2.0,
        network,
        np.nan,
        3.5,
        crops,
        dict.fromkeys(crops, scores),
    )


ROWS = [row("dlib 68", 3, np.nan), row("facedots small", 1)]


def test_a_table_is_markdown() -> None:
    assert markdown_table(["", "a"], [["x", "1"]]) == "|  | a |\n| --- | ---: |\n| x | 1 |"


def test_accuracy_is_sorted_and_marks_ours_and_who_knew_the_faces() -> None:
    first, second = accuracy(ROWS, "300w").splitlines()[2:]
    assert first.startswith("| **facedots small** |")
    assert first.endswith("| its own |")
    assert second.startswith("| dlib 68 (trained on these photos) |")
    assert second.endswith("| 1.2, 0.1 |")
    assert accuracy(ROWS, "youtube-faces").splitlines()[3].endswith("| whole image |")


def test_what_is_not_known_is_a_dash_and_null() -> None:
    dlib = next(line for line in cost(ROWS).splitlines() if "dlib" in line)
    assert dlib == "| dlib 68 | 2.00 | – | – | 3.50 | 1.0 |"
    plain = json.loads(json.dumps(ROWS[0].to_dict(), allow_nan=False))
    assert plain["network_ms"] is None
    assert plain["peak_mb"] is None
    assert plain["scores"]["300w"]["n"] == 3


def test_the_page_names_who_failed() -> None:
    faces = Faces(
        ["a"] * 3, [np.zeros((9, 9, 3), np.uint8)] * 3, TRUE, np.zeros((3, 4), np.float32)
    )
    test_sets = dict.fromkeys(("youtube-faces", "300w"), EvalSet(faces, Path()))
    text = page(ROWS, ["npm: not found"], test_sets, 3, "images/peers.png")
    assert "- not measured: npm: not found\n" in text
    assert "](images/peers.png)" in text
    assert "3 official test frames" in text


def test_the_plot_knows_who_was_trained_on_what() -> None:
    trained_on_it = {
        (title, dot.name)
        for title, shown in dots(ROWS).items()
        for dot in shown
        if dot.trained_on_it
    }
    assert trained_on_it == {("300-W validation photos", "dlib 68")}
