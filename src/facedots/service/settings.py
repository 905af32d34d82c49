"""What a server is started with: networks, limits, access."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from facedots.errors import WeightsError
from facedots.inference.weights import WEIGHTS
from facedots.pipeline_options import PipelineOptions


@dataclass(frozen=True, kw_only=True)
class ServiceLimits:
    """What a request may ask for, and how many a worker takes at a time."""

    max_bytes: Annotated[int, "Bytes of a request's body.", {"min": 1, "metavar": "N"}] = 20_000_000
    max_pixels: Annotated[int, "Pixels of an image, by its header.", {"min": 1, "metavar": "N"}] = (
        50_000_000
    )
    max_faces: Annotated[int, "Faces of an image: the best ones.", {"min": 1}] = 100
    max_images: Annotated[int, "Images of a batch.", {"min": 1}] = 16
    queue: Annotated[
        int,
        "Requests that a worker computes or keeps waiting; more are answered by 503.",
        {"min": 1},
    ] = 16
    max_streams: Annotated[int, "Open WebSocket streams of a worker.", {"min": 0}] = 8
    timeout: Annotated[
        float,
        "Seconds in which a body must arrive, and again in which it is answered.",
        {"min": 0.1},
    ] = 30.0


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """What a server is started with.

    Attributes:
        networks: The default network and detector, and how they are used.
        models: Further networks that a request may name: names, files, or folders of runs.
        limits: Of a request, and of what a worker takes at a time.
        token: What clients must send as ``Authorization: Bearer TOKEN``; ``None``: nothing.
        origins: Web origins whose pages may use the service, as ``https://example.org``, or ``*``.

    Example:
        >>> ServiceSettings(models=("tiny",)).model_files
        {'small': 'small', 'tiny': 'tiny'}
    """

    networks: PipelineOptions = field(default_factory=PipelineOptions)
    models: tuple[str, ...] = ()
    limits: ServiceLimits = field(default_factory=ServiceLimits)
    token: str | None = field(default=None, repr=False)
    origins: tuple[str, ...] = ()

    @property
    def model_files(self) -> Mapping[str, str]:
        """The networks by the names that requests use, the default one first.

        Raises:
            WeightsError: Two networks have one name.
        """
        files = dict[str, str]()
        for model in dict.fromkeys((self.networks.model, *self.models)):
            name = model if model in WEIGHTS else Path(model).stem
            if name in files:
                raise WeightsError(f"{model} and {files[name]}: both are called {name}; rename one")
            files[name] = model
        return files
