"""Text networks from folders: rows are those of transformers, alone and in a batch, and no known trap is walked into.

Networks are tiny, with random weights; their tokenisers are trained on a few words.
"""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from headstart.backbones.conversion import text_tracing
from headstart.backbones.graph import Backbone
from headstart.backbones.opening import open_backbone
from headstart.device import choose_device
from headstart.embed.extract import embed
from headstart.errors import BackboneError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WORDS = "where is my card the film was very long and good how do i top up by bank transfer please tell me a story"
TEXTS = ["where is my card?", "a", "the film was very long and good " * 2, "how do i top up by bank transfer please"]
SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 48}
PIECES = 120
Fit = Callable[..., Path]


def word_pieces() -> Tokenizer:
    """BERT's way: lower case, [CLS] and [SEP] around, [PAD] is 0."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator([WORDS] * 9, trainers.WordPieceTrainer(vocab_size=PIECES, special_tokens=special))
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return tokenizer


def byte_pairs(*, ends: bool) -> Tokenizer:
    """RoBERTa's way with `ends` (<s> is 0, <pad> 1, </s> 2), GPT-2's without."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<mask>"] if ends else ["<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([WORDS] * 9, trainer)
    if ends:
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=False)
    return tokenizer


def configuration(kind: str, rows: int, positions: int) -> Any:
    shape = {"vocab_size": rows, "max_position_embeddings": positions} | SHAPE
    if kind == "distilbert":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": positions}
        return transformers.DistilBertConfig(vocab_size=rows, **sizes)
    if kind == "gpt2":
        ends = {"bos_token_id": 0, "eos_token_id": 0}
        return transformers.GPT2Config(vocab_size=rows, n_embd=32, n_layer=2, n_head=4, n_positions=positions, **ends)
    if kind == "bert":
        return transformers.BertConfig(**shape)
    kinds = {"roberta": transformers.RobertaConfig, "mpnet": transformers.MPNetConfig}
    return kinds[kind](**shape, pad_token_id=1, bos_token_id=0, eos_token_id=2)


def save_network(parent: Path, kind: str, *, positions: int = 40, head: str = "AutoModel") -> Path:
    """Writes the folder of a tiny network with random weights; its tokeniser cuts and pads, as many published do."""
    place = parent / f"tiny-{kind}"
    tokenizer = word_pieces() if kind in ("bert", "distilbert") else byte_pairs(ends=kind != "gpt2")
    tokenizer.enable_truncation(6)
    tokenizer.enable_padding(length=6)
    torch.manual_seed(0)
    network = getattr(transformers, head).from_config(configuration(kind, tokenizer.get_vocab_size(), positions))
    with torch.no_grad():  # position and attention as strong as in a trained network
        for value in network.parameters():
            value.mul_(4.0)
    network.save_pretrained(place)
    tokenizer.save(str(place / "tokenizer.json"))
    (place / "tokenizer_config.json").write_text(json.dumps({"model_max_length": int(1e30)}))
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Fit:
    """Makes the folder of a network: folder(kind, positions=…, head=…)."""
    return functools.partial(save_network, tmp_path)


def rows(backbone: Backbone, texts: list[str]) -> dict[str, NDArray[np.float32]]:
    return dict(embed(texts, backbone, device=choose_device("cpu", precision="f32")).taps)  # type: ignore[arg-type]


def hidden_states(place: Path, text: str) -> tuple[list[NDArray[np.float32]], int]:
    """Every layer's rows (T, width) by transformers alone, one text, nothing padded; and the pieces before it."""
    tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    network = transformers.AutoModel.from_pretrained(place, local_files_only=True).eval()
    encoding = tokenizer.encode(text.strip())
    with torch.no_grad():
        layers = network(input_ids=torch.tensor([encoding.ids]), output_hidden_states=True).hidden_states
    return [layer[0].numpy() for layer in layers], sum(encoding.special_tokens_mask[:1])


def unit(row: NDArray[np.float32]) -> NDArray[np.float32]:
    return row / np.linalg.norm(row)  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "mpnet", "gpt2"])
def test_rows_are_those_of_transformers_alone_and_in_a_batch(kind: str, folder: Fit) -> None:
    place = folder(kind)
    backbone = open_backbone(str(place))
    together = rows(backbone, TEXTS)
    for i, text in enumerate(TEXTS):
        alone = rows(backbone, [text])
        layers, before = hidden_states(place, text)
        for k, layer in enumerate(layers):
            expected = unit(layer.mean(axis=0))
            np.testing.assert_allclose(together[f"layer{k}"][i], expected, atol=1e-4)
            np.testing.assert_allclose(alone[f"layer{k}"][0], expected, atol=1e-4)
        count = int(backbone.spec.load(text)[0])
        np.testing.assert_allclose(
            together["layer2.first"][i], unit(layers[2][before : before + count].mean(0)), atol=1e-4
        )
        if kind == "gpt2":  # padded on the right, the last real piece: whatever else came along
            np.testing.assert_allclose(together["token"][i], unit(layers[-1][-1]), atol=1e-4)


def test_only_a_network_that_reads_from_left_to_right_has_a_last_piece(folder: Fit) -> None:
    assert [tap.name for tap in open_backbone(str(folder("gpt2"))).taps][-4:] == ["token", "layer0", "layer1", "layer2"]
    assert [tap.name for tap in open_backbone(str(folder("bert"))).taps] == [
        *("layer1.first", "layer2.first", "layer0", "layer1", "layer2")
    ]


def test_a_network_without_a_padding_piece_keeps_a_genuine_last_end(folder: Fit) -> None:
    place = folder("gpt2")
    text = "the film<|endoftext|>"
    layers, _ = hidden_states(place, text)
    table = rows(open_backbone(str(place)), [text, *TEXTS])
    np.testing.assert_allclose(table["layer2"][0], unit(layers[2].mean(0)), atol=1e-4)
    np.testing.assert_allclose(table["token"][0], unit(layers[2][-1]), atol=1e-4)


@pytest.mark.parametrize(("kind", "window"), [("bert", 20), ("roberta", 18), ("mpnet", 18), ("gpt2", 20)])
def test_a_text_longer_than_the_positions_is_read_in_windows(kind: str, window: int, folder: Fit) -> None:
    backbone = open_backbone(str(folder(kind, positions=20)))  # the tokeniser's own limit is 10^30
    assert backbone.spec.window == window  # RoBERTa's kin keep two positions for padding
    long = "the film was very long and good " * 20
    assert len(backbone.spec.load(long)) > 100
    assert np.isfinite(rows(backbone, [long, "a"])["layer2"]).all()


def test_the_least_of_all_limits_counts_and_the_tokenisers_own_cut_does_not(folder: Fit) -> None:
    place = folder("bert")
    (place / "sentence_bert_config.json").write_text('{"max_seq_length": 12}')
    backbone = open_backbone(str(place))
    assert backbone.spec.window == 12
    assert len(backbone.spec.load("a " * 50)) == 51
    (place / "tokenizer_config.json").write_text('{"model_max_length": 10}')
    assert open_backbone(str(place)).spec.window == 10


def test_a_padding_piece_that_the_network_has_no_row_for_is_dropped(folder: Fit) -> None:
    place = folder("gpt2")
    tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
    tokenizer.add_special_tokens(["[PAD]"])
    tokenizer.save(str(place / "tokenizer.json"))
    backbone = open_backbone(str(place))
    assert np.isfinite(rows(backbone, ["the [PAD] film"])["layer2"]).all()


def test_a_tokeniser_of_another_network_is_refused(folder: Fit) -> None:
    place = folder("bert")
    byte_pairs(ends=False).save(str(place / "tokenizer.json"))
    with pytest.raises(BackboneError, match=r"has pieces up to number \d+, and the network's table has \d+ rows"):
        open_backbone(str(place))


def test_the_pooler_is_never_read(folder: Fit) -> None:
    masked = folder("bert", head="AutoModelForMaskedLM")  # its file has no pooler
    first, second = (text_tracing.load_network(_plan(masked)) for _ in range(2))
    ids = torch.tensor([[2, 7, 3]])
    with torch.no_grad():
        drawn = [network(ids).pooler_output for network in (first, second)]
    assert not torch.allclose(*drawn)
    table = rows(open_backbone(str(masked)), TEXTS)
    layers, _ = hidden_states(masked, TEXTS[0])
    np.testing.assert_allclose(table["layer2"][0], unit(layers[2].mean(0)), atol=1e-4)


def test_missing_weights_are_refused_and_not_drawn(folder: Fit) -> None:
    from safetensors.torch import load_file, save_file

    place = folder("bert")
    tensors = load_file(place / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, place / "model.safetensors", {"format": "pt"})
    with pytest.raises(BackboneError, match=r"lacks weights \('encoder\.layer\.1\.output\.dense\.weight'\)"):
        open_backbone(str(place))


def test_empty_texts_fail_alone(folder: Fit) -> None:
    table = embed(["one", " ", "\u200b", "two"], open_backbone(str(folder("bert"))), device=choose_device("cpu"))  # type: ignore[arg-type]
    assert table.rows.tolist() == [0, 3]
    assert [failure.reason for failure in table.failures] == ["it is empty", "nothing is left of it for the network"]


def test_a_leading_blank_is_as_the_tokeniser_has_it(folder: Fit) -> None:
    place = folder("gpt2")
    backbone = open_backbone(str(place))
    tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    assert backbone.spec.load(" film")[1:].tolist() == tokenizer.encode("film").ids


def sentence_transformer(place: Path, pooling: dict[str, Any], **files: Any) -> Path:
    """Puts a network's folder into sentence-transformers' form."""
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense"), ("3_Normalize", "Normalize")]
    kinds = [pair for pair in kinds if pair[1] != "Dense" or "dense" in files]
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds]
    (place / "modules.json").write_text(json.dumps(modules))
    (place / "1_Pooling").mkdir()
    (place / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    for name, values in files.items():
        if name != "dense":
            (place / f"{name}.json").write_text(json.dumps(values))
    return place


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, lambda layer: layer[0]),
        ({"pooling_mode_max_tokens": True}, lambda layer: layer.max(0)),
        ({"pooling_mode": "lasttoken"}, lambda layer: layer[-1]),
        (
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            lambda layer: np.concatenate([layer[0], layer.mean(0)]),
        ),
        (
            {"pooling_mode": "weightedmean"},
            lambda layer: np.average(layer, axis=0, weights=np.arange(1, 1 + len(layer))),
        ),
    ],
)
def test_sentence_transformers_pool_as_their_folder_says(pooling: dict[str, Any], expected: Any, folder: Fit) -> None:
    place = sentence_transformer(folder("bert"), pooling)
    backbone = open_backbone(str(place))
    assert backbone.last.name == "sentence"
    table = rows(backbone, TEXTS)
    for i, text in enumerate(TEXTS):
        np.testing.assert_allclose(table["sentence"][i], unit(expected(hidden_states(place, text)[0][-1])), atol=1e-4)


def test_a_dense_layer_behind_the_mean_is_part_of_the_graph(folder: Fit) -> None:
    from safetensors.torch import save_file

    place = sentence_transformer(folder("bert"), {"pooling_mode_mean_tokens": True}, dense=True)
    (place / "2_Dense").mkdir()
    weight = torch.randn(8, 32, generator=torch.Generator().manual_seed(1))
    save_file({"linear.weight": weight, "linear.bias": torch.ones(8)}, place / "2_Dense" / "model.safetensors")
    (place / "2_Dense" / "config.json").write_text('{"activation_function": "torch.nn.modules.activation.Tanh"}')
    layers, _ = hidden_states(place, TEXTS[0])
    expected = np.tanh(weight.numpy() @ layers[-1].mean(0) + 1)
    np.testing.assert_allclose(rows(open_backbone(str(place)), TEXTS)["sentence"][0], unit(expected), atol=1e-4)


def test_prompts_stand_before_every_text(folder: Fit) -> None:
    prompts = {"prompts": {"query": "where is: ", "classification": "tell me "}, "default_prompt_name": None}
    place = sentence_transformer(
        folder("bert"), {"pooling_mode_mean_tokens": True}, config_sentence_transformers=prompts
    )
    backbone = open_backbone(str(place))
    assert (backbone.spec.prefix, backbone.spec.first_words) == ("tell me ", 5)
    layers, _ = hidden_states(place, f"tell me {TEXTS[0]}")
    table = rows(backbone, [TEXTS[0], TEXTS[2]])
    np.testing.assert_allclose(table["layer2"][0], unit(layers[-1].mean(0)), atol=1e-4)
    prompts["default_prompt_name"] = "query"  # type: ignore[assignment]
    (place / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    assert open_backbone(str(place)).spec.prefix == "where is: "


def test_a_prompt_that_only_the_name_tells_is_known(folder: Fit) -> None:
    place = folder("bert").rename(folder("bert").parent / "e5-small-v2")
    assert open_backbone(str(place)).spec.prefix == "query: "


def test_what_cannot_be_pooled_is_named(folder: Fit) -> None:
    place = sentence_transformer(folder("bert"), {"pooling_mode": "attention"})
    with pytest.raises(BackboneError, match="asks for the pooling 'attention'; known are 'cls', 'lasttoken'"):
        open_backbone(str(place))


def test_a_folder_without_a_tokeniser_or_weights_says_so(folder: Fit) -> None:
    place = folder("bert")
    (place / "model.safetensors").rename(place / "elsewhere")
    with pytest.raises(BackboneError, match="has no weights"):
        open_backbone(str(place))
    (place / "tokenizer.json").unlink()
    with pytest.raises(BackboneError, match=r"has no tokenizer\.json: save it whole"):
        open_backbone(str(place))


def test_converted_once_and_again_when_a_file_changes(folder: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder("bert")
    first = open_backbone(str(place))
    monkeypatch.setattr(text_tracing, "load_network", None)  # a second conversion would call it
    assert open_backbone(str(place)) == first
    (place / "sentence_bert_config.json").write_text('{"max_seq_length": 16}')
    with pytest.raises(TypeError):
        open_backbone(str(place))


def test_a_network_that_answers_otherwise_than_its_graph_is_refused(
    folder: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_tracing, "_SAME", -1.0)
    with pytest.raises(BackboneError, match="does not answer as the network does"):
        open_backbone(str(folder("bert")))


def _plan(place: Path) -> Any:
    from headstart.backbones.conversion.text_folder import read_text_folder

    return read_text_folder(place)
