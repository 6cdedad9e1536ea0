"""Runs an exported model of texts with onnxruntime, tokenizers and numpy: python stranger_text.py m.onnx TEXTS…"""

import collections, json, os, re, sys, unicodedata  # noqa: E401, I001
import numpy as np, onnxruntime, tokenizers  # noqa: E401


def weigh(text, terms, idf):
    """A text by TF-IDF: words, their pairs, runs of 2 to 5 characters. Only where there is a model.terms.json."""
    words = re.findall(r"\w+", text[:20_000].lower())
    found = [f"{word}\0" for word in words] + [f"{a}\0{b}\0" for a, b in zip(words, words[1:])]  # noqa: B905, RUF007
    for padded in [f" {word} " for word in words]:
        for n in range(2, 1 + min(5, len(padded))):
            found += [padded[i : i + n] for i in range(len(padded) - n + 1)]
    known = {terms[term]: 1 + np.log(n) for term, n in collections.Counter(found).items() if term in terms}
    index = np.array([0, *known], np.int64)  # the first weighs nothing, so that there is always one
    weights = np.array([0, *known.values()], np.float32) * idf[index]
    weights /= max(np.sqrt(weights @ weights), 1e-12)
    return {"terms": index, "weights": weights, "term_text": np.zeros(len(index), np.int64)}


session = onnxruntime.InferenceSession(sys.argv[1])
about = json.loads(session.get_modelmeta().custom_metadata_map["headstart"])
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1].replace(".onnx", ".tokenizer.json"))
beside = sys.argv[1].replace(".onnx", ".terms.json")
vocabulary = json.load(open(beside, encoding="utf-8")) if os.path.exists(beside) else None  # noqa: SIM115
before, after, room = about["before"], about["after"], about["room"]
for text in sys.argv[2:]:
    plain = unicodedata.normalize("NFC", text).strip()
    coded = tokenizer.encode(about["prefix"] + plain, add_special_tokens=False)
    pieces = coded.ids[: about["most_pieces"]]  # a long text becomes several windows
    windows = [before + pieces[i : i + room] + after for i in range(0, max(1, len(pieces)), room)]
    mask = np.array([[i < len(w) for i in range(max(map(len, windows)))] for w in windows], np.int64)
    ids = np.array([w + [0] * (mask.shape[1] - len(w)) for w in windows])
    count = sum(w is not None and w < about["first_words"] for w in coded.word_ids[:room])
    first = np.array(
        [[not i and 0 <= j - len(before) < count for j in range(mask.shape[1])] for i in range(len(ids))], np.int64
    )
    values = {"ids": ids, "mask": mask, "first": first, "text": np.zeros(len(ids), np.int64)}
    if vocabulary:
        numbers = {term: i for i, term in enumerate(vocabulary["terms"])}
        values |= weigh(plain, numbers, np.array(vocabulary["idf"], np.float32))
    answer = session.run(["probabilities"], {i.name: values[i.name] for i in session.get_inputs()})[0][0]
    print(text[:30], about["classes"][answer.argmax()], f"{answer.max():.6f}", sep="\t")
