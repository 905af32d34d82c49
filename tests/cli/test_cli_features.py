from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facedots.cli.main import app
from facedots.errors import FacedotsError, ImageError, WeightsError
from facedots.io.images import read_image, write_image


@pytest.fixture
def image(tmp_path: Path) -> Path:
    write_image(
        tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    )
    return tmp_path / "a.png"


def run(model: Path, image: Path, *options: str) -> Result:
    words = [
        "features",
        str(model),
        "--image",
        str(image),
        "--out",
        str(image.parent / "out"),
        *options,
    ]
    return CliRunner().invoke(app, words)


def test_draws_first_kernels_all_maps_and_a_filtered_image(tiny_model: Path, image: Path) -> None:
    result = run(tiny_model, image, "--box", "10,10,50,50")
    assert result.exit_code == 0, result.output
    written = [Path(line) for line in result.stdout.splitlines()]
    names = ["kernels-stem.0.png", "filter-stem.0-0.png", "maps-00-stem.0.png", "maps-01-head.png"]
    assert [path.name for path in written] == names
    for path in written:
        assert read_image(path).std() > 5


def test_one_layer_and_one_kernel(tiny_model: Path, image: Path) -> None:
    result = run(
        tiny_model,
        image,
        "--box",
        "10,10,50,50",
        "--layer",
        "head",
        "--kernel",
        "1",
        "--channel",
        "3",
    )
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (image.parent / "out").iterdir())
    assert names == ["filter-head-1.png", "kernels-head.png", "maps-01-head.png"]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            ["--box", "0,0,9,9", "--layer", "x"],
            WeightsError,
            r"no layer 'x'; there are: stem\.0, head",
        ),
        (["--box", "0,0,9,9", "--kernel", "4"], WeightsError, "kernels 0 to 3, no 4"),
        ([], ImageError, "no face found; give its box"),
    ],
)
def test_mistakes_are_named(
    tiny_model: Path, image: Path, options: list[str], kind: type[FacedotsError], message: str
) -> None:
    result = run(tiny_model, image, *options)
    with pytest.raises(kind, match=message):
        raise result.exception or AssertionError("no error")
    assert not (image.parent / "out").exists()


@pytest.mark.parametrize("box", ["1,2,3", "1,2,3,x", "5,5,5,9"])
def test_box_must_be_a_box(tiny_model: Path, image: Path, box: str) -> None:
    result = run(tiny_model, image, "--box", box)
    assert result.exit_code == 2
    assert "four numbers" in result.output
