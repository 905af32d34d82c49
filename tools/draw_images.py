"""Draw images of the documents: ``filters.jpg``, ``reading.jpg``, ``video.jpg`` and ``logo.svg``.

    python tools/draw_images.py [filters reading video logo] [--out docs/images]

The portrait in them is matplotlib's sample image, Rear Admiral Grace Hopper, a work of the United
States Navy in the public domain.
"""

import argparse
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from typer.testing import CliRunner

from facedots import (
    IBUG68,
    Anonymizer,
    Camera,
    FaceAnalyzer,
    Pipeline,
    draw_axes,
    named_effects,
    open_reader,
    read_image,
    sample_portrait,
    similarity,
    write_image,
)
from facedots.analysis import MEAN_SHAPE, TEMPLATES, align_face, face_texture
from facedots.cli.main import app
from facedots.geometry import Image
from facedots.io import Frame, PyAVWriter, VideoInfo, VideoWriter, atomic_write
from facedots.plots import region_colors

IMAGES = Path(__file__).parents[1] / "docs" / "images"
EFFECTS = "sunglasses,mustache hat crown dog-ears,dog-nose party-mask blush,lips,brows mesh"
FILM_SIDE, FRAMES, SHOWN = 240, 60, (5, 20, 35, 50)


def filters(out: Path) -> None:
    """What ``facedots filter`` and ``facedots anonymize`` make of the portrait."""
    image = np.ascontiguousarray(read_image(sample_portrait())[:400, 56:456])
    faces = Pipeline()(image)
    cells = []
    for names in EFFECTS.split():
        result = image
        for effect in named_effects(names):
            result = effect(result, faces)
        cells.append(titled(result, names, 200, 0.38))
    for method in ("blur", "pixelate"):
        covered = Anonymizer(method)(image, faces)
        cells.append(titled(covered, f"anonymize: {method}", 200, 0.38))
    cells.append(titled(face_texture(image, faces[0], 300).image, "on the mean shape", 200, 0.38))
    half = len(cells) // 2
    write_image(out / "filters.jpg", np.vstack([np.hstack(cells[:half]), np.hstack(cells[half:])]))


def reading(out: Path) -> None:
    """What ``facedots pose`` and ``facedots align`` make of the portrait."""
    image = read_image(sample_portrait())
    camera = Camera.guess((image.shape[0], image.shape[1]))
    (face,) = FaceAnalyzer(camera)(image, Pipeline()(image))
    if face.pose is None:
        raise SystemExit("the portrait's face was not read")
    angles = {name: round(getattr(face.pose, name)) for name in ("yaw", "pitch", "roll")}
    text = ", ".join(f"{name} {angle:+}" for name, angle in angles.items())
    cells = [titled(draw_axes(image, [face.pose], camera)[:400, 56:456], text, 240, 0.42)]
    aligned = {name: align_face(image, face, 240, name).image for name in TEMPLATES}
    cells += [titled(crop, name, 240, 0.42) for name, crop in aligned.items()]
    write_image(out / "reading.jpg", np.hstack(cells))


def video(out: Path) -> None:
    """Frames of a film of the portrait in motion, tracked, with dots and with stickers."""
    with TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        info = VideoInfo(FILM_SIDE, FILM_SIDE, Fraction(30), Fraction(1, 30), None)
        with PyAVWriter(film, info) as sink:
            write_film(sink)
        rows = [tracked(film), tracked(film, "--filter", "sunglasses,mustache")]
    write_image(out / "video.jpg", np.vstack(rows))


def logo(out: Path) -> None:
    """The 68 dots of the mean shape, colored by region."""
    atomic_write(out / "logo.svg", logo_svg())


def titled(image: Image, title: str, side: int, letters: float) -> Image:
    """A square image with its title below."""
    small = np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    strip = np.full((26, side, 3), 255, np.uint8)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(strip, title, (6, 17), font, letters, (30, 30, 30), 1, cv2.LINE_AA)
    return np.concatenate([small, strip])


def write_film(sink: VideoWriter) -> None:
    """The portrait swings, nods and grows."""
    image = read_image(sample_portrait())
    middle, half = (image.shape[1] / 2, image.shape[0] * 0.37), FILM_SIDE / 2
    for number in range(FRAMES):
        swing = 2 * np.pi * number / FRAMES
        x, y = half - middle[0] + 35 * np.sin(swing), half - middle[1] + 12 * np.sin(2 * swing)
        matrix = similarity(16 * np.cos(swing), 0.58 + 0.08 * np.sin(swing), (x, y), middle)
        size, border = (FILM_SIDE, FILM_SIDE), cv2.BORDER_REPLICATE
        moved = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_AREA, borderMode=border)
        sink.write(Frame(np.asarray(moved, np.uint8), Fraction(number, 30)))


def tracked(film: Path, *options: str) -> Image:
    """Some frames of what ``facedots video`` makes of the film, side by side."""
    out = film.with_name("out.mp4")
    command = ["video", str(film), "--out", str(out), *options]
    print(CliRunner().invoke(app, command, catch_exceptions=False).output.strip())
    frames = [frame.image for frame in open_reader(out)]
    return np.hstack([frames[number] for number in SHOWN])


def logo_svg(side: int = 256, margin: int = 14, radius: float = 7.5) -> str:
    """The logo as SVG."""
    points = np.asarray(MEAN_SHAPE, np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    placed = (points - (low + high) / 2) * (side - 2 * margin) / (high - low).max() + side / 2
    colors = region_colors(IBUG68)
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="rgb{colors[region]}"/>'
        for (x, y), region in zip(placed, IBUG68.region_of, strict=True)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}">'
    return "\n".join([head, *dots, "</svg>"]) + "\n"


DRAWN = {draw.__name__: draw for draw in (filters, reading, video, logo)}


def main() -> None:
    """Draw what the command line names, by default all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=", ".join(DRAWN))
    parser.add_argument("--out", type=Path, default=IMAGES)
    args = parser.parse_args()
    if unknown := set(args.names) - set(DRAWN):
        parser.error(
            f"no image is called {', '.join(sorted(unknown))}; there are: {', '.join(DRAWN)}"
        )
    for name in args.names or DRAWN:
        DRAWN[name](args.out)


if __name__ == "__main__":
    main()
