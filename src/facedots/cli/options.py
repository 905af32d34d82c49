"""Options that several commands share, each declared once."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

import typer

from facedots.errors import DataError, WeightsError
from facedots.io.headers import MAX_PIXELS, allow_pixels

if TYPE_CHECKING:
    from facedots.annotations.load import ReadOptions
    from facedots.detection.base import Detector
    from facedots.inference.predictor import KeypointPredictor
    from facedots.pipeline import Pipeline

R = TypeVar("R")

Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE", help="Files, folders, patterns in quotes, or URLs.")
]
Recursive = Annotated[bool, "Search the folders of folders as well."]
MaxPixels = Annotated[int, "Refuse larger images by their header.", {"min": 1, "metavar": "N"}]
JsonFile = Annotated[
    str | None, "Write JSON over what is there; - prints it.", {"name": "json", "metavar": "FILE"}
]
CsvFile = Annotated[
    str | None,
    "Write CSV as OpenFace does, over what is there.",
    {"name": "csv", "metavar": "FILE"},
]
SearchOption = Annotated[
    Literal["fast", "default", "thorough"],
    "Faces from 1/11 of the long side; from 32 pixels or 1/32 of it; from 24 pixels, in some 0.2 s "
    "a megapixel. Not for haar.",
]
AnyAngle = Annotated[
    bool, "Find heads on their side and upside down too, in 2 to 8 times the time."
]
Resume = Annotated[
    bool,
    "Go on with the same outputs: skip the images in all of them, unless changed since. JSON of "
    "other options is refused; CSV does not tell.",
]


def expand_options(command: Callable[..., R]) -> Callable[..., R]:
    """Let Typer see ``Annotated[type, "help", {"min": 1}]`` as an option with that help and these
    settings, and a parameter that is a dataclass as one option for each of its fields.

    >>> @dataclass(frozen=True, kw_only=True)
    ... class Size:
    ...     width: Annotated[int, "Pixels.", {"min": 1}] = 1
    ...     height: int = 2
    >>> @expand_options
    ... def area(*, size: Size) -> int:
    ...     return size.width * size.height
    >>> parameters = inspect.signature(area).parameters
    >>> list(parameters), parameters["width"].annotation.__metadata__[0].help
    (['width', 'height'], 'Pixels.')
    >>> area(width=3, height=4)
    12
    """
    signature = inspect.signature(command)
    options, groups = list[inspect.Parameter](), dict[str, Any]()
    for parameter in signature.parameters.values():
        if is_dataclass(parameter.annotation):
            groups[parameter.name] = parameter.annotation
            options += inspect.signature(groups[parameter.name]).parameters.values()
        else:
            options.append(parameter)

    @functools.wraps(command)
    def expanded(*args: Any, **values: Any) -> R:
        for name, group in groups.items():
            values[name] = group(**{each.name: values.pop(each.name) for each in fields(group)})
        return command(*args, **values)

    shown = signature.replace(parameters=list(map(_with_option, options)))
    expanded.__signature__ = shown  # type: ignore[attr-defined]
    return expanded


def _path_parser(file_okay: bool = True, dir_okay: bool = True) -> Callable[[Any], Path]:
    """What reads a path and refuses an empty name, as of a variable that is not set."""

    def parse(value: Any) -> Path:
        if value == "":
            raise typer.BadParameter("the name is empty; leave the option out, or name it")
        path = Path(value)
        if not file_okay and path.is_file():
            raise typer.BadParameter(f"Directory '{path}' is a file.")
        if not dir_okay and path.is_dir():
            raise typer.BadParameter(f"File '{path}' is a directory.")
        return path

    return parse


def _with_option(parameter: inspect.Parameter) -> inspect.Parameter:
    text, *notes = getattr(parameter.annotation, "__metadata__", [None])
    if not isinstance(text, str):
        return parameter
    hint, settings = get_args(parameter.annotation)[0], dict(*notes)
    flag = "--" + settings.pop("name", parameter.name).replace("_", "-")
    if hint is bool and parameter.default:
        flag += f"/--no-{flag[2:]}"
    if hint in (Path, Path | None):
        kinds = {key: settings.pop(key) for key in ("file_okay", "dir_okay") if key in settings}
        settings["parser"] = _path_parser(**kinds)
        shown = "file" if "dir_okay" in kinds else "dir" if kinds else "path"
        settings.setdefault("metavar", f"<{shown}>")
    option = typer.Option(flag, help=text, **settings)
    return parameter.replace(annotation=Annotated[hint, option])


@dataclass(frozen=True, kw_only=True)
class PipelineOptions:
    """Which networks find faces and keypoints, and how."""

    model: Annotated[
        str, "A name from `facedots models`, an .onnx file, or the folder of a run."
    ] = "small"
    detector: Annotated[
        Literal["retinaface", "haar", "yunet", "single-object"],
        "Face detector; single-object: one object, by its keypoints alone.",
    ] = "retinaface"
    detector_file: Annotated[Path | None, "Weight file of the detector; yunet needs one."] = None
    search: SearchOption = "default"
    min_face: Annotated[
        int | None, "Search for faces from N pixels, whatever --search.", {"min": 8, "metavar": "N"}
    ] = None
    any_angle: AnyAngle = False
    refine: Annotated[
        Literal["auto", "0", "1", "2"],
        "Further predictions of each face, upright around the one before; auto: one, where the "
        "first crop was off.",
    ] = "auto"
    threads: Annotated[int, "Threads of the networks.", {"min": 1, "max": 256}] = 1

    @property
    def recorded(self) -> dict[str, Any]:
        """What results depend on beside the model, by the names of the options."""
        file = self.detector_file and str(self.detector_file)
        values = {"detector": self.detector, "detector-file": file, "search": self.search}
        more = {"min-face": self.min_face, "any-angle": self.any_angle, "refine": self.refine}
        return {**values, **more}

    def load(self, min_score: float = 0.8) -> "Pipeline":
        """Open the networks; ``min_score`` of the detector is not for haar.

        Raises:
            WeightsError: A network is unknown, or a weight file is missing.
        """
        from facedots.inference.predictor import KeypointPredictor
        from facedots.pipeline import Pipeline

        refine: int | Literal["auto"] = "auto" if self.refine == "auto" else int(self.refine)
        predictor = KeypointPredictor(self.model, self.threads, refine)
        return Pipeline(self._load_detector(predictor, min_score), predictor)

    def _load_detector(self, predictor: "KeypointPredictor", min_score: float) -> "Detector":
        if self.detector == "haar":
            from facedots.detection.haar import Haar

            return Haar()
        if self.detector == "single-object":
            from facedots.detection.base import SingleObjectDetector

            return SingleObjectDetector(predictor)
        if self.detector == "yunet":
            from facedots.detection.yunet import YuNet

            if self.detector_file is None:
                raise WeightsError(f"--detector yunet needs --detector-file FILE: {YuNet.ORIGIN}")
            return YuNet(self.detector_file, min_score, self.search, self.min_face, self.any_angle)
        from facedots.detection.retinaface import RetinaFace

        return RetinaFace(min_score, self.search, self.min_face, self.any_angle, self.threads)


@dataclass(frozen=True, kw_only=True)
class ThoroughOptions(PipelineOptions):
    """The same for a command that must miss no face: small and lying ones are searched too."""

    search: SearchOption = "thorough"
    any_angle: AnyAngle = True


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """How labels and their images are to be read, wherever a command names data."""

    format: Annotated[
        str | None,
        "csv, coco, label-studio, pts, cvat, imglab, labelme, list (WFLW, AFLW) or cofw; "
        "by default, what is there.",
    ] = None
    images: Annotated[
        Path | None, "Folder with the images, if not beside the labels.", {"metavar": "DIR"}
    ] = None
    origin: Annotated[
        str | None,
        "What the file calls the center of the top-left pixel; 0,0: numbers as written.",
        {"metavar": "X,Y"},
    ] = None
    max_pixels: MaxPixels = MAX_PIXELS

    def load(self) -> "ReadOptions":
        """The options for :func:`facedots.annotations.load.load_annotations`; the limit of pixels
        holds until the command ends.

        Raises:
            DataError: ``--origin`` is not two numbers.
        """
        from facedots.annotations.load import ReadOptions

        allow_pixels(self.max_pixels)
        if self.origin is None:
            return ReadOptions(self.format, self.images)
        try:
            x, y = map(float, self.origin.split(","))
        except ValueError:
            expected = "two numbers with a comma between are expected, as in 1,1"
            raise DataError(f"--origin {self.origin}: {expected}") from None
        return ReadOptions(self.format, self.images, (x, y))
