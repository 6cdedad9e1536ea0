"""mAP50 and mAP50-95 of detectors from 20, 50 and 205 images: frozen taps and numpy heads alone.

python benchmarks/boxes.py FOLDER: data with a train and a test split (BCCD as VOC, for docs/evidence/boxes.md).
Seconds are CPU time of this process with decoding and taps; run with OMP_NUM_THREADS=1 for one core.
"""

from __future__ import annotations

from headstart.tasks.boxes import BOXES
from spatial_draws import arguments, measure

if __name__ == "__main__":
    measure(BOXES, arguments(__doc__ or "", (20, 50, 205)))
