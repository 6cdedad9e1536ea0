"""Average precision of boxes: matching, the precision-recall curve, resampling of images."""
