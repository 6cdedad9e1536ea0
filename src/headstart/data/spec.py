"""The contract between a kind of data and the network that takes it."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray


class InputSpec(Protocol):
    """How one kind of data (images, text, ...) becomes a network's input; it travels with the network's weights.

    Embedding uses nothing else of the data: an item is whatever `load` understands. All methods may be called from
    several threads. `data.images.spec.ImageSpec` is the one for images.
    """

    def load(self, item: Any) -> NDArray[Any]:
        """The network's input for one item; always of one shape and type. Raises `UnreadableImage` with the reason."""

    def buffer(self, count: int) -> NDArray[Any]:
        """An empty batch: an array that `load`'s results fit into, with `count` places along its first axis."""

    def fingerprint(self) -> str:
        """Names all that an input depends on besides the item: equal fingerprints, equal inputs. For cache keys."""

    def to_dict(self) -> dict[str, Any]:
        """The specification as JSON-like values, as they are written beside the weights."""
