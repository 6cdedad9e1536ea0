"""What can go wrong, drawn once.

    HeadstartError
    ├── UserError            the request cannot be met as asked (exit code 2, HTTP 400)
    │   ├── OptionError      an option or argument is out of its range (also a ValueError)
    │   ├── DataError        the data cannot be used as they are
    │   │   └── UnreadableImage   one image cannot be decoded
    │   ├── BackboneError    a backbone cannot be had: its weights are not on this machine, or cannot be used
    │   │   └── UnknownBackbone   nobody knows a backbone of this name
    │   ├── BundleError      a saved model is damaged, foreign, or newer than this version
    │   ├── MissingExtra     the work needs an optional dependency that is not installed
    │   ├── MissingEngine    nothing that is installed runs a network on a CPU
    │   └── NotInRuntime     the work needs the whole of Headstart, and headstart-runtime is installed
    └── InternalError        a broken guarantee inside Headstart: please report it

Every message says, in one sentence a newcomer can act on, what was asked, what was found and what to do.
"""

from __future__ import annotations

from importlib.util import find_spec


class HeadstartError(Exception):
    """Any error that Headstart raises on purpose."""


class UserError(HeadstartError):
    """The request cannot be met as asked; the message says what to change."""


class OptionError(UserError, ValueError):
    """An option or argument is out of its range."""


class DataError(UserError, ValueError):
    """The data cannot be used as they are."""


class UnreadableImage(DataError):
    """One image cannot be decoded; the message is the reason alone, without the image's name."""


class BackboneError(UserError):
    """A backbone cannot be had: its weights are not on this machine, or cannot be used."""


class UnknownBackbone(BackboneError):
    """Nobody knows a backbone, or weights of it, of this name: most likely it is misspelt."""


class BundleError(UserError):
    """A saved model is damaged, foreign, or written by a newer version."""


class MissingExtra(UserError, ImportError):
    """The work needs an optional dependency that is not installed."""

    def __init__(self, work: str, extra: str, missing: str) -> None:
        self.extra = extra
        super().__init__(
            f"{work} needs the package '{missing}', which is not installed: "
            f"run  pip install '{_distribution()}[{extra}]'  and try again."
        )


def _distribution() -> str:
    """Which of the two distributions is installed; one must not be put over the other."""
    return "headstart-runtime" if find_spec("headstart.cli") is None else "headstart"


class MissingEngine(UserError, ImportError):
    """Nothing that is installed runs a network on a CPU."""

    def __init__(self, work: str) -> None:
        super().__init__(
            f"{work} needs OpenVINO or ONNX Runtime, and neither is installed: "
            "run  pip install openvino  or  pip install onnxruntime  and try again."
        )


class NotInRuntime(UserError, ImportError):
    """The work needs the whole of Headstart, and headstart-runtime is installed."""

    def __init__(self, work: str) -> None:
        super().__init__(
            f"{work} needs the whole of Headstart, and this is headstart-runtime, which only predicts: "
            "run  pip uninstall headstart-runtime,  then  pip install headstart."
        )


class InternalError(HeadstartError):
    """A broken guarantee inside Headstart: a fault of ours, worth a report."""
