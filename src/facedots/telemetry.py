"""ONNX Runtime's usage reports, which facedots switches off.

From 1.29 on, importing ONNX Runtime writes a device id below the home's cache and sends events to
Microsoft. ``ORT_DISABLE_TELEMETRY=0`` in the environment leaves them on.
"""

import os
import sys

VARIABLE = "ORT_DISABLE_TELEMETRY"
_WANTED = frozenset({"0", "false", "no", "off"})


def telemetry_wanted() -> bool:
    """Whether the environment asks to leave the reports on."""
    return os.environ.get(VARIABLE, "").strip().lower() in _WANTED


def disable_telemetry() -> None:
    """Switch the reports off in this process and in those that it starts.

    To be called before ONNX Runtime is imported; where it is loaded already, nothing more is sent.
    """
    if telemetry_wanted():
        return
    os.environ[VARIABLE] = "1"
    disable = getattr(sys.modules.get("onnxruntime"), "disable_telemetry_events", None)
    if disable is not None:
        disable()
