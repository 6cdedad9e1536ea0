"""The first conversion between numpy and OpenVINO in a process must not be two threads' at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
FIRST_USE = """
import sys, threading
import numpy as np
from headstart.backbones.opening import open_backbone
from headstart.embed.openvino_engine import open_compiled

network = open_compiled(open_backbone("lite0"), ["blocks.0.pooled"], shape=(1, 224, 224, 3), precision="f32")
start = threading.Barrier(6)

def infer():
    start.wait()
    network.infer({0: np.zeros((1, 224, 224, 3), np.uint8)})

sys.setswitchinterval(1e-6)
workers = [threading.Thread(target=infer, daemon=True) for _ in range(6)]
[worker.start() for worker in workers]
[worker.join(30) for worker in workers]
sys.stdout.write(f"{sum(worker.is_alive() for worker in workers)} wait")
sys.stdout.flush()
import os
os._exit(0)
"""


@pytest.mark.parametrize("attempt", range(2))
def test_threads_that_are_the_first_to_infer_do_not_wait_for_each_other_for_ever(attempt: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, "-c", FIRST_USE], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.stdout == "0 wait", done.stderr
