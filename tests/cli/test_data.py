import json
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from facedots.cli.data import data_app
from facedots.cli.main import app
from facedots.data import download as downloading
from facedots.errors import AnnotationError, DataError, ImageError
from facedots.io.images import read_image, write_image
from facedots.schema import IBUG68


def face_points() -> list[float]:
    """Whole-number coordinates of some face-like scatter of points, inside 60 x 50 pixels."""
    grid = np.stack(
        [10 + np.arange(IBUG68.count) % 10 * 4, 8 + np.arange(IBUG68.count) // 10 * 5], axis=1
    )
    return [float(value) for value in grid.ravel()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny data set with the layout and the names of YouTube faces."""
    root = tmp_path / "youtube-faces"
    for part, names in {
        "training": ["Ann_00.jpg", "Ann_11.jpg", "Bo_20.jpg"],
        "test": ["Ann_02.jpg"],
    }.items():
        header = ",".join(map(str, ["", *range(2 * IBUG68.count)]))
        rows = [",".join([name, *map(str, face_points())]) for name in names]
        for i, name in enumerate(names):
            write_image(root / part / name, np.full((50, 60, 3), 40 * i + len(part), np.uint8))
        (root / f"{part}_frames_keypoints.csv").write_text("\n".join([header, *rows]))
    return root


def run(*arguments: object) -> str:
    """What the command prints on standard output."""
    result = CliRunner().invoke(
        data_app, [str(argument) for argument in arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def test_show_draws_each_face_and_a_sheet(folder: Path, tmp_path: Path) -> None:
    printed = run("show", folder, "--count", 2, "--out", tmp_path / "out").split()
    assert [Path(line).exists() for line in printed] == [True] * 3
    assert Path(printed[-1]).name == "sheet.png"
    drawn = read_image(printed[0])
    assert drawn.shape[0] / drawn.shape[1] == pytest.approx(50 / 60, abs=0.01)
    assert drawn.shape[1] > 500  # Large enough that numbers can be read.
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 50


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_pack_that_is_stopped_can_be_tried_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    number = getattr(signal, name)

    def stop(status: object, text: str) -> None:
        signal.raise_signal(number)

    command = ["pack", str(folder), "--out", str(tmp_path / "pack")]
    with monkeypatch.context() as patch:
        patch.setattr("rich.status.Status.update", stop)
        result = CliRunner().invoke(data_app, command)
    assert (result.exit_code, result.stdout) == (128 + number, "")
    assert "what was written is removed" in result.stderr
    assert not list((tmp_path / "pack").iterdir())
    run(*command)


def test_show_is_repeatable_and_its_seed_picks_others(folder: Path, tmp_path: Path) -> None:
    def names(seed: int) -> list[str]:
        return [
            Path(line).name
            for line in run(
                "show", folder, "--count", 1, "--seed", seed, "--out", tmp_path / "o"
            ).split()
        ]

    assert names(0) == names(0)
    assert len({tuple(names(seed)) for seed in range(6)}) > 1


def test_show_takes_all_where_fewer_are_there(folder: Path, tmp_path: Path) -> None:
    assert (
        len(run("show", folder / "test_frames_keypoints.csv", "--out", tmp_path / "out").split())
        == 2
    )


def test_show_draws_labels_where_training_puts_them(folder: Path, tmp_path: Path) -> None:
    corrected, written = (
        read_image(
            run(
                "show", folder / "test_frames_keypoints.csv", "--out", tmp_path / name, *origin
            ).split()[0]
        )
        for name, origin in {"a": [], "b": ["--origin", "0,0"]}.items()
    )
    blue = [
        np.argwhere((image == (86, 180, 233)).all(axis=2)).mean(axis=0)
        for image in (corrected, written)
    ]
    zoom = corrected.shape[1] / 60
    np.testing.assert_allclose(
        (blue[1] - blue[0]) / zoom, (0.7, 1.2), atol=0.1
    )  # Down and right, in pixels of the frame.


def test_stats_prints_tables(folder: Path) -> None:
    printed = run("stats", folder)
    assert "training" in printed
    assert "test" in printed
    assert "yes" in printed
    assert "unknown" not in printed
    assert "mirror image swaps: the pairs of ibug68" in printed


def test_stats_as_json(folder: Path) -> None:
    shutil.copy(folder / "training" / "Bo_20.jpg", folder / "test" / "Ann_02.jpg")
    stats = json.loads(run("stats", folder, "--json"))
    assert list(stats["subsets"]) == ["training", "test"]
    assert stats["subsets"]["training"]["labels"]["faces"] == 3
    assert stats["subsets"]["training"]["videos"] == 3
    (shared,) = stats["shared"]
    assert (shared["groups"], shared["videos"], shared["byte_duplicates"]) == (1, 1, 1)


def test_numbers_of_stats_are_rounded(folder: Path) -> None:
    text = run("stats", folder, "--origin", "0.1,24.2", "--json")
    assert max(len(part) for part in re.findall(r"\.(\d+)", text)) <= 4


def test_the_limit_of_pixels_is_an_option_and_ends_with_the_command(folder: Path) -> None:
    def unreadable(*options: str) -> list[str]:
        arguments = ["data", "stats", str(folder), "--json", *options]
        result = json.loads(CliRunner().invoke(app, arguments, catch_exceptions=False).stdout)
        return [
            fault for part in result["subsets"].values() for fault in part["files"]["unreadable"]
        ]

    faults = unreadable("--max-pixels", "50")
    assert len(faults) == 4
    assert all("raise --max-pixels" in fault for fault in faults)
    assert not unreadable()
    show = ["data", "show", str(folder), "--max-pixels", "50"]
    with pytest.raises(ImageError, match="raise --max-pixels"):
        CliRunner().invoke(app, show, catch_exceptions=False)


def test_stats_goes_on_past_a_broken_image_and_names_it(folder: Path) -> None:
    (folder / "test" / "Ann_02.jpg").write_bytes(b"broken")
    printed = run("stats", folder / "test_frames_keypoints.csv")
    assert "Ann_02.jpg" in printed
    assert "unknown" in printed


def test_faults_of_the_labels_are_all_told(folder: Path) -> None:
    (folder / "test" / "Ann_02.jpg").unlink()
    with pytest.raises(AnnotationError, match=r"no file .*Ann_02\.jpg"):
        run("stats", folder)


@pytest.mark.parametrize("origin", ["1", "1,x", "1,2,3", "1;2"])
def test_an_origin_is_two_numbers(folder: Path, origin: str) -> None:
    with pytest.raises(DataError, match="two numbers with a comma"):
        run("stats", folder, "--origin", origin)


def test_download_says_what_was_checked_and_where_it_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped = shutil.make_archive(str(tmp_path / "data"), "zip", tmp_path, "youtube-faces")
    monkeypatch.setattr(downloading, "differences", lambda folder, pins: [])
    result = CliRunner().invoke(
        data_app, ["download", str(tmp_path / "new"), "--archive", zipped], catch_exceptions=False
    )
    assert result.stdout.strip() == str(tmp_path / "new" / "youtube-faces")
    assert "their pixels are not pinned" in result.stderr
    assert (tmp_path / "new" / "youtube-faces" / "test" / "Ann_02.jpg").exists()
