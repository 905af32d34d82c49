"""The recipe: everything that decides a training run, in one YAML file."""

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from facedots.annotations.load import ReadOptions
from facedots.data.splits import SOURCE_NAMES, SPLITS
from facedots.errors import RecipeError
from facedots.io.headers import MAX_PIXELS
from facedots.io.yaml_files import field_faults, read_yaml
from facedots.models.registry import MODELS
from facedots.training.hardware import Device, Precision
from facedots.training.losses import LOSSES
from facedots.training.optimizers import OPTIMIZERS

CHOICES: Mapping[str, Collection[str]] = MappingProxyType(
    {
        "model": MODELS,
        "sources": SOURCE_NAMES,
        "label_style": ("", *SOURCE_NAMES),
        "split": SPLITS,
        "loss": LOSSES,
        "optimizer": OPTIMIZERS,
    }
)
"""Field -> the names it accepts."""

T = TypeVar("T", bound=BaseModel)
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Recipe(BaseModel):
    """The settings of one training run.

    The names of the fields are the keys of a recipe file and the options of ``facedots train``
    (``--batch-size 64``). A recipe is immutable; :func:`load_recipe` reads one from a file.

    Raises:
        pydantic.ValidationError: A field is unknown or its value invalid.

    Example:
        >>> recipe = Recipe(model="tiny", sources=("300w",), loss="heatmap_wing", epochs=50)
        >>> recipe.batch_size, recipe.optimizer
        (32, 'adamw')
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    model: str
    """Network: baseline, tiny, small or large."""
    sources: tuple[str, ...] = ("youtube-faces",)
    """Data sets: youtube-faces, 300w or custom; several separated by commas."""
    label_style: str = ""
    """Data set whose way of placing points the exported model follows; default: the first one."""
    styles: tuple[str, ...] = ()
    """Label styles of custom faces, as a pack names them; default: the sources."""
    split: str = "official"
    """Train/test split: official, or the person-disjoint folds disjoint:0 to disjoint:4."""
    val_fraction: Annotated[float, Field(ge=0, lt=0.5)] = 0.04
    """Fraction of the training people or photos held out to choose the checkpoint."""
    loss: str = "smooth_l1"
    """Loss: smooth_l1, wing, heatmap or heatmap_wing."""
    epochs: PositiveInt = 30
    """Passes over the training faces."""
    batch_size: PositiveInt = 32
    """Faces per step."""
    optimizer: str = "adamw"
    """Optimizer: adamw or muon."""
    lr: PositiveFloat = 1e-3
    """Peak learning rate; linear warm-up, then a cosine to 0."""
    warmup_fraction: Fraction = 0.03
    """Fraction of the steps that warm up."""
    weight_decay: NonNegativeFloat = 0.01
    """Decoupled weight decay of kernels and matrices."""
    ema_decay: Fraction = 0.999
    """Decay of the exponential moving average of the weights, which is what is kept."""
    augmentation: NonNegativeFloat = 1.0
    """Strength of the augmentation; 0 for none."""
    box_jitter: NonNegativeFloat | None = None
    """Strength of the random zoom and shift of the face box; default: as augmentation."""
    cooldown_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction of the epochs, the last ones, with a quarter of the augmentation, but as many
    closed eyes, turned heads and covered faces, and half the jitter."""
    negative_fraction: Fraction = 0.07
    """Fraction of crops without a well-placed face, for networks that predict a score."""
    device: Device = "auto"
    """Device: cpu, cuda, mps, or auto: the first of cuda, mps and cpu that is there."""
    precision: Precision = "auto"
    """Precision of the training: bf16, float32, or auto: bf16 where the processor supports it."""
    workers: NonNegativeInt = 0
    """Processes that load samples; 0 loads them in the training process."""
    threads: PositiveInt = 1
    """CPU threads of the training process."""
    cache_gb: NonNegativeFloat = 4.0
    """Memory for decoded images, in GB."""
    seed: NonNegativeInt = 0
    """Seed of all randomness."""
    format: str | None = None
    """Format of the labels, as for `facedots data stats`; default: what is there."""
    images: str | None = None
    """Folder with the images, if not beside the labels."""
    origin: tuple[float, float] | None = None
    """What the labels call the center of the top-left pixel, as in 1,1; default: by the format."""
    max_pixels: PositiveInt = MAX_PIXELS
    """Images with more pixels are refused by their header."""
    title: str = ""
    """Title of the model card; default: the network's name."""
    license: str = ""
    """License of the weights, for the model card."""
    trained_on: str = ""
    """The training data in words, for the model card; default: the path of the data."""

    @field_validator("sources", "styles", "origin", mode="before")
    @classmethod
    def _split_text(cls, value: Any) -> Any:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator(*CHOICES)
    @classmethod
    def _check_names(cls, value: Any, info: ValidationInfo) -> Any:
        choices = CHOICES[str(info.field_name)]
        for name in value if isinstance(value, tuple) else (value,):
            if name not in choices:
                raise ValueError(f"{name!r} is none of {', '.join(filter(None, choices))}")
        return value

    @property
    def label_styles(self) -> tuple[str, ...]:
        """The label styles, each with its own maps."""
        return self.styles or self.sources

    @property
    def exported_style(self) -> str:
        """The label style of the exported model."""
        styles = self.label_styles
        return self.label_style if self.label_style in styles else styles[0]

    @property
    def read_options(self) -> ReadOptions:
        """How to read the labels."""
        return ReadOptions(self.format, Path(self.images) if self.images else None, self.origin)

    def to_yaml(self) -> str:
        """The whole recipe, defaults included; :func:`load_recipe` reads it back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_recipe(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe in a YAML file, with some fields replaced.

    Args:
        path: The file.
        overrides: Field -> value; strings are parsed.

    Raises:
        RecipeError: The file cannot be read, or fields are unknown or invalid; all of them are
            listed.
    """
    return read_recipe(Recipe, path, overrides)


def read_recipe(kind: type[T], path: str | Path, overrides: Mapping[str, Any] | None) -> T:
    """The recipe of a kind in a YAML file; arguments, errors as of :func:`load_recipe`."""
    fields = read_yaml(path, RecipeError)
    if not isinstance(fields, dict):
        raise RecipeError(f"{path}: a recipe is a list of `field: value` lines")
    try:
        return kind.model_validate({**fields, **(overrides or {})})
    except ValidationError as error:
        names = f"fields: {', '.join(kind.model_fields)}"
        lines = [f"{path}: invalid recipe", *field_faults(error.errors()), names]
        raise RecipeError("\n".join(lines)) from error
