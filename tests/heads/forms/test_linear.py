"""Saved heads: what is damaged or hostile is refused with a sentence, what is whole predicts as before."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from headstart.errors import BundleError
from headstart.heads.catalog import make_head
from headstart.heads.forest import Forest
from headstart.heads.forms.linear import Linear, form_from_arrays
from headstart.heads.solvers.basis import standardise
from headstart.heads.svm import KernelSVM


def data(n=60, d=5, K=3):
    random = np.random.default_rng(0)
    y = np.arange(n) % K
    return (random.standard_normal((n, d)) + y[:, None]).astype(np.float32), y


def linear():
    return {
        "centre": np.zeros(4, np.float32),
        "weight": np.zeros((4, 2), np.float32),
        "bias": np.zeros(2, np.float32),
        "root": np.array(0, np.uint8),
    }


FITTED = {
    "linear": ("ridge", {}),
    "cosine": ("class-mean", {"metric": "cosine"}),
    "neighbours": ("knn", {"k": 3}),
    "kernel": ("svm", {"C": 1.0, "gamma": 0.2}),
    "layered": ("mlp", {"epochs": 2, "hidden": 4}),
    "trees": ("forest", {"trees": 3}),
}


def saved(kind):
    name, configuration = FITTED[kind]
    form = make_head(name, configuration=configuration).fit(*data()).form_
    assert form.kind == kind
    return form.to_arrays()


def test_an_unknown_kind_is_refused():
    with pytest.raises(BundleError, match=r"of the kind 'pickle', and this version knows 'linear'"):
        form_from_arrays("pickle", {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": np.zeros((4, 2), np.float64)}, "'weight' holds float64 numbers, not float32"),
        ({"weight": np.zeros((4, 2), object)}, "'weight' holds object numbers, not float32"),
        ({"weight": [[0.0]]}, "'weight' holds list numbers, not float32"),
        ({"weight": np.zeros(4, np.float32)}, "'weight' has 1 axes where 2 were expected"),
        ({"weight": np.zeros((5, 2), np.float32)}, "'weight' has an axis of length 5 where 4 was expected"),
        ({"bias": np.array([0, np.inf], np.float32)}, "'bias' holds numbers that are not finite"),
        ({"bias": np.zeros(1, np.float32), "weight": np.zeros((4, 1), np.float32)}, "an axis of length 1"),
        ({"extra": np.zeros(1)}, "it must hold bias, centre, root, weight, and holds bias, centre, extra"),
    ],
)
def test_damaged_arrays_are_named(change, message):
    with pytest.raises(BundleError, match=message):
        form_from_arrays("linear", {**linear(), **change})


@pytest.mark.parametrize("kind", FITTED)
def test_every_missing_or_poisoned_array_is_refused(kind):
    whole = saved(kind)
    form_from_arrays(kind, whole)
    for name, array in whole.items():
        with pytest.raises(BundleError):
            form_from_arrays(kind, {key: value for key, value in whole.items() if key != name})
        if array.dtype.kind == "f":
            with pytest.raises(BundleError, match="not finite"):
                form_from_arrays(kind, {**whole, name: np.full_like(array, np.nan)})


@pytest.mark.parametrize(
    ("kind", "name", "value", "message"),
    [
        ("neighbours", "labels", 3, "a label lies outside the classes"),
        ("neighbours", "labels", -1, "a label lies outside the classes"),
        ("neighbours", "k", 1000, "k = 1000"),
        ("neighbours", "width", 0, "width = 0"),
        ("kernel", "classes", 4, "4 classes do not make 3 pairs"),
        ("kernel", "gamma", -1, "spread and gamma must be above 0"),
        ("layered", "spread", 0, "spread must be above 0"),
        ("trees", "left", 0, "a branch does not lead further on"),
        ("trees", "right", 10**9, "a branch does not lead further on"),
        ("trees", "roots", 10**6, "a tree has no root"),
        ("trees", "leaf", -1, "a leaf has no class shares"),
        ("trees", "shares", -1, "a leaf has no class shares"),
    ],
)
def test_arrays_that_contradict_each_other_are_refused(kind, name, value, message):
    whole = saved(kind)
    with pytest.raises(BundleError, match=message):
        form_from_arrays(kind, {**whole, name: np.full_like(whole[name], value)})


def test_a_tree_that_asks_for_a_feature_too_many_is_refused():
    whole = saved("trees")
    with pytest.raises(BundleError, match="a branch asks for a feature that is not there"):
        form_from_arrays("trees", {**whole, "feature": np.where(whole["feature"] < 0, -1, 5)})


def test_a_tree_as_deep_as_its_file_is_refused_in_time():
    m = 10_001
    node = np.arange(m)
    whole = saved("trees")
    feature = np.where(node < m - 2, 0, -1)
    tower = {
        **whole,
        "roots": np.array([0]),
        "feature": feature,
        "threshold": np.zeros(m),
        "left": np.where(feature < 0, -1, node + 1),
        "right": np.where(feature < 0, -1, node + 2),
        "leaf": np.zeros(m, dtype=np.int64),
    }
    with pytest.raises(BundleError, match="deeper than 4096 levels"):
        form_from_arrays("trees", tower).scores(np.zeros((1, 5), np.float32))


def test_a_number_comes_back_as_a_number_of_no_axes():
    form = form_from_arrays("linear", {**linear(), "bias": np.array([0.0, 2.0], np.float32)})
    assert isinstance(form, Linear)
    assert form.scores(np.ones((1, 4), np.float32)).tolist() == [[0.0, 2.0]]


@pytest.mark.parametrize("K", [2, 4])
def test_the_kernel_machine_decides_as_libsvm(K):
    X, y = data(n=80, K=K)
    rows = standardise(X).apply(X)
    theirs = SVC(C=10.0, gamma=0.2, decision_function_shape="ovr").fit(rows, y)
    ours = KernelSVM(C=10.0, gamma=0.2).fit(X, y)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(rows))
    np.testing.assert_allclose(ours.decision_function(X) / 2, theirs.decision_function(rows), atol=2e-3)


def test_the_forest_gives_scikit_learns_shares():
    X, y = data()
    theirs = RandomForestClassifier(20, random_state=0, max_depth=64).fit(X, y)
    ours = Forest(trees=20).fit(X, y)
    shares = np.exp(ours.form_.scores(X)) - 0.5 / 20
    np.testing.assert_allclose(shares, theirs.predict_proba(X), atol=1e-5)


def test_rows_are_scored_alike_alone_and_together():
    X, y = data()
    for name, configuration in FITTED.values():
        form = make_head(name, configuration=configuration).fit(X, y).form_
        alone = np.concatenate([form.scores(X[i : i + 1]) for i in range(10)])
        np.testing.assert_allclose(form.scores(X)[:10], alone, atol=1e-4)
