"""Commands that measure faces: ``facedots align`` and ``facedots pose``."""

import contextlib
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from facedots.cli.options import (
    CsvFile,
    JsonFile,
    MaxPixels,
    Recursive,
    Resume,
    Sources,
    expand_options,
    load_ibug68,
)
from facedots.cli.output import ImageRun, count_found, echo, is_printed, output_file
from facedots.io.headers import MAX_PIXELS
from facedots.pipeline_options import PipelineOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facedots.detection.base import Detector
    from facedots.geometry import Image
    from facedots.types import Face, ImageResult


@expand_options
def align(
    sources: Sources,
    *,
    out: Annotated[
        Path,
        "Folder for the faces and transforms.csv; files there are replaced.",
        {"file_okay": False},
    ],
    size: Annotated[int, "Side of a face's image, pixels.", {"min": 8, "max": 4096}] = 112,
    template: Annotated[
        Literal["eyes", "arcface112", "ffhq"], "Where the parts of a face go."
    ] = "eyes",
    networks: PipelineOptions,
    recursive: Recursive = False,
    resume: Resume = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Cut every face out, upright and in one place.

    That is what recognition networks and collections of faces need.

    Faces of an image are numbered from 0, highest score first. The table holds for each the affine
    maps there and back: x' = m00 x + m01 y + m02, y' = m10 x + m11 y + m12, in pixels whose centers
    have whole numbers. Whatever ends the command, it holds the faces written until then.
    """
    from facedots.batch.images import align_images

    pipeline = load_ibug68(networks, "align")
    with ImageRun(sources, recursive, max_pixels) as run:
        on_error = run.failures.append
        results = align_images(
            run.images,
            pipeline,
            out,
            size=size,
            template=template,
            resume=resume,
            on_error=on_error,
        )
        with contextlib.closing(results):
            for result in run.show_progress(results, "aligning"):
                echo(f"{result.source}: {count_found(result, pipeline.detector)}")


@expand_options
def pose(
    sources: Sources,
    *,
    json_file: JsonFile = None,
    csv_file: CsvFile = None,
    out: Annotated[
        Path | None, "Write the images with the heads' axes and gazes here.", {"file_okay": False}
    ] = None,
    focal: Annotated[
        float | None,
        "Focal length of the camera in pixels; guessed if not given.",
        {"min": 1, "max": 1e6},
    ] = None,
    networks: PipelineOptions,
    recursive: Recursive = False,
    resume: Resume = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Measure head pose, gaze, opening of eyes and mouth, smile and brows, and emotions.

    Yaw is positive where people turn to their own left, pitch where they look up, roll where the
    head is tilted clockwise as seen. The gaze, relative to the head, needs a network that finds
    pupils. The emotion is what people would say of the look of a face, right in about two of three
    cases, not a finding about a person.
    """
    from facedots.analysis.analyzer import FaceAnalyzer, face_columns
    from facedots.analysis.gaze import draw_gaze
    from facedots.analysis.pose import Camera, draw_axes
    from facedots.io.result_files import ResultFiles

    json_file, csv_file = output_file(json_file), output_file(csv_file)
    printed = is_printed(json_file, csv_file)
    pipeline = load_ibug68(networks, "pose")

    def measure(image: "Image") -> "list[Face]":
        return FaceAnalyzer(Camera.guess(image.shape[:2], focal))(image, pipeline(image))

    def draw(image: "Image", faces: "Sequence[Face]") -> "Image":
        camera = Camera.guess(image.shape[:2], focal)
        drawn = draw_axes(image, [face.pose for face in faces if face.pose], camera)
        return draw_gaze(drawn, faces, camera)

    columns = face_columns(pipeline.predictor, analyzed=True)
    columns = replace(columns, points=False, visibility=False)
    lines, options = list[str](), {**networks.recorded, "focal": focal}
    with ImageRun(sources, recursive, max_pixels) as run:
        run.place(out, "pose")
        try:
            with ResultFiles(
                json_file, csv_file, columns, networks.model, options=options
            ) as files:
                if resume:
                    run.resume(files)
                for result in run.predict("measuring faces", measure, draw):
                    files.write(result)
                    lines += _lines(result, pipeline.detector)
        finally:
            if lines:
                echo(*lines, err=printed)


def _lines(result: "ImageResult", detector: "Detector") -> list[str]:
    """One line per face, for people."""
    from facedots.analysis.emotion import guess_emotion

    if not result.faces:
        return [f"{result.source}: {count_found(result, detector)}"]
    lines = []
    for number, face in enumerate(result.faces):
        name = f"{result.source}, face {number}" if len(result.faces) > 1 else result.source
        if face.pose is None or face.signals is None or face.emotions is None:
            lines.append(f"{name}: a face whose points make no head")
            continue
        angles = " ".join(
            f"{axis} {round(getattr(face.pose, axis)):+}°" for axis in ("yaw", "pitch", "roll")
        )
        smile = face.signals["smile"]
        smiles = "mouth hidden" if math.isnan(smile) else f"smile {smile:+.2f}"
        emotion = f"looks {guess_emotion(face.emotions)}"
        gaze = face.gaze and f", gaze {round(face.gaze.yaw):+}° {round(face.gaze.pitch):+}°"
        lines.append(f"{name}: {angles}{gaze or ''}, {smiles}, {emotion}")
    return lines
