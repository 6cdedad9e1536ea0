"""What differs between kinds of data before a network sees them: thumbnails, near duplicates, remarks, words.

`modality_of` says which kind samples are of: an item that is a `str` is a text, all others are images. The rooms above
ask this record and never what an item is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headstart.nouns import reword

if TYPE_CHECKING:
    from headstart.data.duplicates.near import NearDuplicates
    from headstart.data.duplicates.thumbnails import Thumbnails
    from headstart.records.samples import Samples


@dataclass(frozen=True)
class Modality:
    """A kind of data.

    name: as a network's specification has it. noun: of one item. squares: whether items must become squares.
    thumbnails: samples, cache → what quality is seen in; None for a kind without. near: samples, cache, thumbnails →
    near duplicates. backbone: the usual one; '' leaves that to the options.
    """

    name: str
    noun: str
    squares: bool
    thumbnails: Callable[[Samples, bool], Thumbnails | None]
    near: Callable[[Samples, bool, Any], NearDuplicates]
    backbone: str = ""

    def encoder(self, name: str, usual: str) -> str:
        """The network of this name; of this kind's own where it is the usual one for images."""
        return self.backbone if name == usual and self.backbone else name

    def say(self, sentence: str) -> str:
        """A sentence that was written of images, of this kind; what stands in quotes is the user's.

        >>> TEXTS.say("2 images of 'image', 1 Image")
        "2 texts of 'image', 1 Text"
        """
        return reword(sentence, self.noun)


def _thumbnails(samples: Samples, cache: bool) -> Thumbnails | None:
    from headstart.data.duplicates.thumbnails import make_thumbnails

    return make_thumbnails(samples, cache=cache)


def _near_images(samples: Samples, cache: bool, thumbnails: Any) -> NearDuplicates:
    from headstart.data.duplicates.near import search_samples

    return search_samples(samples, cache=cache, thumbnails=thumbnails)


def _near_texts(samples: Samples, cache: bool, thumbnails: Any) -> NearDuplicates:
    from headstart.data.texts.near import search_texts

    return search_texts(samples.items)  # type: ignore[arg-type]


IMAGES = Modality("image", "image", True, _thumbnails, _near_images)
TEXTS = Modality("text", "text", False, lambda samples, cache: None, _near_texts, "minilm_l6")


def modality_of(samples: Samples) -> Modality:
    """The kind of data that these samples are."""
    return TEXTS if len(samples) and isinstance(samples.items[0], str) else IMAGES
