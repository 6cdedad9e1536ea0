"""What was detected, as files that other tools read: COCO JSON, YOLO text, VOC XML, and plain JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import PurePosixPath
from typing import Any

from headstart.records.boxes import Detections

FORMATS = ("coco", "yolo", "voc")


def records(names: Sequence[str], answers: Sequence[Detections | None], classes: Sequence[str]) -> list[dict[str, Any]]:
    """One record an image: its objects with class, score and box (left, top, right, bottom), or why there is none."""
    return [
        {"image": name, "unreadable": True}
        if seen is None
        else {
            "image": name,
            "objects": [
                {"class": classes[label], "score": round(score, 5), "box": [round(v, 2) for v in corners]}
                for corners, score, label in zip(
                    seen.corners.tolist(), seen.scores.tolist(), seen.labels.tolist(), strict=True
                )
            ],
        }
        for name, seen in zip(names, answers, strict=True)
    ]


def coco_file(
    names: Sequence[str],
    answers: Sequence[Detections | None],
    sizes: Sequence[tuple[int, int]],
    classes: Sequence[str],
) -> bytes:
    """A COCO file whose annotations carry scores; image and category ids count from 1."""
    read = [(name, seen, size) for name, seen, size in zip(names, answers, sizes, strict=True) if seen is not None]
    images = [
        {"id": i, "file_name": name, "width": size[0], "height": size[1]} for i, (name, _, size) in enumerate(read, 1)
    ]
    annotations: list[dict[str, Any]] = []
    for i, (_, seen, _) in enumerate(read, 1):
        for corners, score, label in zip(
            seen.corners.tolist(), seen.scores.tolist(), seen.labels.tolist(), strict=True
        ):
            left, top, right, bottom = corners
            box = [round(v, 3) for v in (left, top, right - left, bottom - top)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": label + 1,
                    "bbox": box,
                    "area": round(box[2] * box[3], 3),
                    "iscrowd": 0,
                    "score": round(score, 6),
                }
            )
    categories = [{"id": k, "name": name} for k, name in enumerate(classes, 1)]
    value = {"images": images, "annotations": annotations, "categories": categories}
    return json.dumps(value, ensure_ascii=False).encode()


def yolo_files(
    names: Sequence[str],
    answers: Sequence[Detections | None],
    sizes: Sequence[tuple[int, int]],
    classes: Sequence[str],
) -> Mapping[str, bytes]:
    """`labels/<image>.txt` an image, shares of its sides, and `classes.txt`."""
    files = {"classes.txt": ("\n".join(classes) + "\n").encode()}
    for name, seen, (width, height) in zip(names, answers, sizes, strict=True):
        if seen is not None:
            lines = [
                f"{label} {(x0 + x1) / 2 / width:.6f} {(y0 + y1) / 2 / height:.6f} "
                f"{(x1 - x0) / width:.6f} {(y1 - y0) / height:.6f}\n"
                for (x0, y0, x1, y1), label in zip(seen.corners.tolist(), seen.labels.tolist(), strict=True)
            ]
            files[f"labels/{PurePosixPath(name).stem}.txt"] = "".join(lines).encode()
    return files


def voc_files(
    names: Sequence[str],
    answers: Sequence[Detections | None],
    sizes: Sequence[tuple[int, int]],
    classes: Sequence[str],
) -> Mapping[str, bytes]:
    """`Annotations/<image>.xml` an image."""
    files = {}
    for name, seen, (width, height) in zip(names, answers, sizes, strict=True):
        if seen is None:
            continue
        objects = "".join(
            f"  <object>\n    <name>{_escaped(classes[label])}</name>\n    <difficult>0</difficult>\n    <bndbox>\n"
            f"      <xmin>{x0:.2f}</xmin>\n      <ymin>{y0:.2f}</ymin>\n      <xmax>{x1:.2f}</xmax>\n"
            f"      <ymax>{y1:.2f}</ymax>\n    </bndbox>\n  </object>\n"
            for (x0, y0, x1, y1), label in zip(seen.corners.tolist(), seen.labels.tolist(), strict=True)
        )
        path = PurePosixPath(name)
        files[f"Annotations/{path.stem}.xml"] = (
            f"<annotation>\n  <filename>{_escaped(path.name)}</filename>\n  <size>\n    <width>{width}</width>\n"
            f"    <height>{height}</height>\n    <depth>3</depth>\n  </size>\n{objects}</annotation>\n"
        ).encode()
    return files


def _escaped(text: str) -> str:
    return escape(text, quote=False)
