"""The records that travel between rooms: frozen, made of arrays, checked once when built.

`Samples` (images with labels) → `Embeddings` (one row of numbers per image and tap) → `Predictions` → `Decisions`.
"""

from __future__ import annotations
