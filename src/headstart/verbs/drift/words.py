"""What to do about a batch of new images that was compared with a model's training images, in words.

Words only; `trust.shift.batch_test` tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.trust.shift.batch_test import BatchTest


def advice_sentences(test: BatchTest, most_foreign: str) -> tuple[str, ...]:
    """What to do, in sentences; what the model guaranteed comes first. most_foreign: the name of an image."""
    if not test.drifted:
        return (
            "Nothing was found against using the model on this batch. A few foreign images among many are not seen by "
            f"this test, but come first on its page (here {most_foreign}).",
        )
    void = (
        "Void for this batch: the guarantee of 'headstart predict --max-error' for predictions accepted automatically, "
        "and the score that 'headstart info' tells to expect. Send its images to review."
    )
    if test.label_shift_only:
        return (
            void,
            "No difference was found within the classes: label a random part of the batch, and 'headstart evaluate' "
            "shows how the model does in these shares; train again on images in these shares if they are to stay.",
        )
    return (
        void,
        f"Label some of the most foreign images (such as {most_foreign}) and some at random, then 'headstart extend' "
        "(the head alone, in seconds) or 'headstart train' on old and new images together. "
        "Without labels 'headstart adapt' fits the head to such images where something speaks for it; 'headstart "
        "shift' says what to expect.",
    )
