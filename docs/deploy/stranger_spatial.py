"""Detect or segment with an exported model: onnxruntime, numpy and Pillow, nothing of Headstart."""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(sys.argv[1])
about = json.loads(session.get_modelmeta().custom_metadata_map["headstart"])
for path in sys.argv[2:]:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    answer = dict(zip(about["outputs"], session.run(about["outputs"], {"image": np.asarray(image)[None]}), strict=True))
    if "labels" in answer:  # a class a pixel, at the size of inference
        Image.fromarray(answer["labels"]).resize(image.size, Image.Resampling.NEAREST).save(f"{path}.mask.png")
        continue
    for box, score, number in zip(answer["boxes"], answer["scores"], answer["classes"], strict=True):
        if score >= about["threshold"]:
            print(path, about["classes"][number], f"{score:.4f}", *box.round(2), sep="\t")
