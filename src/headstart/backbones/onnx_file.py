"""Changes an ONNX file's bytes: keeps some outputs, gives the input a shape, puts new numbers into tensors.

An ONNX file is one protocol-buffers message; a change copies every field that it does not touch. So a graph can be cut
and a fine-tuned tensor put in where neither `onnx` nor OpenVINO is installed, as before an `onnxruntime` session. This
module runs nothing, knows no operator, and trusts no length in a file.

Sources: https://protobuf.dev/programming-guides/encoding and onnx/onnx.proto, whose field numbers stand below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from headstart.records.arrays import Floats

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Fields of ModelProto, GraphProto, TensorProto and ValueInfoProto.
_GRAPH = 7
_INITIALISER, _INPUT, _OUTPUT, _VALUE_INFO = 5, 11, 12, 13
_DIMS, _DATA_TYPE, _TENSOR_NAME, _RAW_DATA, _DATA_LOCATION = 1, 2, 8, 9, 14
_VALUE_NAME, _VALUE_TYPE = 1, 2
# Values of TensorProto.DataType.
_FLOAT, _UINT8, _HALF = 1, 2, 10

Buffer: TypeAlias = "bytes | memoryview"


@dataclass(frozen=True)
class _Field:
    """A field of a message: its number, its value, and its bytes with number and length."""

    number: int
    value: int | memoryview
    whole: memoryview

    @property
    def message(self) -> memoryview:
        """The value of a field that holds bytes; raises `ValueError` for another."""
        if isinstance(self.value, int):
            raise ValueError(f"field {self.number} is a number")
        return self.value


def edit_graph(
    content: Buffer, *, outputs: Sequence[str], shape: Sequence[int] | None, tensors: Mapping[str, Floats]
) -> bytes:
    """The file with these outputs alone, in this order.

    shape: of the one input, uint8; None leaves the inputs as they are. tensors: initialisers by name → new numbers of
    the same shape, which are stored as float32. Raises `ValueError` where the bytes are no such graph.
    """
    graph = b"".join(_edited(_graph(content), outputs, shape, tensors))
    return b"".join(_join(_GRAPH, graph) if f.number == _GRAPH else f.whole for f in _fields(content))


def float_tensors(content: Buffer) -> dict[str, tuple[int, ...]]:
    """The shapes of the graph's initialisers of single or half precision, by name; raises `ValueError`."""
    shapes = {}
    for tensor in (field.message for field in _fields(_graph(content)) if field.number == _INITIALISER):
        if _number(tensor, _DATA_LOCATION):
            raise ValueError("it keeps tensors in other files")
        if _number(tensor, _DATA_TYPE) in (_FLOAT, _HALF):
            shapes[_text(tensor, _TENSOR_NAME)] = tuple(_dimensions(tensor))
    return shapes


def _edited(
    graph: memoryview, outputs: Sequence[str], shape: Sequence[int] | None, tensors: Mapping[str, Floats]
) -> Iterator[Buffer]:
    """The fields of the graph, the changed ones made anew."""
    known = {_text(field.message, _VALUE_NAME) for field in _fields(graph) if field.number == _OUTPUT}
    if missing := [name for name in outputs if name not in known]:
        raise ValueError(f"it has no output {missing[0]!r}")
    for field in _fields(graph):
        if field.number == _INITIALISER and (name := _text(field.message, _TENSOR_NAME)) in tensors:
            yield _join(_INITIALISER, _tensor(name, tensors[name]))
        elif field.number == _INPUT and shape is not None:
            yield _join(_INPUT, _value(_text(field.message, _VALUE_NAME), _UINT8, shape))
        elif field.number not in (_OUTPUT, _VALUE_INFO):  # shapes of values hold for the old input's shape
            yield field.whole
    for name in outputs:
        yield _join(_OUTPUT, _value(name, _FLOAT, None))


def _graph(content: Buffer) -> memoryview:
    graphs = [field.message for field in _fields(content) if field.number == _GRAPH]
    if len(graphs) != 1:
        raise ValueError("it holds no graph")
    return graphs[0]


def _tensor(name: str, array: Floats) -> bytes:
    """A TensorProto."""
    dims = b"".join(_join(_DIMS, length) for length in array.shape)
    data = np.ascontiguousarray(array, "<f4").tobytes()
    return dims + _join(_DATA_TYPE, _FLOAT) + _join(_TENSOR_NAME, name.encode()) + _join(_RAW_DATA, data)


def _value(name: str, data_type: int, shape: Sequence[int] | None) -> bytes:
    """A ValueInfoProto; its type has tensor_type (1): elem_type (1), shape (2) of dim (1) of dim_value (1)."""
    tensor = _join(1, data_type)
    if shape is not None:
        tensor += _join(2, b"".join(_join(1, _join(1, length)) for length in shape))
    return _join(_VALUE_NAME, name.encode()) + _join(_VALUE_TYPE, _join(1, tensor))


def _dimensions(tensor: memoryview) -> Iterator[int]:
    """A tensor's lengths, written one by one or packed together."""
    for field in _fields(tensor):
        if field.number == _DIMS and isinstance(field.value, int):
            yield field.value
        elif field.number == _DIMS:
            start, packed = 0, field.message
            while start < len(packed):
                length, start = _varint(packed, start)
                yield length


def _number(message: memoryview, number: int) -> int:
    values = [field.value for field in _fields(message) if field.number == number]
    return values[-1] if values and isinstance(values[-1], int) else 0


def _text(message: memoryview, number: int) -> str:
    values = [field.message for field in _fields(message) if field.number == number]
    return bytes(values[-1]).decode() if values else ""


def _fields(content: Buffer) -> Iterator[_Field]:
    """The fields of a message, in order; raises `ValueError` where it ends too early."""
    message, start = memoryview(content), 0
    while start < len(message):
        key, at = _varint(message, start)
        number, kind = key >> 3, key & 7
        value: int | memoryview
        if kind == _VARINT:
            value, end = _varint(message, at)
        elif kind == _BYTES:
            length, at = _varint(message, at)
            value, end = message[at : at + length], at + length
        elif kind in (_FIXED32, _FIXED64):
            end = at + (8 if kind == _FIXED64 else 4)
            value = message[at:end]
        else:
            raise ValueError(f"it has a field of the unknown kind {kind}")
        if end > len(message):
            raise ValueError("it is cut short")
        yield _Field(number, value, message[start:end])
        start = end


def _varint(message: memoryview, start: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and where it ends."""
    value = 0
    for i in range(10):
        if start + i >= len(message):
            raise ValueError("it is cut short")
        byte = message[start + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, start + i + 1
    raise ValueError("it holds a number of more than 64 bits")


def _join(number: int, value: int | bytes) -> bytes:
    """A field as bytes."""
    if isinstance(value, int):
        return _packed(number << 3 | _VARINT) + _packed(value)
    return _packed(number << 3 | _BYTES) + _packed(len(value)) + value


def _packed(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
