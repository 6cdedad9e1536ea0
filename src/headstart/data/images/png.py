"""PNG files whose texts or colour profile are larger than Pillow reads: the same image without them.

`without_large_texts` takes an open PNG and returns it, or a copy in memory without each text and colour profile that
unpacks to more than a mebibyte. Pixels, palette, transparency and EXIF data are left as they are.
"""

from __future__ import annotations

import io
import zlib
from typing import IO

_START = 8
"""Bytes of the signature before the first chunk."""
_LARGEST = 1 << 20
_LEAST_PACKED = 1000
"""Deflate shrinks at most about a thousandfold, so that a shorter chunk cannot unpack to more."""
_TEXTS = (b"iCCP", b"zTXt", b"iTXt", b"tEXt")


def without_large_texts(stream: IO[bytes]) -> IO[bytes]:
    """The PNG in `stream`, without its large texts where it has any; rewound."""
    large = _large_chunks(stream)
    stream.seek(0)
    if not large:
        return stream
    content, start = bytearray(), 0
    for begin, end in large:
        stream.seek(start)
        content += stream.read(begin - start)
        start = end
    stream.seek(start)
    return io.BytesIO(bytes(content) + stream.read())


def _large_chunks(stream: IO[bytes]) -> list[tuple[int, int]]:
    """Where each large text begins and ends; nothing is said of a file whose chunks do not add up."""
    large: list[tuple[int, int]] = []
    position = _START
    while True:
        stream.seek(position)
        head = stream.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return large
        length = int.from_bytes(head[:4], "big")
        end = position + 12 + length  # its length, its name, itself, its checksum
        if head[4:] in _TEXTS and length > _LEAST_PACKED and _is_large(head[4:], stream.read(length)):
            large.append((position, end))
        position = end


def _is_large(name: bytes, body: bytes) -> bool:
    if len(body) > _LARGEST:
        return True
    _, _, rest = body.partition(b"\0")
    if name == b"iTXt":  # flags, language and translated keyword come before the text
        packed = rest[:1] == b"\1"
        rest = rest[2:].split(b"\0", 2)[-1]
    else:
        packed, rest = name != b"tEXt", rest[1:]
    if not packed:
        return False
    try:
        unpacker = zlib.decompressobj()
        unpacker.decompress(rest, _LARGEST)
    except zlib.error:
        return False
    return bool(unpacker.unconsumed_tail)
