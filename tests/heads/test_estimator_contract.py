"""Every head keeps scikit-learn's estimator contract, and predicts through its form."""

import warnings

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from headstart.errors import DataError, OptionError
from headstart.heads.catalog import HEADS, make_head
from headstart.heads.forest import Forest
from headstart.heads.forms.linear import form_from_arrays
from headstart.heads.mlp import Perceptron
from headstart.heads.tuning import internal_folds


def quick(name):
    """The head in a form that trains in milliseconds; what is cut is repetition, not code."""
    if name == "forest":
        return Forest(trees=10)
    if name == "mlp":
        return Perceptron(hidden=32, epochs=60)
    return make_head(name)


def blobs(n=90, d=12, K=3, seed=0, spread=0.6):
    random = np.random.default_rng(seed)
    y = np.arange(n) % K
    X = random.standard_normal((n, d)) + spread * 3 * random.standard_normal((K, d))[y]
    return X.astype(np.float32), y


@parametrize_with_checks([quick(name) for name in HEADS])
def test_a_head_keeps_the_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("K", [2, 3])
def test_a_head_predicts_as_its_saved_form_does(name, K):
    X, y = blobs(K=K)
    head = quick(name).fit(X, y)
    again = form_from_arrays(head.form_.kind, head.form_.to_arrays())
    scores = again.scores(X)
    assert scores.shape == (90, K)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, head.form_.scores(X))
    np.testing.assert_array_equal(head.predict(X), scores.argmax(axis=1))
    assert head.score(X, y) > 0.9


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("K", [2, 4])
def test_path_scores_are_those_of_a_head_trained_without_the_fold(name, K):
    X, y = blobs(n=80, d=10, K=K)
    folds = np.stack([internal_folds(y, seed=seed)[0] for seed in (0, 1)])
    path = quick(name).path_scores(X, y, folds)
    assert path.scores.shape == (len(path.configurations), 2, 80, K)
    assert path.scores.dtype == np.float32
    held = folds[1] == 2
    alone = quick(name).set_params(**path.configurations[0]).fit(X[~held], y[~held])
    agreement = (alone.predict(X[held]) == path.scores[0, 1, held].argmax(axis=1)).mean()
    assert agreement >= 0.9  # standardisation differs: the path's statistics are those of all rows


@pytest.mark.parametrize("name", HEADS)
def test_a_fold_without_one_class_is_still_scored(name):
    X, y = blobs(n=60)
    folds = np.where(y == 2, 0, 1 + np.arange(60) % 4)[None]
    scores = quick(name).path_scores(X, y, folds).scores
    assert np.isfinite(scores).all()
    assert (scores[:, 0, y == 2].argmax(axis=2) != 2).all()


@pytest.mark.parametrize("name", HEADS)
def test_the_same_data_give_the_same_bytes(name):
    X, y = blobs()
    one, two = quick(name).fit(X, y), quick(name).fit(X, y)
    for key, array in one.form_.to_arrays().items():
        assert array.tobytes() == two.form_.to_arrays()[key].tobytes()


def test_a_class_with_one_row_does_not_stop_the_choice():
    X, y = blobs(n=31, K=3)
    y[y == 2] = 0
    y[0] = 2
    for name in HEADS:
        assert list(quick(name).fit(X, y).classes_) == [0, 1, 2]


def test_one_class_is_refused_in_one_sentence():
    with pytest.raises(DataError, match=r"needs at least two classes to tell apart, and y holds one class: 'crack'"):
        make_head("ridge").fit(np.eye(4), ["crack"] * 4)


@pytest.mark.parametrize(
    ("name", "configuration", "message"),
    [
        ("probe", {"C": -1.0}, "C must be 'auto' or above 0; found -1.0"),
        ("ridge", {"alpha": 0}, "alpha must be 'auto' or above 0; found 0"),
        ("class-mean", {"metric": "cosin"}, "Did you mean 'cosine'"),
        ("knn", {"k": 1.5}, "k must be 'auto' or a whole number"),
        ("lda", {"shrinkage": 2.0}, r"shrinkage must be 'auto' or lie in \(0, 1\]"),
        ("mlp", {"dropout": 1.5}, "dropout must lie between 0 and 0.95"),
        ("forest", {"trees": 0}, "trees must be at least 1"),
        ("svm", {"class_weight": "even"}, "class_weight must be None, 'balanced' or a mapping; found 'even'"),
    ],
)
def test_a_bad_option_is_named(name, configuration, message):
    with pytest.raises(OptionError, match=message):
        make_head(name, configuration=configuration).fit(*blobs())


def test_a_machine_that_stops_short_says_nothing_and_leaves_the_filters_of_warnings_as_they_were():
    random = np.random.default_rng(0)
    X, y = random.standard_normal((200, 300)).astype(np.float32), random.integers(0, 3, 200)
    head = make_head("linear-svm", configuration={"C": 100.0})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        for _ in range(5):
            head.path_scores(X, y, internal_folds(y))
        assert warnings.filters == before
    assert said == []


def test_folds_of_the_wrong_shape_are_refused():
    X, y = blobs()
    with pytest.raises(OptionError, match=r"folds must have the shape \(repeats, 90\)"):
        make_head("ridge").path_scores(X, y, np.zeros(90, dtype=np.int64))
    with pytest.raises(OptionError, match="folds must leave rows to train on"):
        make_head("ridge").fit(X, y, folds=np.zeros((1, 90), dtype=np.int64))


@pytest.mark.parametrize("name", ["probe", "ridge", "lda", "linear-svm", "svm", "mlp", "forest", "knn"])
def test_balanced_classes_find_more_of_the_rare_one(name):
    random = np.random.default_rng(3)
    y = (np.arange(400) % 16 == 0).astype(int)
    X = random.standard_normal((400, 6)).astype(np.float32) + 0.9 * y[:, None].astype(np.float32)
    folds = internal_folds(y)
    configuration = {"epochs": 3} if name == "mlp" else {"k": 20} if name == "knn" else {}

    def recall(class_weight):
        head = quick(name).set_params(class_weight=class_weight, **configuration)
        scores = head.path_scores(X, y, folds).scores[:, 0]
        return (scores[:, y == 1].argmax(axis=-1) == 1).mean()

    assert recall("balanced") > recall(None)
