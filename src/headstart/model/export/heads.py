"""Every form of `heads.forms` as operators: joined taps (N, d) → scores (N, K), the formula of each form's `scores`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import OptionError
from headstart.heads.forms.blend import LEAST, Blend
from headstart.heads.forms.linear import Cosine, Form, Layered, Linear
from headstart.heads.forms.stored_rows import Kernel, Neighbours
from headstart.heads.forms.trees import Trees
from headstart.model.export.operators import Graph, Value


def add_head(graph: Graph, X: Value, form: Form) -> Value:
    """Scores (N, K) of the head's input (N, d)."""
    writer = _WRITERS.get(type(form))
    if writer is None:
        raise OptionError(f"a head of the kind {form.kind!r} cannot be exported: train with --strategy ridge, say.")
    return writer(graph, X, form)


def _linear(graph: Graph, X: Value, form: Linear) -> Value:
    rows = signed_root(graph, X) if form.root else X
    return graph.linear(graph.op("Sub", rows, form.centre), form.weight, form.bias)


def signed_root(graph: Graph, X: Value) -> Value:
    """sign(x) √|x|."""
    return graph.op("Mul", graph.op("Sign", X), graph.op("Sqrt", graph.op("Abs", X)))


def _blend(graph: Graph, X: Value, form: Blend) -> Value:
    """log Σ_m share_m · softmax(sharpness_m · (x @ weight_m + bias_m))."""
    members = [
        graph.op("Mul", graph.op("Softmax", graph.linear(X, weight * sharp, bias * sharp), axis=1), share)
        for weight, bias, sharp, share in zip(form.weight, form.bias, form.sharpness, form.share, strict=True)
    ]
    total = members[0] if len(members) == 1 else graph.op("Sum", *members)
    return graph.op("Log", graph.op("Max", total, np.float32(LEAST)))


def _cosine(graph: Graph, X: Value, form: Cosine) -> Value:
    rows = graph.unit_rows(graph.op("Sub", X, form.centre))
    return graph.op("Mul", graph.op("MatMul", rows, form.directions.T), form.scale)


def _layered(graph: Graph, X: Value, form: Layered) -> Value:
    rows = graph.op("Div", graph.op("Sub", X, form.centre), form.spread)
    hidden = graph.op("Relu", graph.linear(rows, form.inner, form.inner_bias))
    return graph.linear(hidden, form.outer, form.outer_bias)


def _neighbours(graph: Graph, X: Value, form: Neighbours) -> Value:
    rows = graph.unit_rows(graph.op("Sub", X, form.centre))
    similarity, nearest = graph.top(graph.op("MatMul", rows, form.stored.T), int(form.k))
    vote = graph.op("Exp", graph.op("Div", graph.op("Sub", similarity, np.float32(1)), np.float32(form.width)))
    vote = graph.op("Mul", vote, graph.op("Gather", form.class_weight[form.labels], nearest))
    one_hot = np.eye(len(form.class_weight), dtype=np.float32)[form.labels]  # (m, K)
    columns = graph.op("Unsqueeze", vote, np.array([2], np.int64))
    total = graph.sum(graph.op("Mul", columns, graph.op("Gather", one_hot, nearest)), 1, keep=False)
    share = graph.op("Mul", graph.sum(vote, 1), np.float32(0.1 / int(form.k)))
    return graph.op("Log", graph.op("Add", graph.op("Add", total, share), np.float32(1e-30)))


def _kernel(graph: Graph, X: Value, form: Kernel) -> Value:
    rows = graph.op("Div", graph.op("Sub", X, form.centre), form.spread)
    norms = np.einsum("ij,ij->i", form.support, form.support)
    products = graph.op("Mul", graph.op("MatMul", rows, form.support.T), np.float32(-2))
    distance = graph.op("Add", graph.op("Add", products, norms), graph.sum(graph.op("Mul", rows, rows), 1))
    kernel = graph.op("Exp", graph.op("Mul", graph.op("Max", distance, np.float32(0)), np.float32(-float(form.gamma))))
    decisions = graph.linear(kernel, form.pairs, form.bias)
    return graph.op("Mul", _pair_scores(graph, decisions, int(form.classes)), form.scale)


def _pair_scores(graph: Graph, decisions: Value, K: int) -> Value:
    """As `stored_rows.pair_scores`, with the pairs' classes as matrices (P, K) of ones."""
    if K == 2:
        return graph.op("Mul", graph.op("Concat", decisions, graph.op("Neg", decisions), axis=1), np.float32(0.5))
    first, second = (np.eye(K, dtype=np.float32)[index] for index in np.triu_indices(K, 1))
    positive = graph.cast(graph.op("Greater", decisions, np.float32(0)), np.float32)
    won = graph.op(
        "Add",
        graph.op("MatMul", positive, first),
        graph.op("MatMul", graph.op("Sub", np.float32(1), positive), second),
    )
    confidence = graph.op("MatMul", decisions, first - second)
    squash = graph.op("Mul", graph.op("Add", graph.op("Abs", confidence), np.float32(1)), np.float32(3))
    return graph.op("Add", won, graph.op("Div", confidence, squash))


def _trees(graph: Graph, X: Value, form: Trees) -> Value:
    """Every tree walked level by level; leaves lead to themselves, so that all rows take as many steps."""
    inner = form.feature >= 0
    here = np.arange(len(form.feature))
    left, right = (np.where(inner, side, here) for side in (form.left, form.right))
    feature = np.where(inner, form.feature, 0)
    rows = graph.op("Shape", X, start=0, end=1)
    shape = graph.op("Concat", rows, np.array([len(form.roots)], np.int64), axis=0)
    nodes = graph.op("Expand", form.roots[None, :], shape)
    names = [graph.constant(array) for array in (feature, round_down(form.threshold), left, right)]
    for _ in range(_depth(form, left, right)):
        column, limit, less, more = (graph.op("Gather", name, nodes) for name in names)
        goes_left = graph.op("LessOrEqual", graph.op("GatherElements", X, column, axis=1), limit)
        nodes = graph.op("Where", goes_left, less, more)
    shares = graph.op("Gather", form.shares[form.leaf], nodes)
    mean = graph.op("ReduceMean", shares, axes=[1], keepdims=0)
    return graph.op("Log", graph.op("Add", mean, np.float32(0.5 / len(form.roots))))


def round_down(limits: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 at most as large: a float32 is at most one exactly where it is at most the other."""
    nearest = limits.astype(np.float32)
    return np.where(nearest > limits, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def _depth(form: Trees, left: NDArray[Any], right: NDArray[Any]) -> int:
    """Steps from the roots until every node is a leaf."""
    nodes, steps = np.unique(form.roots), 0
    while (form.feature[nodes] >= 0).any():
        nodes, steps = np.unique(np.concatenate([left[nodes], right[nodes]])), steps + 1
    return steps


_WRITERS: dict[type, Callable[[Graph, Value, Any], Value]] = {
    Blend: _blend,
    Linear: _linear,
    Cosine: _cosine,
    Layered: _layered,
    Neighbours: _neighbours,
    Kernel: _kernel,
    Trees: _trees,
}
