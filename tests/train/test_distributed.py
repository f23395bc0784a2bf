"""Two real processes (gloo, on a CPU) against one: the same steps, the same loss curve, the same weights."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from harness.errors import BadInput
from harness.spec import TrainRecipe
from harness.train import distribute, sft, tokens
from harness.train.corpus import Example

WORDS = ["def f(x):\n    return x", "for i in range(3):\n    print(i)", "a = [1, 2]\nb = a", "while True:\n    pass"]
# Lengths differ a lot on purpose: a mean of the two processes' means would then differ from the mean over tokens.
EXAMPLES = [
    Example(f"e{i}", (("user", f"task {i}"),), WORDS[i % 4] + f"\n# {i}" * (1 + 5 * (i % 3)), finished=i % 3 != 0)
    for i in range(12)
]
ONE = TrainRecipe(
    method="full",
    steps=12,
    batch_size=16,
    micro_batch_size=1,
    learning_rate=5e-3,
    max_length=128,
    save_steps=2,
    checkpoint="heldout",
    heldout=3,
)
LORA = replace(ONE, method="lora", lora_rank=4, lora_alpha=8, checkpoint="last", heldout=0)
KINDS = {
    "adapters": (replace(LORA, processes=2, sharding="ddp"), LORA),
    "full": (replace(ONE, processes=2, sharding="ddp"), ONE),
}

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import test_distributed as t
t.sft.train(Path(sys.argv[1]), t.EXAMPLES, t.KINDS[sys.argv[4]][0], 7, Path(sys.argv[2]),
            lambda step, total, loss: print(step, flush=True), device="cpu")
"""


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module", params=sorted(KINDS))
def pair(request, tiny_model, tmp_path_factory):
    """A run of two processes and its twin in one."""
    folder = tmp_path_factory.mktemp(request.param)
    two, one = KINDS[request.param]
    seen: list[tuple[int, int, float]] = []
    return (
        request.param,
        sft.train(tiny_model, EXAMPLES, two, 7, folder / "two", lambda *a: seen.append(a), device="cpu"),
        sft.train(tiny_model, EXAMPLES, one, 7, folder / "one", device="cpu"),
        seen,
    )


@pytest.mark.slow
def test_two_processes_take_the_same_steps_as_one(pair):
    _, two, one, seen = pair
    assert two.losses == pytest.approx(one.losses, rel=1e-5)
    assert [s[:2] for s in seen] == [(i, 12) for i in range(1, 13)]
    assert [s[2] for s in seen] == list(two.losses)
    ours, theirs = weights(two.path), weights(one.path)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-4, atol=1e-5)
    same = ("sequences", "sequence_tokens", "target_tokens", "ended", "heldout", "trainable_parameters", "checkpoint")
    assert {k: getattr(two, k) for k in same} == {k: getattr(one, k) for k in same}
    assert dict(two.versions).items() >= {"processes": "2", "sharding": "ddp", "backend": "gloo"}.items()
    assert [p.name for p in two.path.parent.iterdir() if p.name.startswith("two")] == ["two"]


@pytest.mark.slow
def test_the_checkpoint_is_the_one_with_the_lowest_held_out_loss(pair):
    _, two, one, _ = pair
    assert [s for s, _ in two.heldout_losses] == [s for s, _ in one.heldout_losses]
    assert [v for _, v in two.heldout_losses] == pytest.approx([v for _, v in one.heldout_losses], rel=1e-5)
    if one.heldout_losses:
        assert one.checkpoint == min(one.heldout_losses, key=lambda entry: entry[1])[0]
        assert [s for s, _ in one.heldout_losses] == [2, 4, 6, 8, 10, 12]
    else:
        assert one.checkpoint == 12


@pytest.mark.slow
def test_a_killed_group_resumes_to_the_same_weights(pair, tiny_model, tmp_path):
    kind, whole, _, _ = pair

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, str(tiny_model), str(tmp_path / "out")]
        command += [str(Path(__file__).parent), kind]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    broken = start()
    assert broken.stdout is not None
    for line in broken.stdout:
        if line.strip() == "3":
            break
    broken.send_signal(signal.SIGKILL)
    broken.wait()
    assert not (tmp_path / "out").exists()
    wait_for_end_of_group(tmp_path / "out.partial" / "job")
    resumed = start()
    assert resumed.stdout is not None
    steps = [int(line) for line in resumed.stdout.read().split()]
    assert resumed.wait() == 0
    assert steps[0] % 2 == 1  # checkpoints are every two steps
    assert steps[0] > 1
    assert steps[-1] == 12
    result = sft.load_result(tmp_path / "out")
    assert result.losses == pytest.approx(whole.losses, rel=1e-6)
    assert result.heldout_losses == whole.heldout_losses
    for name, tensor in weights(whole.path).items():
        torch.testing.assert_close(weights(result.path)[name], tensor, rtol=1e-5, atol=1e-6)


def wait_for_end_of_group(job: Path) -> None:
    """No process of the killed run may live on: it would write into the checkpoints of the next one."""
    psutil = pytest.importorskip("psutil")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not [p for p in psutil.process_iter(["cmdline"]) if str(job) in (p.info["cmdline"] or [])]:
            return
        time.sleep(0.2)
    raise AssertionError("the group outlived its parent by a minute")


@pytest.mark.slow
def test_a_failing_process_is_reported_by_what_failed(tmp_path):
    recipe = replace(LORA, processes=2, sharding="ddp")
    job = {
        "model_path": tmp_path / "nowhere",
        "sequences": tokens.Sequences(("a",), ((1, 2, 3),), (1,), (True,), (), ()),
        "order": [0] * 24,
        "heldout": [],
        "recipe": recipe,
        "seed": 0,
        "checkpoints": tmp_path / "checkpoints",
        "resume": None,
        "merged": tmp_path / "merged",
        "device": "cpu",
    }
    with pytest.raises(distribute.TrainingProcessFailed, match=r"2 processes ended with code 1: .*nowhere"):
        distribute.run_distributed(job, tmp_path / "job", None)
    assert not (tmp_path / "merged").exists()


def test_a_job_survives_being_written_down(tmp_path):
    job = {
        "model_path": tmp_path / "model",
        "sequences": tokens.Sequences(("a", "b"), ((1, 2, 3), (4, 5)), (1, 1), (True, False), ("b",), ()),
        "order": [1, 0, 1, 0],
        "heldout": [],
        "recipe": replace(LORA, processes=2, sharding="ddp"),
        "seed": 3,
        "checkpoints": tmp_path / "checkpoints",
        "resume": None,
        "merged": tmp_path / "merged",
        "device": "cpu",
    }
    distribute.write_job(job, tmp_path)
    assert distribute.read_job(tmp_path) == job


def test_held_out_examples_do_not_depend_on_order_and_are_not_trained_on():
    keys = tuple(f"k{i}" for i in range(20))
    ids = tuple((1, i) for i in range(20))
    plain = tokens.Sequences(keys, ids, (1,) * 20, (True,) * 20, (), ())
    turned = tokens.Sequences(keys[::-1], ids[::-1], (1,) * 20, (True,) * 20, (), ())
    used, kept = tokens.hold_out(plain, 6)
    assert sorted([*used, *kept]) == list(range(20))
    assert {keys[i] for i in kept} == {turned.keys[i] for i in tokens.hold_out(turned, 6)[1]}
    with pytest.raises(BadInput, match=r"train\.heldout=20"):
        tokens.hold_out(plain, 20)


def test_sharding_is_refused_where_accelerate_would_silently_not_shard(tiny_model, tmp_path):
    from harness.errors import MissingCapability

    with pytest.raises(MissingCapability, match=r"train\.sharding=fsdp"):
        sft.train(tiny_model, EXAMPLES, replace(ONE, processes=2, sharding="fsdp"), 7, tmp_path / "out", device="cpu")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"processes": 0}, "processes"),
        ({"processes": 3, "sharding": "ddp"}, "processes"),
        ({"processes": 2}, "sharding"),
        ({"sharding": "fsdp"}, "sharding"),
        ({"save_steps": -1}, "save_steps"),
        ({"heldout": 2}, "heldout"),
        ({"checkpoint": "heldout"}, "heldout"),
    ],
)
def test_recipes_that_cannot_be_dealt_out_are_refused_by_name(change, key):
    with pytest.raises(BadInput, match=rf"train\.{key}="):
        sft.check_recipe(replace(LORA, **change))


def test_old_keys_stay_what_they_were():
    from harness.canonical import to_plain

    plain = to_plain(TrainRecipe())
    assert not {"processes", "sharding", "save_steps", "checkpoint", "heldout"} & set(plain)
    assert set(to_plain(replace(TrainRecipe(), processes=2))) == {*plain, "processes"}
    assert set(asdict(TrainRecipe())) > set(plain) - {"kind"}


def test_the_message_of_a_failed_group_is_the_error_not_the_launchers_summary():
    text = """W1124 torchrun notice
[rank1]: Traceback (most recent call last):
[rank1]:   File "x.py", line 1, in <module>
[rank1]:     raise ValueError("no")
[rank1]: ValueError: no
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
"""
    assert distribute.last_error(text) == "ValueError: no"
    assert distribute.last_error("") == "it said nothing"
    assert distribute.last_error("Killed") == "Killed"


def test_threads_are_shared_out(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "16")
    recipe = replace(LORA, processes=2, sharding="ddp")
    assert distribute.environment(recipe, "cpu", 8)["OMP_NUM_THREADS"] == "4"
    assert distribute.environment(recipe, "cpu", 1)["OMP_NUM_THREADS"] == "1"
    assert distribute.environment(recipe, "cuda", 8)["OMP_NUM_THREADS"] == "16"
