"""Draws docs/images/video.jpg: frames of a film that is made of a portrait in motion, followed,
with dots and with stickers.

python tools/draw_video_image.py
"""

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from typer.testing import CliRunner

from facedots import open_reader, read_image, sample_portrait, similarity, write_image
from facedots.cli.main import app
from facedots.geometry import Image
from facedots.io import Frame, PyAVWriter, VideoInfo, VideoWriter

TARGET = Path(__file__).parents[1] / "docs" / "images" / "video.jpg"
WIDTH, HEIGHT, COUNT = 240, 240, 60
SHOWN = (5, 20, 35, 50)


def write_film(sink: VideoWriter) -> None:
    """The portrait swings, nods and grows."""
    image = read_image(sample_portrait())
    middle = (image.shape[1] / 2, image.shape[0] * 0.37)
    for number in range(COUNT):
        swing = 2 * np.pi * number / COUNT
        shift = (
            WIDTH / 2 - middle[0] + 35 * np.sin(swing),
            HEIGHT / 2 - middle[1] + 12 * np.sin(2 * swing),
        )
        matrix = similarity(16 * np.cos(swing), 0.58 + 0.08 * np.sin(swing), shift, middle)
        moved = cv2.warpAffine(
            image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
        )
        sink.write(Frame(np.asarray(moved, np.uint8), Fraction(number, 30)))


def followed(film: Path, *options: str) -> Image:
    """Some frames of what the command makes of the film, side by side."""
    out = film.with_name("out.mp4")
    result = CliRunner().invoke(
        app, ["video", str(film), "--out", str(out), *options], catch_exceptions=False
    )
    print(result.output.strip())
    frames = [frame.image for frame in open_reader(out)]
    return np.hstack([frames[number] for number in SHOWN])


def main() -> None:
    """Write the image."""
    with TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        with PyAVWriter(
            film, VideoInfo(WIDTH, HEIGHT, Fraction(30), Fraction(1, 30), None)
        ) as sink:
            write_film(sink)
        rows = [followed(film), followed(film, "--filter", "sunglasses,mustache")]
    write_image(TARGET, np.vstack(rows))


if __name__ == "__main__":
    main()
