"""``docs/scaling.md``, written from plans: what the referee's list costs on GPUs, and in which order to run it.

python -m harness.report.scaling      writes it
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ablations
from harness.config import resolve
from harness.pipeline.cost import Cost, estimate
from harness.pipeline.plan import Plan, make_plan
from harness.pipeline.work import Work, added, together, work
from harness.report.tables import markdown_table

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
HEADER = "<!-- Written by `python -m harness.report.scaling`. Do not edit. -->\n\n"

V6 = "task=livecodebench_v6"
GRID = ("ablation.train=[1.0,1.6]", "ablation.eval=[0.7,1.1]")
LIST: dict[str, tuple[str, ...]] = {
    "released_checkpoints": (V6,),
    "matched_decoding": (V6,),
    "difficulty": (V6,),
    "locks_and_forks": (V6,),
    "out_of_domain": ("task=[gsm8k,cruxeval_o]", "plan.answer_tokens=500"),
    "two_stage": (V6, *GRID),
    "modal_regularization": (V6,),
    "iterative_ssd": (V6,),
    "noise_data": (V6,),
    "null_control": (V6,),
    "heldout_temperature": ("task=[livecodebench_v5,livecodebench_v6]", "ablation.heldout=livecodebench_v5", *GRID),
}
"""The referee's list on contest problems: every ablation of the claim, with what it needs besides the default."""

NOT_LISTED = {
    "decoding_search": "finds the settings of a model that has no published ones",
    "before_after": "referees two checkpoints of any other claim; on the released weights it asks what is above",
}

NIGHT = ("scale.seeds=[0]", "scale.samples.default=10", "plan.gpus=1")
ONE_GPU = ("train.processes=1", "train.sharding=none", "train.max_length=8192")
NIGHT_HOURS = 10.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One ablation of the list, planned. ``command`` is everything after ``harness plan`` or ``harness run``."""

    name: str
    command: str
    plan: Plan
    cost: Cost
    pieces: Work
    questions: frozenset[str]


def entry(name: str, overrides: Sequence[str]) -> Entry:
    """Plan one ablation."""
    words = [f"ablation={name}", *overrides]
    plan = make_plan(resolve(words), outline=True)
    asked = frozenset(re.findall(r"\bQ\d+\b", ablations.load(name).asked_by))
    return Entry(name, " ".join(words), plan, estimate(plan), work(plan), asked)


def referee_list(model: str, *overrides: str) -> list[Entry]:
    """The whole list for one model."""
    return [entry(name, (f"model={model}", *own, "scale=full", *overrides)) for name, own in LIST.items()]


def by_information(entries: Sequence[Entry]) -> list[tuple[Entry, frozenset[str], float]]:
    """Greedy order: next comes what answers most questions that nothing before it asks, for each further GPU-hour.

    Entries that ask nothing new come last, the cheapest first. Each is given with its new questions and added hours.
    """
    left, order = list(entries), []
    done: dict[Hashable, float] = {}
    asked: frozenset[str] = frozenset()
    while left:
        hours = [added(e.pieces, done) for e in left]
        worth = [(len(e.questions - asked) / max(h, 1e-9), -h) for e, h in zip(left, hours, strict=True)]
        best = left[worth.index(max(worth))]
        order.append((best, best.questions - asked, added(best.pieces, done)))
        asked |= best.questions
        done |= best.pieces
        left.remove(best)
    return order


def _full_table(entries: Sequence[Entry]) -> list[str]:
    rows: list[list[str]] = []
    done: dict[Hashable, float] = {}
    for e in entries:
        more = added(e.pieces, done)
        done = together([done, e.pieces])
        alone, price = e.cost.hours, e.cost.usd
        assert alone is not None
        assert price is not None
        models = len([p for p in e.pieces if isinstance(p, tuple) and p[0] == "weights"])
        rows.append(
            [
                e.name,
                f"{e.cost.samples:,}",
                str(models),
                f"{alone.total:,.1f}",
                f"{price:,.0f}",
                f"{more:,.1f}",
                f"{sum(done.values()):,.1f}",
            ]
        )
    header = ["ablation", "samples", "models made", "GPU-hours alone", "$ alone", "added", "together"]
    return markdown_table(header, rows)


def _commands(entries: Sequence[Entry]) -> list[str]:
    return ["```", *(f"harness plan {e.command}" for e in entries), "```"]


def _total(entries: Sequence[Entry]) -> str:
    hours = sum(together([e.pieces for e in entries]).values())
    machine = entries[1].cost.machine
    assert machine is not None
    return (
        f"All of it together: **{hours:,.0f} GPU-hours**, {hours / machine.gpus:,.0f} hours on {machine.gpus} of "
        f"{machine.gpu}, ${hours * machine.usd_per_gpu_hour:,.0f} at ${machine.usd_per_gpu_hour:.2f} a GPU-hour."
    )


def _memory(e: Entry) -> str:
    machine = e.cost.machine
    assert machine is not None
    training = machine.training
    assert training is not None
    fits = "fits" if training.fits else "does **not** fit"
    return (
        f"{training.total_gib:.1f} GiB on each of {training.processes} {machine.gpu} at the longest sequence "
        f"({training.states_gib:.1f} weights and optimiser, {training.activations_gib:.1f} activations), which {fits} "
        f"in the {training.usable_gib:.1f} that can be used"
    )


def _catalogue() -> tuple[list[str], list[Entry]]:
    names = ("llama31_8b_instruct", "qwen3_4b_instruct", "qwen3_4b_thinking", "gpt_oss_20b", "qwen3_30b_instruct")
    found = [entry("matched_decoding", (f"model={n}", V6, "scale=full")) for n in (*names, "qwen3_30b_thinking")]
    rows = []
    for e in found:
        machine, hours = e.cost.machine, e.cost.hours
        assert machine is not None
        assert hours is not None
        assert machine.training is not None
        assert e.cost.expected is not None
        rows.append(
            [
                e.plan.config.model.name,
                f"{e.cost.expected.generated / e.cost.samples:,.0f}",
                f"{hours.generate + hours.corpus:,.0f}",
                f"{hours.train:,.0f}",
                f"{e.cost.usd:,.0f}",
                str(machine.decoding.tensor_parallel),
                f"{machine.training.total_gib:.0f}" + ("" if machine.training.fits else " (too much)"),
            ]
        )
    header = ["model", "tokens an answer", "GPU-hours sampling", "training", "$", "GPUs a replica", "GiB in training"]
    return markdown_table(header, rows), found


def _night(entries: Sequence[Entry]) -> list[str]:
    rows, spent = [], 0.0
    for number, (e, new, more) in enumerate(by_information(entries), 1):
        spent += more
        rate = f"{len(new) / more:.2f}" if more else "-"
        within = "yes" if spent <= NIGHT_HOURS else "no"
        questions = ", ".join(sorted(new, key=lambda q: int(q[1:]))) or "none new"
        rows.append([str(number), e.name, questions, f"{more:,.1f}", rate, f"{spent:,.1f}", within])
    header = ["", "ablation", "questions it adds", "GPU-hours added", "questions an hour", "so far", "in the night"]
    return markdown_table(header, rows)


def _largest_night(first: Entry) -> int:
    """Samples a problem with which the first entry fills a night."""
    hours, samples = first.cost.hours, first.plan.tasks[0].ref.samples_per_problem
    assert hours is not None
    return int(samples * NIGHT_HOURS / hours.total)


def page() -> str:
    """The text the file must have."""
    table, catalogue = _catalogue()
    small = referee_list("qwen3_4b_instruct")
    large = referee_list("qwen3_30b_instruct", "plan.gpu=h200")
    night = referee_list("qwen3_4b_instruct", *NIGHT, *ONE_GPU)
    large_h100 = next(e for e in catalogue if e.plan.config.model.name == "qwen3_30b_instruct")
    training = large_h100.cost.machine.training if large_h100.cost.machine else None
    first = by_information(night)[0][0]
    assert training is not None
    assert first.cost.hours is not None
    left_out = "; ".join(f"`{name}` {why}" for name, why in NOT_LISTED.items())
    blocks: list[str | list[str]] = [
        HEADER + "# Past one machine",
        *INTRODUCTION,
        "## One ablation, model by model",
        "`harness plan ablation=matched_decoding model=MODEL task=livecodebench_v6 scale=full`, on the default GPU:",
        table,
        "Thinking models train for 300 steps instead of 2,500 and write three times as much: sampling is their cost.",
        "## The list for Qwen3-4B on eight GPUs",
        "Three training seeds, 32 samples a problem, every problem. An ablation costs what stands under *alone* "
        "if nothing "
        "was run before it. Run in this order it adds what stands under *added*, because samples, corpora and trained "
        "models are kept and shared.",
        _full_table(small),
        _total(small),
        f"Training takes {_memory(small[1])}. Sample with `engine.data_parallel_size=8`: a GPU holds a replica.",
        _commands(small),
        f"Not in the list: {left_out}.",
        "## The list for Qwen3-30B-A3B",
        f"On 80 GiB the paper's recipe takes {_memory(large_h100)}. What would do: sequences of at most "
        f"{training.longest:,} tokens (`train.max_length={training.longest}`), {training.fewest_devices} GPUs "
        "(one machine "
        "is supported here), adapters (`train=lora train.processes=8 train.sharding=fsdp`), or GPUs with more "
        "memory. The "
        f"table is for the last: with `plan.gpu=h200` it takes {_memory(large[1])}.",
        _full_table(large),
        _total(large),
        _commands(large),
        "## One GPU for one night",
        f"A night is {NIGHT_HOURS:g} hours of one GPU, with Qwen3-4B, the paper's ten samples a problem and one "
        "training "
        "seed. The order is by information for each GPU-hour: next comes what answers the most of the critics' "
        "numbered "
        "questions ([questions.md](questions.md)) that nothing before it asks, for each hour it adds to what is in the "
        "store. All designs score the same problems, so none sees smaller effects than another; what differs is what "
        "they ask.",
        _night(night),
        f"So: `released_checkpoints` first. It trains nothing, takes {first.cost.hours.total:.1f} GPU-hours and says "
        "whether there is a gain to explain at all; with "
        f"`scale.samples.default={_largest_night(first)}` it fills the night. If the released weights do not beat "
        "their "
        "base, the rest of the list can wait.",
        _commands([first]),
        "What trains needs more than a night. One GPU trains the whole 4B model only with shorter sequences "
        f"(`{' '.join(ONE_GPU)}`, with which the table reckons; an independent user found 99 % of the corpus "
        "below 8,000 "
        "tokens). And with one seed nothing tells the recipe from one lucky training: a gain found in a night is "
        "a reason "
        "to run three seeds, not a result.",
        *OUTRO,
    ]
    return "\n\n".join(map(_laid_out, blocks)) + "\n"


def _laid_out(block: str | list[str]) -> str:
    """Tables, commands and headings as they stand; prose in lines of a page's width."""
    if isinstance(block, list):
        return "\n".join(block)
    if block.startswith(("#", "<!--")):
        return block
    lead = "  " if block.startswith("- ") else ""
    return textwrap.fill(block, 120, subsequent_indent=lead, break_long_words=False, break_on_hyphens=False)


INTRODUCTION = (
    "What it takes to run the referee's list on the paper's models and benchmark, from `harness plan`, which needs no "
    "GPU, no network and no data to say so. **Every time here is an estimate**: nothing on this page was measured on a "
    "GPU. Times follow from the devices' data sheets at the shares of peak in `harness/pipeline/hardware.yaml` "
    "(60 % of "
    "bandwidth for decoding, 35 % of arithmetic for training a dense model, 10 % for a mixture of experts), and from "
    "assumed lengths of answers in `harness/models/catalogue.yaml`, since the paper reports none.",
    "If your answers are twice as long, sampling takes somewhat more than twice as long: say `plan.answer_tokens=N "
    "plan.corpus_tokens=N` after the first hundred samples. A throughput that you measured goes into "
    "`harness/pipeline/throughput.yaml` and replaces the estimate. The upper bound, with every answer at its limit of "
    "65,536 tokens, is about a hundred times as high; `harness plan` prints both.",
    "Before the first run: `pip install '.[run,vllm]'`; the training prompts (`python -m "
    "harness.train.pools.rstar_coder pool.jsonl`, then `scale.pool=pool.jsonl`); for Llama, its licence and `hf auth "
    "login`. GPU nodes without a sandbox stop at `until=generate`, and another machine grades with `from=grade`. "
    "Grading "
    "is not in the hours below: it takes CPU cores, no GPU.",
)

OUTRO = (
    "## What the numbers leave out",
    "- Loading weights and compiling (minutes for each model), and batches that empty towards their end because a few "
    "answers are long. Both weigh more on many GPUs than on one.",
    "- Failures and repeats. What is finished is kept, in batches of samples and in training checkpoints.",
    "- Expert parallelism. The paper trained with Megatron-LM; here it is TRL on `accelerate` with `fsdp`, which "
    "is slower "
    "for mixtures of experts. The 10 % of peak that stands for it is the least certain number on this page.",
    "- gpt-oss's weights are published in MXFP4. Training them means unpacking them first, which nobody has "
    "tried here.",
    "- Training beyond one machine: `train.processes` are processes of one machine.",
    "- Whether sharding works. Training in two processes with whole copies (`train.sharding=ddp`) is tested on a CPU: "
    "the same loss curve and weights as in one process, also after a kill. `fsdp` needs GPUs and has been run nowhere "
    "yet; each process reads all weights in float32, for which `harness plan` names the host memory.",
)


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
