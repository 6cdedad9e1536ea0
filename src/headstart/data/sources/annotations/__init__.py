"""Readers of boxes and masks: VOC XML, COCO JSON, YOLO text, labelme, index and colour masks."""
