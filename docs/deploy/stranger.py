"""Classify images with an exported model: onnxruntime, numpy and Pillow, nothing of Headstart."""

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
    best = answer["probabilities"][0].argmax()
    decision = about["decisions"][answer["decision"][0]] if "decision" in answer else ""
    print(path, about["classes"][best], f"{answer['probabilities'][0][best]:.4f}", decision, sep="\t")
