"""Runs an exported model of texts with onnxruntime, tokenizers and numpy: python stranger_text.py m.onnx TEXTS…"""

import json, sys, unicodedata  # noqa: E401, I001
import numpy as np, onnxruntime, tokenizers  # noqa: E401

session = onnxruntime.InferenceSession(sys.argv[1])
about = json.loads(session.get_modelmeta().custom_metadata_map["headstart"])
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1].replace(".onnx", ".tokenizer.json"))
before, after, room = about["before"], about["after"], about["room"]
for text in sys.argv[2:]:
    plain = about["prefix"] + unicodedata.normalize("NFC", text).strip()
    coded = tokenizer.encode(plain, add_special_tokens=False)
    pieces = coded.ids[: about["most_pieces"]]  # a long text becomes several windows
    windows = [before + pieces[i : i + room] + after for i in range(0, max(1, len(pieces)), room)]
    mask = np.array([[i < len(w) for i in range(max(map(len, windows)))] for w in windows], np.int64)
    ids = np.array([w + [0] * (mask.shape[1] - len(w)) for w in windows])
    count = sum(w is not None and w < about["first_words"] for w in coded.word_ids[:room])
    first = np.array(
        [[not i and 0 <= j - len(before) < count for j in range(mask.shape[1])] for i in range(len(ids))], np.int64
    )
    values = {"ids": ids, "mask": mask, "first": first, "text": np.zeros(len(ids), np.int64)}
    answer = session.run(["probabilities"], {i.name: values[i.name] for i in session.get_inputs()})[0][0]
    print(text[:30], about["classes"][answer.argmax()], f"{answer.max():.6f}", sep="\t")
