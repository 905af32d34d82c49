from pathlib import Path

import numpy as np
import pytest

from facedots.detection.base import PrecomputedBoxes
from facedots.errors import OutputError
from facedots.inference.predictor import KeypointPredictor
from facedots.io.images import write_image
from facedots.pipeline import Pipeline
from facedots.video import VideoOptions, process_video


@pytest.fixture(scope="module")
def predictor(tiny_model: Path) -> KeypointPredictor:
    return KeypointPredictor(tiny_model)


def test_process_video_tells_after_each_frame_what_is_done(
    predictor: KeypointPredictor, tmp_path: Path
) -> None:
    for number in range(4):
        write_image(tmp_path / "frames" / f"{number}.png", np.zeros((20, 30, 3), np.uint8))
    frames, table = list[int](), tmp_path / "faces.csv"
    pipeline = Pipeline(PrecomputedBoxes([]), predictor)
    stats = process_video(
        tmp_path / "frames",
        VideoOptions(csv=table, fps=10, seconds=0.3),
        pipeline,
        on_frame=lambda stats: frames.append(stats.frames),
    )
    assert frames == [1, 2, 3]
    assert (stats.total, stats.frames, stats.frames_without_face) == (3, 3, 3)
    assert (stats.track_ids, stats.blinks, stats.detector_runs) == (set(), {}, 3)
    assert len(table.read_text().splitlines()) == 4


def test_names_of_files_may_be_text() -> None:
    options = VideoOptions(out="film.mp4", csv="faces.csv")  # type: ignore[arg-type]
    assert options.files == [Path("film.mp4"), Path("faces.csv")]
    assert options == VideoOptions(out=Path("film.mp4"), csv=Path("faces.csv"))


def test_process_video_needs_something_to_write() -> None:
    with pytest.raises(OutputError, match="nothing to write: give --out, --csv"):
        process_video("film.mp4", VideoOptions())
