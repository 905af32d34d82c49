"""Options that several commands share, each declared once."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

import typer

from facedots.errors import DataError
from facedots.io.files import local_path
from facedots.io.headers import MAX_PIXELS, allow_pixels
from facedots.pipeline_options import AnyAngle, PipelineOptions, SearchOption
from facedots.schema import check_ibug68

if TYPE_CHECKING:
    from facedots.annotations.load import ReadOptions
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
CocoResults = Annotated[
    str | None,
    "Write COCO results, for pycocotools' loadRes, over what is there.",
    {"name": "coco", "metavar": "FILE"},
]
CocoAnnotations = Annotated[
    Path | None,
    "COCO annotations whose image ids --coco uses; else the numbers in the images' names.",
    {"name": "coco-ids", "metavar": "FILE"},
]
Resume = Annotated[
    bool,
    "Go on with the same outputs: skip the images in all of them, unless changed since. JSON of "
    "other options is refused; CSV does not tell.",
]

Host = Annotated[str, "Address to listen on; 0.0.0.0: all of IPv4."]
Port = Annotated[int, "0: a free one.", {"min": 0, "max": 65535}]
Workers = Annotated[int, "Processes, each with one thread that computes.", {"min": 1, "max": 256}]


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
        path = local_path(value)
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


def load_ibug68(networks: PipelineOptions, command: str) -> "Pipeline":
    """Open the networks of a command that knows what the points of iBUG mean.

    Raises:
        PointsError: The network finds others.
        WeightsError, DataError: As :meth:`PipelineOptions.load` has them.
    """
    pipeline = networks.load()
    check_ibug68(pipeline.predictor.spec.schema, networks.model, f"`facedots {command}`")
    return pipeline
