"""What an evaluation was of: network, data, split, boxes; and why its scores may mislead."""

from dataclasses import dataclass

GROUND_TRUTH, WHOLE_IMAGE = "ground-truth", "whole-image"


@dataclass(frozen=True)
class EvalContext:
    """What was measured, on which data and how; ``""`` where unknown.

    Attributes:
        boxes: :data:`GROUND_TRUTH`, :data:`WHOLE_IMAGE`, or the detector's name.
        data: The folder, or ``synthetic:N``.
        sources: The data sets in it.
        split: As in ``"official"``.
        weights_sha256: Of the weight file, in hexadecimal.
        trained_split: The split whose training part the network was trained on.
        label_style: The data set whose labeling style the network follows, if trained on several.
        face_styles: Those whose styles the labels of the faces follow, as far as known.
        run_styles: The styles that `facedots export` can write; empty where no run was measured.

    Example:
        >>> EvalContext("haar", "data", ("300w",), "official").boxes
        'haar'
    """

    boxes: str = GROUND_TRUTH
    data: str = ""
    sources: tuple[str, ...] = ()
    split: str = ""
    weights_sha256: str = ""
    trained_split: str = ""
    label_style: str = ""
    run_styles: tuple[str, ...] = ()
    face_styles: tuple[str, ...] = ()

    @property
    def boxes_text(self) -> str:
        """Origin of the boxes in words."""
        if self.boxes == WHOLE_IMAGE:
            return "none: the network takes the whole image"
        return "the tight box of the true points" if self.boxes == GROUND_TRUTH else self.boxes

    @property
    def faces_text(self) -> str:
        """Origin of the faces in words."""
        return ", ".join(self.sources) or self.data

    @property
    def groups_text(self) -> str:
        """What the groups of the faces are, in words."""
        if "youtube-faces" not in self.sources:
            return "images"
        return "people" if len(self.sources) == 1 else "people or images"

    def caveats(self, network: str) -> list[str]:
        """Why the scores of a network of this name may mislead, a sentence each."""
        people = "youtube-faces" in self.sources
        sentences = []
        if people and self.trained_split not in ("", "synthetic", self.split):
            sentences.append(
                f"{network} was trained on split {self.trained_split}, which contains faces of "
                "this test set: its scores are too good."
            )
        if people and self.split == "official":
            sentences.append(
                "The official split leaks: everyone in its test set is in its training set too. "
                "Compare with a disjoint split."
            )
        others = [style for style in self.face_styles if style != self.label_style]
        if self.label_style and others:
            text = (
                f"{network} predicts points in the labeling style of {self.label_style}, and faces "
                f"here are labeled in that of {' and '.join(others)}: part of the error is that "
                "difference."
            )
            for style in [style for style in others if style in self.run_styles][:1]:
                export = f"`facedots export RUN --label-style {style}`"
                text += f" {export} writes the network of this run in the style of {style}."
            sentences.append(text)
        if self.data.startswith("synthetic:"):
            sentences.append(
                "These faces were drawn by facedots; the scores do not carry over to real ones."
            )
        return sentences
