"""Writes a BERT as a graph, without torch: int8 weights, every layer's outputs, pooled inside.

`bert_graph` takes a checkpoint's tensors and its configuration and returns the bytes of an ONNX file. Its inputs are
`ids`, `mask` and `first`, int64 (N, T): the pieces, 1 where there is one, 1 where it belongs to the first three words.
For every layer k, 0 being the embedding, it has `layer<k>.pooled` and `layer<k>.first`, float32 (N, width): the means
over the pieces that each marks. Token type 0 is folded into the positions. Nothing is downloaded or run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats

OPSET = 17
INPUTS = ("ids", "mask", "first")
_INT8 = 127


@dataclass(frozen=True)
class BertShape:
    """What a BERT's configuration says of its arithmetic.

    epsilon: of its layer norms. window: positions that are kept, the most pieces that a text may have.
    """

    layers: int
    heads: int
    width: int
    epsilon: float
    window: int


def quantise(weight: Floats, axis: int) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8 with a scale for every index along `axis`: weight ≈ numbers · scale.

    >>> numbers, scale = quantise(np.array([[1.0, -0.5], [0.0, 2.0]], np.float32), 0)
    >>> numbers.tolist()
    [[127, -64], [0, 127]]
    """
    others = tuple(i for i in range(weight.ndim) if i != axis)
    scale = np.maximum(np.abs(weight).max(axis=others, keepdims=True) / _INT8, np.float32(1e-12)).astype(np.float32)
    numbers = np.rint(weight / scale).clip(-_INT8, _INT8).astype(np.int8)
    return numbers, np.ascontiguousarray(scale.reshape(-1))


def bert_graph(tensors: Mapping[str, Floats], shape: BertShape, *, name: str) -> bytes:
    """The ONNX file. tensors: by the names of Hugging Face's BertModel. Needs `onnx`."""
    return _Writer(tensors, shape).write(name)


@dataclass(eq=False)
class _Writer:
    """The graph as it grows: nodes, and the arrays they take."""

    tensors: Mapping[str, Floats]
    shape: BertShape
    nodes: list[Any] = field(default_factory=list)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    def write(self, name: str) -> bytes:
        """All layers, then the file's bytes."""
        from onnx import TensorProto, helper, numpy_helper

        self._attention_mask()
        outputs = []
        rows = self._embedding()
        for k in range(self.shape.layers + 1):
            rows = self._layer(rows, k - 1) if k else rows
            outputs += [self._mean(rows, f"layer{k}.pooled", "mask"), self._mean(rows, f"layer{k}.first", "first")]
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(word, TensorProto.INT64, ["N", "T"]) for word in INPUTS],
            [helper.make_tensor_value_info(word, TensorProto.FLOAT, ["N", self.shape.width]) for word in outputs],
            [numpy_helper.from_array(array, word) for word, array in self.arrays.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="headstart")
        model.ir_version = 8
        return bytes(model.SerializeToString())

    def _add(self, kind: str, inputs: list[str], output: str, **options: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **options))
        return output

    def _put(self, name: str, array: NDArray[Any]) -> str:
        self.arrays.setdefault(name, np.ascontiguousarray(array))
        return name

    def _number(self, value: float) -> str:
        return self._put(f"number.{value:g}", np.array(value, np.float32))

    def _attention_mask(self) -> None:
        """0 where a piece is, a large negative number where there is none: (N, 1, 1, T), added to the scores."""
        for word in ("mask", "first"):
            self._add("Cast", [word], f"{word}.float", to=1)
            self._add("Unsqueeze", [f"{word}.float", self._put("axis.2", np.array([2]))], f"{word}.column")
        absent = self._add("Sub", [self._number(1.0), "mask.float"], "absent")
        scaled = self._add("Mul", [absent, self._number(-1e9)], "absent.scaled")
        self._add("Unsqueeze", [scaled, self._put("axes.1.2", np.array([1, 2]))], "attention.mask")

    def _embedding(self) -> str:
        """Pieces, positions and token type 0, and the layer norm over their sum."""
        table = "embeddings.word_embeddings.weight"
        numbers, scale = quantise(self.tensors[table], 0)
        pieces = self._add("Gather", [self._put(table, numbers), "ids"], "pieces.int8", axis=0)
        scales = self._add("Gather", [self._put(f"{table}.scale", scale[:, None]), "ids"], "pieces.scale", axis=0)
        words = self._add("Mul", [self._add("Cast", [pieces], "pieces.float", to=1), scales], "pieces")
        positions = self.tensors["embeddings.position_embeddings.weight"][: self.shape.window]
        positions = positions + self.tensors["embeddings.token_type_embeddings.weight"][0]
        stored = self._put("positions.half", positions.astype(np.float16))
        whole = self._add("Cast", [stored], "positions.table", to=1)
        length = self._add("Shape", ["ids"], "length", start=1, end=2)
        first = self._add("Slice", [whole, self._put("zero", np.array([0])), length], "positions")
        return self._norm(self._add("Add", [words, first], "embedding"), "embeddings.LayerNorm")

    def _layer(self, rows: str, k: int) -> str:
        """Attention and the two dense layers after it, each with its sum and norm."""
        at = f"encoder.layer.{k}"
        attended = self._dense(self._attention(rows, at), f"{at}.attention.output.dense")
        rows = self._norm(self._add("Add", [rows, attended], f"{at}.attention.sum"), f"{at}.attention.output.LayerNorm")
        inner = self._gelu(self._dense(rows, f"{at}.intermediate.dense"), f"{at}.gelu")
        outer = self._dense(inner, f"{at}.output.dense")
        return self._norm(self._add("Add", [rows, outer], f"{at}.sum"), f"{at}.output.LayerNorm")

    def _attention(self, rows: str, at: str) -> str:
        """softmax(q kᵀ / √d + mask) v for every head."""
        size = self.shape.width // self.shape.heads
        apart = self._put("apart", np.array([0, 0, self.shape.heads, size]))
        query, key, value = (
            self._add(
                "Transpose",
                [self._add("Reshape", [self._dense(rows, f"{at}.attention.self.{word}"), apart], f"{at}.{word}.apart")],
                f"{at}.{word}.heads",
                perm=[0, 2, 3, 1] if word == "key" else [0, 2, 1, 3],
            )
            for word in ("query", "key", "value")
        )
        scaled = self._add("Mul", [query, self._number(size**-0.5)], f"{at}.query.scaled")
        scores = self._add("MatMul", [scaled, key], f"{at}.scores")
        weights = self._add("Softmax", [self._add("Add", [scores, "attention.mask"], f"{at}.masked")], f"{at}.weights")
        mixed = self._add("MatMul", [weights, value], f"{at}.mixed")
        together = self._add("Transpose", [mixed], f"{at}.together", perm=[0, 2, 1, 3])
        return self._add(
            "Reshape", [together, self._put("joined", np.array([0, 0, self.shape.width]))], f"{at}.attended"
        )

    def _dense(self, rows: str, at: str) -> str:
        """rows · Wᵀ + b, the weight as int8 with a scale for every output."""
        numbers, scale = quantise(self.tensors[f"{at}.weight"].T, 1)
        inputs = [self._put(f"{at}.weight", numbers), self._put(f"{at}.scale", scale)]
        weight = self._add("DequantizeLinear", inputs, f"{at}.weight.float", axis=1)
        product = self._add("MatMul", [rows, weight], f"{at}.product")
        return self._add("Add", [product, self._put(f"{at}.bias", self.tensors[f"{at}.bias"])], f"{at}.dense")

    def _gelu(self, rows: str, at: str) -> str:
        """x · (1 + erf(x / √2)) / 2."""
        inner = self._add("Div", [rows, self._number(2**0.5)], f"{at}.inner")
        error = self._add("Add", [self._add("Erf", [inner], f"{at}.erf"), self._number(1.0)], f"{at}.plus")
        return self._add("Mul", [self._add("Mul", [rows, error], f"{at}.product"), self._number(0.5)], at)

    def _norm(self, rows: str, at: str) -> str:
        weight, bias = (self._put(f"{at}.{word}", self.tensors[f"{at}.{word}"]) for word in ("weight", "bias"))
        return self._add("LayerNormalization", [rows, weight, bias], f"{at}.norm", axis=-1, epsilon=self.shape.epsilon)

    def _mean(self, rows: str, output: str, word: str) -> str:
        """The mean over the pieces that `word` marks; zero where it marks none."""
        marked = self._add("Mul", [rows, f"{word}.column"], f"{output}.marked")
        axis = self._put("axis.1", np.array([1]))
        total = self._add("ReduceSum", [marked, axis], f"{output}.sum", keepdims=0)
        if f"{word}.count" not in {node.name for node in self.nodes}:
            count = self._add("ReduceSum", [f"{word}.float", axis], f"{word}.sum", keepdims=1)
            self._add("Max", [count, self._number(1.0)], f"{word}.count")
        return self._add("Div", [total, f"{word}.count"], output)
