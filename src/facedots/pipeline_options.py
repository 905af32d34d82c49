"""Which networks find faces and keypoints, how and where, by the strings of a command line or of a
request. Nothing heavy is imported before a network is opened.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from facedots.errors import DataError, WeightsError
from facedots.runtime import Device

if TYPE_CHECKING:
    from facedots.detection.base import Detector
    from facedots.inference.predictor import KeypointPredictor
    from facedots.pipeline import Pipeline

DetectorName = Literal["retinaface", "finder", "haar", "yunet", "single-object"]
DETECTORS_OF_FILES = ("finder", "yunet")
"""Those whose weights are a file of the user's."""
SearchName = Literal["fast", "default", "thorough"]
RefineName = Literal["auto", "0", "1", "2"]

ModelName = Annotated[str, "A name from `facedots models`, an .onnx file, or the folder of a run."]
SearchOption = Annotated[
    SearchName,
    "Faces from 1/11 of the long side; from 32 pixels or 1/32 of it; from 24 pixels, in some 0.2 s "
    "a megapixel. Not for haar.",
]
AnyAngle = Annotated[
    bool,
    "Find heads on their side and upside down too, in 2 to 8 times the time; finder always does, "
    "haar never.",
]
DeviceOption = Annotated[
    Device,
    "Hardware of the networks; the CPU where it cannot run them. haar and yunet use the CPU.",
]


@dataclass(frozen=True, kw_only=True)
class PipelineOptions:
    """Which networks find faces and keypoints, how, and on which hardware.

    Raises:
        DataError: A value is not one of those listed.
    """

    model: ModelName = "small"
    detector: Annotated[
        DetectorName, "Face detector; single-object: one object, by its keypoints alone."
    ] = "retinaface"
    detector_file: Annotated[Path | None, "Weight file of yunet, or of your own finder."] = None
    search: SearchOption = "default"
    min_face: Annotated[
        int | None, "Search for faces from N pixels, whatever --search.", {"min": 8, "metavar": "N"}
    ] = None
    any_angle: AnyAngle = False
    refine: Annotated[
        RefineName,
        "Further predictions of each face, upright around the one before; auto: one, where the "
        "first crop was off.",
    ] = "auto"
    threads: Annotated[int, "Threads of the networks.", {"min": 1, "max": 256}] = 1
    device: DeviceOption = "cpu"

    def __post_init__(self) -> None:
        for name, choices in _choices().items():
            value = getattr(self, name)
            if value not in choices:
                raise DataError(f"{name}={value}: not one of {', '.join(choices)}")

    @property
    def recorded(self) -> dict[str, Any]:
        """What results depend on beside the model, by the names of the options."""
        file = self.detector_file and str(self.detector_file)
        values = {"detector": self.detector, "detector-file": file, "search": self.search}
        more = {"min-face": self.min_face, "any-angle": self.any_angle, "refine": self.refine}
        return {**values, **more}

    def load(self, min_score: float | None = None) -> "Pipeline":
        """Open the networks; ``min_score`` of the detector, by default its own, is not for haar.

        Raises:
            WeightsError: A network is unknown, or a weight file is missing.
            DataError: A weight file is given for a detector that takes none.
        """
        from facedots.pipeline import Pipeline

        predictor = self.load_predictor()
        return Pipeline(self.load_detector(predictor, min_score), predictor)

    def load_predictor(self) -> "KeypointPredictor":
        """Open the network of the keypoints; raises as :meth:`load` does."""
        from facedots.inference.predictor import KeypointPredictor

        refine: int | Literal["auto"] = "auto" if self.refine == "auto" else int(self.refine)
        return KeypointPredictor(self.model, self.threads, refine, providers=self.device)

    def load_detector(
        self, predictor: "KeypointPredictor | None" = None, min_score: float | None = None
    ) -> "Detector":
        """Open the detector, which is made of ``predictor``, by default that of
        :meth:`load_predictor`, for ``single-object``; raises as :meth:`load` does.
        """
        if self.detector_file and self.detector not in DETECTORS_OF_FILES:
            takes = " and ".join(DETECTORS_OF_FILES)
            raise DataError(f"--detector-file is for {takes}; --detector is {self.detector}")
        options: dict[str, Any] = {"search": self.search, "min_face": self.min_face}
        options |= {} if min_score is None else {"min_score": min_score}
        if self.detector == "haar":
            from facedots.detection.opencv import Haar

            return Haar()
        if self.detector == "single-object":
            from facedots.detection.base import SingleObjectDetector

            return SingleObjectDetector(predictor or self.load_predictor())
        if self.detector == "finder":
            from facedots.detection.finder import Finder

            options |= {"threads": self.threads, "providers": self.device}
            return Finder(self.detector_file, **options)
        if self.detector == "yunet":
            from facedots.detection.opencv import YuNet

            if self.detector_file is None:
                raise WeightsError(f"--detector yunet needs --detector-file FILE: {YuNet.ORIGIN}")
            return YuNet(self.detector_file, **options, any_angle=self.any_angle)
        from facedots.detection.retinaface import RetinaFace

        options |= {"any_angle": self.any_angle, "threads": self.threads}
        return RetinaFace(**options, providers=self.device)


@cache
def _choices() -> dict[str, tuple[str, ...]]:
    """What the options may be of which only some values are known, by their names."""
    hints = get_type_hints(PipelineOptions).items()
    return {name: get_args(hint) for name, hint in hints if get_origin(hint) is Literal}
