"""``facedots demo``: dots on a portrait that is already on the machine."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from facedots.errors import ImageError

PORTRAIT = Path("mpl-data") / "sample_data" / "grace_hopper.jpg"


def demo(out: Annotated[Path, typer.Option(file_okay=False, help="Where demo.png and demo.json go.")] = Path("out")) -> None:
    """Find the face in matplotlib's sample portrait and write demo.png and demo.json.

    The picture shows Rear Admiral Grace Hopper; it is a work of the United States Navy and in the public domain.
    """
    from facedots.io.files import write_whole
    from facedots.io.images import read_image, write_image
    from facedots.io.sinks import ImageResult, to_json
    from facedots.pipeline import Pipeline
    from facedots.view.keypoints import draw_faces

    image = read_image(portrait())
    pipeline = Pipeline()
    faces = pipeline(image)
    write_image(out / "demo.png", draw_faces(image, faces, face_size=400))
    result = ImageResult(PORTRAIT.name, image.shape[1], image.shape[0], faces)
    spec = pipeline.keypointer.spec
    write_whole(out / "demo.json", to_json([result], spec.schema, spec.name))
    typer.echo(f"{len(faces)} face, {len(faces) * spec.schema.count} dots: {out / 'demo.png'}, {out / 'demo.json'}")


def portrait() -> Path:
    """The path of the sample portrait inside matplotlib, which is found but not imported.

    Raises:
        ImageError: matplotlib, or the sample in it, is not installed.
    """
    found = importlib.util.find_spec("matplotlib")
    path = Path(found.origin).parent / PORTRAIT if found and found.origin else None
    if path is None or not path.is_file():
        raise ImageError(
            "the sample portrait lies in matplotlib, which is not installed: pip install 'facedots[plots]', "
            "or take a picture of your own: facedots predict FILE --out out"
        )
    return path
