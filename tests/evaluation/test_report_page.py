import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facedots.evaluation.protocol import Evaluation
from facedots.evaluation.report_page import report_page
from facedots.evaluation.result import EvalContext, Result

SETTING = EvalContext(
    "corner", "ab" * 32, "/data", ("youtube-faces",), "official", "official", "haar"
)
Maker = Callable[..., Evaluation]


def headings(html: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", html)


def row(html: str, name: str) -> list[str]:
    """The cells of the first row called so."""
    match = re.search(rf'<th scope="row">{re.escape(name)}</th>(.*?)</tr>', html)
    assert match, name
    return re.findall(r"<td[^>]*>(.*?)</td>", match[1])


@pytest.fixture(scope="module")
def one(make_evaluation: Maker) -> Result:
    history = {"train_loss": {0.0: 3.0, 1.0: 2.0}, "val_nme": {0.0: 9.0, 1.0: 5.0}}
    return Result(
        "one",
        make_evaluation([0.1, 0.2, 0.9, np.nan], sigma=[0.1, 0.2, 0.3, 1]),
        SETTING,
        np.full(4, 20.0),
        history,
    )


@pytest.fixture(scope="module")
def page(one: Result) -> str:
    return report_page([one]).html()


def test_a_report_has_all_sections_and_each_says_what_it_shows(page: str) -> None:
    assert headings(page) == [
        "What was measured",
        "Scores",
        "How many faces are how good",
        "Error by part of the face",
        "Error by kind of image",
        "Does it know where it is wrong?",
        "The people it serves worst",
        "Faces to look at",
        "How it was trained",
        "Faces that could not be measured",
        "Words",
    ]
    parts = re.split(r"<h2", page)[3:-2]
    assert all(re.match(r"[^>]*>[^<]*</h2>\n<p>", part) for part in parts)


def test_numbers_of_a_report(page: str) -> None:
    assert row(page, "faces measured") == ["4"]
    assert row(page, "NME: mean error") == ["4.00"]
    assert row(page, "NME of the worst tenth of the faces") == ["9.00"]
    assert row(page, "FR10: faces with an NME above 10 %") == ["25.00"]
    assert row(page, "for comparison: NME of an average face put into each box") == ["20.00"]
    # Sizes 0, 33, 67 and 100 px; the last face was missed.
    assert row(page, "32 to 48 px") == ["1", "2.00"]
    assert row(page, "96 px and more") == ["1", "–"]
    # person_0 has the first two faces, person_1 one that was found.
    assert row(page.split("The people it serves worst")[2], "one") == ["2", "5.25", "9.00"]


def test_images_and_figures_of_a_report(page: str) -> None:
    # Worst and typical ones, three each, and the missed one.
    assert page.count("<img ") == 7
    assert "missed: no box was found" in page
    # Curve, regions, slices, reliability, sparsification, training.
    assert page.count("<svg ") == 6


def test_a_comparison_marks_the_best(one: Result, make_evaluation: Maker) -> None:
    other = Result(
        "two", make_evaluation([0.2, 0.1, 0.3, 0.4]), replace(SETTING, weights_sha256="cd" * 32)
    )
    html = report_page([one, other]).html()
    assert "Comparison of one and two" in html
    assert row(html, "NME: mean error") == ["4.00", "2.50"]
    assert '<td class="number">4.00</td><td class="number marked">2.50</td>' in html
    assert "not in this section: two" in html
    assert "two: 4.0 %" in html
    assert "Not comparable" not in html


def test_regions_nearest_to_their_promise_are_best(make_evaluation: Maker) -> None:
    # All points inside the 50 % region, half of them, and none.
    wide, right, narrow = (
        Result(str(sigma), make_evaluation([1, 1, 5, 5], sigma), SETTING) for sigma in (9, 2, 0.1)
    )
    html = report_page([wide, right, narrow]).html()
    marked = '<td class="number">100.00</td><td class="number marked">50.00</td><td class="number">0.00</td>'
    # In the summary, and for the eyes and the chin.
    assert html.count(marked) == 3


def test_what_cannot_be_compared_is_called_so(one: Result, make_evaluation: Maker) -> None:
    other = Result("two", make_evaluation([0.1, 0.2]), replace(SETTING, boxes="truth"))
    html = report_page([one, other]).html()
    assert "Not comparable: one and two were measured on different faces" in html
    assert "boxes came from different places" in html


def test_without_sigma_people_and_training_their_sections_are_short(make_evaluation: Maker) -> None:
    evaluation = replace(make_evaluation([1, 2]), groups=("", ""), skipped=())
    html = report_page([Result("one", evaluation, SETTING)]).html()
    assert "without any uncertainty, so there is nothing to say" in html
    assert not {
        "The people it serves worst",
        "How it was trained",
        "Faces that could not be measured",
    } & set(headings(html))


def test_images_that_are_gone_are_no_reason_to_fail(one: Result, tmp_path: Path) -> None:
    gone = replace(one, evaluation=replace(one.evaluation, images=(tmp_path / "gone.png",) * 4))
    html = report_page([gone]).html()
    assert "The images of one cannot be shown" in html
    assert "gone.png" in html


def test_nothing_found_is_still_a_page(make_evaluation: Maker) -> None:
    html = report_page([Result("one", make_evaluation([np.nan] * 3), SETTING)]).html()
    assert row(html, "NME: mean error") == ["–"]
