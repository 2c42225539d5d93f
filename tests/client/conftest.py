"""A server and a kernel that share a home, and a client of the server."""

from __future__ import annotations

import pytest

from chutes_nb import Chute
from kernels import Kernel
from serving import TOKEN, Server

CELL = """
import time
from pathlib import Path
from pydantic import BaseModel
from chutes_nb import Chute, UploadedFile

class Config(BaseModel):
    epochs: int

chute = Chute(username="myuser", name="my-chute")

@chute.job(timeout=60, tags=["t"])
async def process_data(self, data: dict) -> dict:
    print("Progress: 50.0% (1/2)")
    self.training_state = {"epoch": 3}
    self.log(1, loss=0.5)
    self.emit({"half": 1})
    (self.output_dir / "out.txt").write_text("hello")
    return {"status": "completed", "result": data["input"]}

@chute.job(timeout=100)
def count(self, n: int = 3, pause: float = 0.0):
    for i in range(n):
        print("line", i)
        time.sleep(pause)
    return n

@chute.job
def wait_for(self, path: str):
    print("waiting")
    while not Path(path).exists():
        time.sleep(0.01)
    return "there"

@chute.job(retry=1, retry_delay=0.5)
def fail(self):
    print("attempt", self.attempt)
    raise ValueError("no luck")

@chute.job(retry=1, retry_delay=0)
def fail_after(self, path: str):
    print("attempt", self.attempt)
    while not Path(path).exists():
        time.sleep(0.01)
    raise ValueError("no luck")

@chute.job(timeout=0.2, grace=0.1)
def hang(self):
    time.sleep(60)

@chute.job
def train(self, config: Config, rate: float = 0.5):
    return config.epochs

@chute.job(upload=True)
def sizes(self, file: bytes, extra: list[UploadedFile] = [], label: str = ""):
    return [len(file), [[one.name, one.size] for one in extra], label]

@chute.job
def frame(self):
    import pandas
    return pandas.DataFrame({"a": [1, 2], "b": ["x", None]})

@chute.job
def double(self, n: int):
    return 2 * n

@chute.job
def pair(self):
    return (1, 2)

@chute.job
def big(self, size: int):
    (self.output_dir / "big.bin").write_bytes(bytes(range(256)) * (size // 256))
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    with Server(folder) as server, Kernel(folder) as kernel:
        kernel.run("%load_ext chutes_nb")
        kernel.run(CELL)
        yield server, kernel
        server.store().close()


@pytest.fixture(scope="module")
def server(both):
    return both[0]


@pytest.fixture
def chute(server):
    with Chute.connect(server.jupyter, TOKEN, chute="myuser-my-chute") as found:
        yield found
