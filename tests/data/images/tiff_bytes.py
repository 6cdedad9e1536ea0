"""A TIFF from numbers, byte by byte: any layout, whether or not a library would write it."""

import struct
import zlib

import numpy as np

_SHORT, _LONG = 3, 4


def tiff_bytes(
    values: np.ndarray,
    *,
    bits: int,
    colours: int,
    kind: int = 1,
    extra: tuple[int, ...] = (),
    separate: bool = False,
    order: str = "<",
    deflate: bool = False,
    tags: dict[int, tuple[int, ...]] | None = None,
) -> bytes:
    """A TIFF of one strip (one a channel where `separate`), uncompressed or by Deflate.

    values: (height, width, channels). kind: sample format, 1 unsigned, 2 signed, 3 floats. colours: photometric
    interpretation. tags: further ones, all of shorts.
    """
    height, width, channels = values.shape
    planes = [values[:, :, i : i + 1] for i in range(channels)] if separate else [values]
    strips = [_packed(plane, bits, kind, order) for plane in planes]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    offsets = [8 + sum(len(strip) for strip in strips[:i]) for i in range(len(strips))]
    entries: dict[int, tuple[int, tuple[int, ...]]] = {
        256: (_LONG, (width,)),
        257: (_LONG, (height,)),
        258: (_SHORT, (bits,) * channels),
        259: (_SHORT, (8 if deflate else 1,)),
        262: (_SHORT, (colours,)),
        273: (_LONG, tuple(offsets)),
        277: (_SHORT, (channels,)),
        278: (_LONG, (height,)),
        279: (_LONG, tuple(map(len, strips))),
        284: (_SHORT, (2 if separate else 1,)),
        339: (_SHORT, (kind,) * channels),
        **({338: (_SHORT, extra)} if extra else {}),
        **{tag: (_SHORT, numbers) for tag, numbers in (tags or {}).items()},
    }
    body = b"".join(strips)
    body += b"\0" * (len(body) % 2)
    start = 8 + len(body)
    later, directory = b"", struct.pack(order + "H", len(entries))
    for tag, (form, numbers) in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(numbers)}{'H' if form == _SHORT else 'I'}", *numbers)
        if len(packed) > 4:
            place = start + 2 + 12 * len(entries) + 4 + len(later)
            later += packed + b"\0" * (len(packed) % 2)
            packed = struct.pack(order + "I", place)
        directory += struct.pack(order + "HHI", tag, form, len(numbers)) + packed.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    return head + body + directory + struct.pack(order + "I", 0) + later


def _packed(plane: np.ndarray, bits: int, kind: int, order: str) -> bytes:
    if bits in (8, 16, 32, 64):
        return plane.astype(f"{order}{ {1: 'u', 2: 'i', 3: 'f'}[kind] }{bits // 8}").tobytes()
    rows = plane.reshape(plane.shape[0], -1)
    ones = (rows[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(ones.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()
