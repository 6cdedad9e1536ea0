"""Detectors and segmenters as one ONNX graph, with decoding and suppression inside, and the proof that it is theirs."""
