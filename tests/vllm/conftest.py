"""What the tests with a real vLLM share: a model that its CPU attention can run, and engines loaded once."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

if importlib.util.find_spec("vllm") is None:  # `make test-vllm` has it in an environment of its own
    collect_ignore_glob = ["test_*.py"]


def tiny(folder: Path, **overrides: object) -> Path:
    """The tiny model of the other tests with heads of 32, the smallest size of vLLM's attention on a CPU."""
    spec = importlib.util.spec_from_file_location("tests_conftest", ROOT / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    sizes = {"hidden_size": 128, "intermediate_size": 128, "head_dim": 32}
    return module.build_tiny_model(folder, **{**sizes, **overrides})


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    return tiny(tmp_path_factory.mktemp("tiny-vllm"))


@pytest.fixture(scope="session")
def load():
    """Opens engines on one thread with a small cache, and closes them all."""
    from harness.generate.vllm_engine import VllmEngine
    from harness.generate.vllm_worker import Load

    opened = []

    def open_engine(path: Path, *, replicas: int = 1, **settings: object) -> VllmEngine:
        chosen = Load("", dtype="float32", **{"kv_cache_gib": 0.25, **settings})
        engine = VllmEngine.load(path, chosen, data_parallel_size=replicas, threads=1)
        opened.append(engine)
        return engine

    yield open_engine
    for engine in opened:
        engine.close()


@pytest.fixture(scope="session")
def engine(model, load):
    return load(model)


@pytest.fixture(scope="session")
def reference(model):
    """The transformers engine on the same weights."""
    from harness.generate.engine import TransformersEngine

    return TransformersEngine.load(model, device="cpu", threads=1)
