"""Mean IoU and Dice of segmenters from 20, 50 and 200 images, frozen taps and numpy heads alone.

python benchmarks/masks.py FOLDER: data with a train and a test split (CamVid with class 11 as void, for
docs/evidence/boxes.md). Seconds are CPU time of this process with decoding and taps; run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

from headstart.tasks.masks import MASKS
from spatial_draws import arguments, measure

if __name__ == "__main__":
    measure(MASKS, arguments(__doc__ or "", (20, 50, 200)), void=["11"])
