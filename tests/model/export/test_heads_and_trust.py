"""Heads, calibrations and novelty as operators answer as they do in numpy."""

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from headstart.heads.catalog import HEADS, make_head
from headstart.heads.forms.linear import Linear
from headstart.heads.forms.trees import Trees
from headstart.model.export.heads import add_head, round_down
from headstart.model.export.operators import OPSET, Graph, Value
from headstart.model.export.trust import add_calibration, add_decision, add_novelty
from headstart.trust.calibration.methods import Calibration, fit_calibration, keep_order
from headstart.trust.novelty.by_layer import ByLayer, fit_layers, fit_scale, layer_values
from headstart.trust.novelty.score import Novelty

RANDOM = np.random.default_rng(0)
LABELS = np.arange(240) % 4
X = (RANDOM.standard_normal((240, 12)) + 1.5 * np.eye(12)[LABELS]).astype(np.float32)
NEW = (RANDOM.standard_normal((100, 12)) * 1.5).astype(np.float32)


def run(write: Callable[[Graph, Value], Value], rows: np.ndarray) -> np.ndarray:
    """What the operators that `write` adds make of rows."""
    graph = Graph()
    name = graph.op("Identity", write(graph, "rows"), name="result")
    kind = TensorProto.INT64 if rows.dtype == np.int64 else TensorProto.FLOAT
    whole = helper.make_graph(
        graph.nodes,
        "test",
        [helper.make_tensor_value_info("rows", kind, ["N", *rows.shape[1:]])],
        [helper.make_empty_tensor_value_info(name)],
        initializer=graph.constants,
    )
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"rows": rows})[0]
    return found


@pytest.mark.parametrize("name", sorted(HEADS))
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_head_of_the_catalogue_scores_the_same_rows_alike(name: str, classes: int) -> None:
    labels = LABELS % classes
    form = make_head(name, signed_sqrt=name in ("ridge", "lda", "probe"), seed=0).fit(X, labels).form_
    assert np.abs(run(lambda g, rows: add_head(g, rows, form), NEW) - form.scores(NEW)).max() < 1e-4


def test_a_branch_on_a_limit_that_float32_does_not_hold_goes_the_same_way() -> None:
    limits = np.array([0.1, 1 / 3, -0.1, 0.25])
    rows = np.concatenate([limits.astype(np.float32), np.nextafter(limits.astype(np.float32), np.float32(-9))])
    for limit in limits:
        assert ((rows <= limit) == (rows <= round_down(np.array([limit]))[0])).all()


def test_a_forest_of_one_leaf_needs_no_step() -> None:
    nothing = np.array([-1]), np.zeros(1), np.array([1]), np.array([1]), np.array([0])
    forest = Trees(np.array([0]), *nothing, np.array([[0.25, 0.75]], np.float32), np.array(12))
    assert run(lambda g, rows: add_head(g, rows, forest), NEW[:2]).tolist() == forest.scores(NEW[:2]).tolist()


@pytest.mark.parametrize("method", ["temperature", "vector"])
@pytest.mark.parametrize("classes", [2, 3, 7, 40])
def test_every_calibration_gives_the_same_probabilities(method: str, classes: int) -> None:
    scores = RANDOM.standard_normal((300, classes)).astype(np.float32) * 3
    labels = (scores + RANDOM.gumbel(size=scores.shape) * 2).argmax(axis=1)
    calibration = fit_calibration(method, scores[None], labels)
    found = run(lambda g, rows: add_calibration(g, rows, calibration, classes), scores)
    assert np.abs(found - calibration.apply(scores)).max() < 1e-5


def test_probabilities_that_contradict_the_scores_share_their_mean() -> None:
    parameters = {"weight": [0.01, 5.0, 1.0], "bias": [0.0, 2.0, 0.0]}
    calibration = Calibration("vector", 1.0, parameters, 0.0)
    scores = np.array([[3.0, 2.5, -1.0], [0.0, 0.5, 2.0]], np.float32)
    assert (keep_order(calibration.vector_scaled(scores), scores) != calibration.vector_scaled(scores)).any()
    found = run(lambda g, rows: add_calibration(g, rows, calibration, 3), scores)
    assert np.abs(found - calibration.apply(scores)).max() < 1e-6


@pytest.mark.parametrize("classes", [1, 4])
def test_novelty_is_the_same_near_and_far(classes: int) -> None:
    labels = LABELS % classes
    layers = fit_layers(X, labels, [8, 4])
    novelty = Novelty(ByLayer(layers, fit_scale(layer_values(layers, X))), 1.7, 0.05, ("a", "b"))
    far = np.concatenate([NEW, 30 * NEW[:20], X[:20]])

    def write(graph: Graph, rows: Value) -> Value:
        parts = [graph.op("Gather", rows, np.arange(low, high), axis=1) for low, high in ((0, 8), (8, 12))]
        return add_novelty(graph, parts, novelty)

    assert np.abs(run(write, far) / novelty.relative(far) - 1).max() < 1e-3


def test_a_confidence_on_the_threshold_and_a_novel_image_go_to_review() -> None:
    rows = np.array([[0.8, 0.2], [0.81, 0.19], [0.1, 0.9], [0.81, 0.19]], np.float32)
    limits = (float(np.float32(0.8)), 1.0)
    assert run(lambda g, p: add_decision(g, p, None, limits), rows).tolist() == [0, 1, 0, 1]
    novelty = np.array([0.5, 1.0, 0.5, 1.01], np.float32)
    assert run(lambda g, p: add_decision(g, p, g.constant(novelty), limits), rows).tolist() == [0, 1, 0, 0]


def test_a_head_that_nobody_has_written_down_is_refused_by_its_name() -> None:
    from headstart.errors import OptionError

    class Strange(Linear):
        kind = "strange"

    form = Strange(np.zeros(2), np.zeros((2, 2)), np.zeros(2), np.array(0))
    with pytest.raises(OptionError, match="a head of the kind 'strange' cannot be exported"):
        add_head(Graph(), "rows", form)
