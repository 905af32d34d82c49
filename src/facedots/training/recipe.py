"""The recipe: everything that decides a training run, in one YAML file."""

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from facedots.data.sources import SOURCE_NAMES
from facedots.data.splits import SPLITS
from facedots.errors import RecipeError
from facedots.models.registry import MODELS
from facedots.training.losses import LOSSES
from facedots.training.optimizers import OPTIMIZERS

_NAMED: Mapping[str, Collection[str]] = MappingProxyType(
    {
        "model": MODELS,
        "style": ("", *SOURCE_NAMES),
        "split": SPLITS,
        "loss": LOSSES,
        "optimizer": OPTIMIZERS,
    }
)
"""Field -> the names that it may hold."""


class Recipe(BaseModel):
    """One training run. Every field can be overridden on the command line, as in ``--batch-size
    64``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="network: " + ", ".join(MODELS))
    sources: tuple[str, ...] = Field(
        default=("youtube-faces",), description="data sets: " + ", ".join(SOURCE_NAMES)
    )
    style: str = Field(
        default="",
        description="whose way of labeling the exported file follows; the first source, unless it is one of the others",
    )
    split: str = Field(default="official", description="official, or disjoint:0 … disjoint:4")
    validation: float = Field(
        default=0.04,
        ge=0,
        lt=0.5,
        description="share of the training people held out to choose the checkpoint",
    )
    loss: str = Field(default="smooth_l1", description="loss: " + ", ".join(LOSSES))
    epochs: int = Field(default=30, ge=1, description="passes over the training faces")
    batch_size: int = Field(default=32, ge=1, description="faces a step")
    optimizer: str = Field(default="adamw", description="optimizer: " + ", ".join(OPTIMIZERS))
    lr: float = Field(
        default=1e-3,
        gt=0,
        description="peak learning rate, warmed up linearly and brought to 0 by a cosine",
    )
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps that warm up")
    weight_decay: float = Field(
        default=0.01,
        ge=0,
        description="share of kernels and matrices that a step takes off, times lr",
    )
    ema: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        description="decay of the averaged weights, which are the ones kept",
    )
    augmentation: float = Field(
        default=1.0, ge=0, description="strength of the augmentation; 0 for none"
    )
    jitter: float | None = Field(
        default=None,
        ge=0,
        description="strength of the crop's random zoom and shift; else as augmentation",
    )
    cooldown_fraction: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the epochs, the last ones, with a quarter of the augmentation and half the jitter",
    )
    negative_fraction: float = Field(
        default=0.07,
        ge=0,
        lt=1,
        description="share of crops that show no face or a badly placed one, for networks that judge",
    )
    validate_every: int = Field(
        default=1, ge=1, description="epochs between two validations and checkpoints"
    )
    precision: Literal["auto", "bf16", "float32"] = Field(
        default="auto", description="auto takes bf16 where the processor has it"
    )
    workers: int = Field(
        default=0,
        ge=0,
        description="processes that make samples; 0 makes them in the training process",
    )
    threads: int = Field(default=1, ge=1, description="processor threads of the training process")
    cache_gb: float = Field(default=4.0, ge=0, description="memory for decoded frames")
    seed: int = Field(default=0, ge=0, description="decides all randomness")
    title: str = Field(default="", description="what the model card is headed")
    license: str = Field(default="", description="what the weights may be used for")
    trained_on: str = Field(default="", description="the training data, in words")

    @field_validator(*_NAMED)
    @classmethod
    def _exists(cls, name: str, field: ValidationInfo) -> str:
        return _one_of(name, _NAMED[str(field.field_name)])

    @model_validator(mode="after")
    def _whole_intervals(self) -> Self:
        if self.epochs % self.validate_every:
            raise ValueError(
                f"epochs: {self.epochs} is no multiple of validate_every, {self.validate_every}; the last must be validated"
            )
        return self

    @field_validator("sources", mode="before")
    @classmethod
    def _sources_exist(cls, names: Any) -> Any:
        listed = names.split(",") if isinstance(names, str) else names
        for name in listed:
            _one_of(name, SOURCE_NAMES)
        return tuple(listed)

    @property
    def exported_style(self) -> str:
        """The source whose way of labeling the exported file follows."""
        return self.style if self.style in self.sources else self.sources[0]

    def to_yaml(self) -> str:
        """The whole recipe, defaults included; :func:`load_recipe` reads it back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _one_of(name: str, known: Collection[str]) -> str:
    if name not in known:
        raise ValueError(f"{name!r} is none of {', '.join(known)}")
    return name


def load_recipe(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe in a YAML file, with some fields replaced.

    Raises:
        RecipeError: The file cannot be read, or fields are unknown or invalid; all of them are
            named.
    """
    try:
        fields = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: not YAML: {error}") from error
    if not isinstance(fields, dict):
        raise RecipeError(f"{path}: a recipe is a list of `field: value` lines")
    try:
        return Recipe(**{**fields, **(overrides or {})})
    except ValidationError as error:
        faults = [
            f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        ]
        known = ", ".join(Recipe.model_fields)
        raise RecipeError(
            "\n".join([f"{path}: invalid recipe", *faults, f"fields: {known}"])
        ) from error
