"""Commands that know what the 68 points mean, with a network that finds others."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from facedots.cli.main import app
from facedots.cli.output import count_found
from facedots.detection.base import PrecomputedBoxes
from facedots.pipeline_options import PipelineOptions
from facedots.schema import IBUG68, KeypointSchema
from facedots.types import ImageResult

PAIR = KeypointSchema("pair", ("a", "b"), {"all": (0, 1)}, (1, 0), ((0, 1),), (0, 1))


@pytest.mark.parametrize("words", [["align"], ["pose"], ["filter", "--with", "hat"]])
def test_they_are_refused_once_before_an_image_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    pipeline = SimpleNamespace(predictor=SimpleNamespace(spec=SimpleNamespace(schema=PAIR)))
    monkeypatch.setattr(PipelineOptions, "load", lambda *_: pipeline)
    images = [str(tmp_path / "1.png"), str(tmp_path / "2.png")]
    result = CliRunner().invoke(
        app, [*words, *images, "--model", "own.onnx", "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 1
    assert str(result.exception) == (
        f"own.onnx finds the 2 points of pair; `facedots {words[0]}` needs the 68 of iBUG"
    )
    assert not (tmp_path / "out").exists()


def test_where_no_face_is_found_the_detector_for_other_objects_is_named() -> None:
    result, nothing = ImageResult("a.png", 100, 100, []), PrecomputedBoxes([])
    looked = "no face found; looked for faces, at any angle"
    assert count_found(result, nothing, IBUG68) == looked
    assert count_found(result, nothing, PAIR) == (
        f"{looked}; for other objects: --detector single-object"
    )
