"""The contract between a kind of data and the network that takes it."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from headstart.records.samples import Samples


class InputSpec(Protocol):
    """How one kind of data (images, text, ...) becomes a network's input; it travels with the network's weights.

    Embedding uses nothing else of the data: an item is whatever `load` understands. All methods may be called from
    several threads. `data.images.spec.ImageSpec` is the one for images.
    """

    def load(self, item: Any) -> NDArray[Any]:
        """The network's input for one item; always of one shape and type, or any array where `buffer`
        holds objects. Raises `UnreadableImage` with the reason."""

    def buffer(self, count: int) -> NDArray[Any]:
        """An empty batch: an array that `load`'s results fit into, with `count` places along its first axis."""

    def items(self, values: Any) -> list[Any]:
        """The items that a person gives in Python, one by one."""

    def name(self, item: Any, position: int) -> str:
        """What to call an item in tables and messages."""

    def find(self, places: Any) -> Samples:
        """The unlabelled items in files, folders and tables."""

    def notes(self, items: Any) -> tuple[str, ...]:
        """What a user should know of how items were read."""

    def chosen_as(self, values: object) -> Any:
        """The specification with what was chosen on the data, as a saved model has it."""

    def fingerprint(self) -> str:
        """Names all that an input depends on besides the item: equal fingerprints, equal inputs. For cache keys."""

    def to_dict(self) -> dict[str, Any]:
        """The specification as JSON-like values, as they are written beside the weights."""
