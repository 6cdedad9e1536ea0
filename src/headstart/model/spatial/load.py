"""Opens a saved detector or segmenter; nothing in the folder is trusted."""

from __future__ import annotations

from headstart.embed.spatial.canvas import Canvas
from headstart.embed.spatial.taps import CONTEXT, TAPS
from headstart.errors import BundleError
from headstart.heads.spatial.network import network_from_arrays
from headstart.model.bundle import Bundle
from headstart.model.parts import classes_of, part_of
from headstart.model.spatial.evidence import UNITS
from headstart.model.spatial.predictor import SpatialPredictor
from headstart.tasks.boxes import BOXES
from headstart.tasks.masks import MASKS
from headstart.tasks.spatial import SpatialTask
from headstart.trust.missed import evidence_from_arrays

SPATIAL_TASKS: dict[str, SpatialTask] = {task.name: task for task in (BOXES, MASKS)}


def assemble_spatial(saved: Bundle) -> SpatialPredictor:
    """The predictor of a bundle that was read; raises `BundleError` where its files contradict each other."""
    manifest = saved.manifest
    task = SPATIAL_TASKS[manifest["task"]]
    classes = classes_of(saved, fewest=1)
    part = part_of(saved, manifest["backbones"][0])
    if tuple(part.taps) != TAPS:
        raise BundleError(f"{saved.folder} looks at the taps {list(part.taps)}, and this Headstart at {list(TAPS)}.")
    canvas = Canvas.from_dict(manifest["canvas"])
    head = network_from_arrays(saved.arrays(manifest["head"]["file"]))
    width = sum(part.backbone.tap(name).width for name in TAPS) + part.backbone.tap(CONTEXT[0]).width
    if (head.width, head.outputs) != (width, task.outputs(len(classes))):
        raise BundleError(f"the head of {saved.folder} does not fit its backbone or classes: train the model again.")
    entry = manifest.get("trust")
    trust = None if entry is None else evidence_from_arrays(saved.arrays(entry["file"]), UNITS[task.name])
    threshold = float(manifest["threshold"])
    if not 0 <= threshold <= 1:
        raise ValueError(f"a threshold of {threshold}")
    return SpatialPredictor(task, classes, part.backbone, canvas, head, threshold, manifest, trust, saved)
