"""What a run would cost, from its design, measured throughputs and, where there are none, rooflines.

Two numbers of tokens are given: an upper bound, with every sample at its limit, and what is expected, with answers as
long as the catalogue assumes. Real runs lie below the first because models stop by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from harness.models import catalogue
from harness.models.architecture import Architecture
from harness.pipeline import hardware
from harness.pipeline.memory import TrainingMemory, checkpoint_bytes, training_memory
from harness.pipeline.plan import Plan, sampled
from harness.spec import CorpusRecipe, DistilledModel, Model, ScaledModel

TRAIN_OVERHEAD_TOKENS = 120
"""Prompt tokens a training example adds to its response, on the pool's average (forward and backward pass)."""

DEFAULT_GPU = "h100"

STORED_BYTES_PER_TOKEN = 12
"""Bytes that a stored sample takes a token: its id in decimal and its text."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one kind of reckoning. ``measured`` are passed through models by force, for measurements."""

    generated: int
    corpus: int
    training: int
    measured: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of one device, by what it does."""

    generate: float
    corpus: float
    train: float
    measure: float

    @property
    def total(self) -> float:
        return self.generate + self.corpus + self.train + self.measure


@dataclass(frozen=True, slots=True)
class Machine:
    """GPUs the plan reckons with, what fits on them and how the run is best laid out. Costs are in US dollars."""

    gpu: str
    gpus: int
    usd_per_gpu_hour: float
    decoding: hardware.Decoding
    training: TrainingMemory | None
    overrides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """Token counts and, where a throughput is known, times; ``basis`` says where it is from.

    The counts and ``seconds`` of the first block are upper bounds. ``measured`` tells a measured throughput from an
    estimate. Where GPUs were reckoned with there is a ``machine``, and ``hours`` and ``hours_at_most`` are GPU-hours.
    ``storage_bytes`` are samples and trained weights, ``scratch_bytes`` the checkpoints of a training run under way.
    """

    samples: int
    generated_tokens: int
    corpus_tokens: int
    training_tokens: int
    seconds: float | None
    basis: str
    measured: bool = False
    expected: Tokens | None = None
    hours: Hours | None = None
    hours_at_most: Hours | None = None
    machine: Machine | None = None
    storage_bytes: int | None = None
    scratch_bytes: int | None = None

    @property
    def wall_hours(self) -> float | None:
        """Expected hours until the run is done, with every GPU busy."""
        return None if self.hours is None or self.machine is None else self.hours.total / self.machine.gpus

    @property
    def usd(self) -> float | None:
        """Expected price of the GPU-hours."""
        if self.hours is None or self.machine is None:
            return None
        return self.hours.total * self.machine.usd_per_gpu_hour


def estimate(plan: Plan) -> Cost:
    """The cost of a plan whose store is empty. What several arms or models share is counted once."""
    bound = count(plan, None)
    shape = catalogue.architecture(plan.config.model.name, plan.config.model.source)
    expected = count(plan, expected_lengths(plan))
    cost = Cost(
        samples=count_samples(plan),
        generated_tokens=bound.generated,
        corpus_tokens=bound.corpus,
        training_tokens=bound.training,
        seconds=None,
        basis="no measured throughput for this model and engine; add a line to harness/pipeline/throughput.yaml",
        expected=expected,
    )
    if shape is not None:
        cost = _with_storage(cost, plan, shape)
    entry = _throughput(plan)
    if entry is not None:
        generate, train = entry["generate_tokens_per_second"], entry["train_tokens_per_second"]
        at_most, usual = (
            Hours(t.generated / generate / 3600, t.corpus / generate / 3600, t.training / train / 3600, 0.0)
            for t in (bound, expected)
        )
        seconds = 3600 * at_most.total
        return replace(cost, seconds=seconds, measured=True, basis=entry["basis"], hours=usual, hours_at_most=at_most)
    return cost if shape is None else _on_gpus(cost, plan, shape, bound, expected)


def count_samples(plan: Plan) -> int:
    """Samples of problems, each distinct one once."""
    return sum(_cell_sizes(plan)[task] for _, _, task, _ in _drawn(plan))


def count(plan: Plan, lengths: catalogue.Lengths | None) -> Tokens:
    """Tokens of a plan, with answers of these lengths or, without any, all at their limits."""
    sizes = _cell_sizes(plan)
    limits = {t.ref.name: t.ref.max_new_tokens for t in plan.tasks}
    usual = {name: min(limit, lengths.answer) if lengths else limit for name, limit in limits.items()}
    generated = sum(sizes[task] * usual[task] for _, _, task, _ in _drawn(plan))
    made = sampled(plan.models)
    corpus = sum(corpus_tokens(recipe, lengths) for recipe, *_ in {corpus_key(m) for m in made})
    training = sum(trained_tokens(m, lengths) for m in made)
    return Tokens(generated, corpus, training, _measured_tokens(plan, usual))


def expected_lengths(plan: Plan) -> catalogue.Lengths | None:
    """The plan's own settings, else the catalogue's, else nothing."""
    given, known = plan.config.planning, catalogue.lengths(plan.config.model.name)
    answer = given.answer_tokens or (known.answer if known else 0)
    corpus = given.corpus_tokens or (known.corpus if known else 0)
    return catalogue.Lengths(answer or 2**31, corpus or 2**31) if answer or corpus else None


def _cell_sizes(plan: Plan) -> dict[str, int]:
    return {t.ref.name: len(t.problems) * t.ref.samples_per_problem for t in plan.tasks}


def _drawn(plan: Plan) -> list[tuple[Any, Any, str, int]]:
    return list(dict.fromkeys((c.model, c.policy, c.task, c.seed) for c in plan.cells))


def corpus_key(model: DistilledModel | ScaledModel) -> tuple[CorpusRecipe, Model, int, int]:
    """What is sampled for a model: models that differ in filters and transforms alone share it."""
    return replace(model.corpus, filters=(), transforms=()), model.parent, model.seed, model.round


def corpus_tokens(recipe: CorpusRecipe, lengths: catalogue.Lengths | None) -> int:
    """Tokens of a corpus."""
    return _count(recipe) * _length(recipe, lengths)


def _count(recipe: CorpusRecipe) -> int:
    return recipe.n_prompts * recipe.samples_per_prompt


def _length(recipe: CorpusRecipe, lengths: catalogue.Lengths | None) -> int:
    return min(recipe.max_new_tokens, lengths.corpus) if lengths else recipe.max_new_tokens


def trained_tokens(model: DistilledModel | ScaledModel, lengths: catalogue.Lengths | None) -> int:
    """Tokens of forward and backward passes. Fitting a factor is one forward pass, a third of that."""
    length = _length(model.corpus, lengths) + TRAIN_OVERHEAD_TOKENS
    if isinstance(model, ScaledModel):
        return _count(model.corpus) * length // 3
    return model.training.steps * model.training.batch_size * min(model.training.max_length, length)


def _measured_tokens(plan: Plan, usual: dict[str, int]) -> int:
    """Tokens that measured arms read: each arm those of all contexts, for every seed."""
    asked = getattr(plan, "measurement", None)
    if asked is None:
        return 0
    sizes = _cell_sizes(plan)
    seeds = len({c.seed for c in plan.cells})
    of_arm = sum(sizes[name] * usual[name] for name in sizes)
    contexts = sum(1 for c in asked.contexts if c != "reference")
    return len(asked.arms) * contexts * of_arm * seeds


@dataclass(frozen=True, slots=True)
class Rates:
    """Tokens a second of one GPU, for everything a run does with it."""

    answers: hardware.Decoding
    corpora: hardware.Decoding
    training: float
    reading: float

    def hours(self, tokens: Tokens) -> Hours:
        """GPU-hours of so many tokens."""
        return Hours(
            tokens.generated / self.answers.tokens_per_second_per_device / 3600,
            tokens.corpus / self.corpora.tokens_per_second_per_device / 3600,
            tokens.training / self.training / 3600,
            tokens.measured / self.reading / 3600,
        )


def gpu_rates(plan: Plan, shape: Architecture, lengths: catalogue.Lengths | None) -> Rates | None:
    """Rates by rooflines, with answers of these lengths or, without any, all at their limits.

    ``None`` for an engine or a size of model that is not reckoned with.
    """
    config = plan.config
    on = hardware.device(config.planning.gpu or DEFAULT_GPU)
    made = sampled(plan.models)
    recipes = [m.training for m in made if isinstance(m, DistilledModel)]
    limit = max(t.ref.max_new_tokens for t in plan.tasks)
    corpus_limit = max((m.corpus.max_new_tokens for m in made), default=limit)

    def decode(usual: int, most: int) -> hardware.Decoding | None:
        return hardware.decoding(
            shape,
            on,
            config.engine.name,
            expected=min(usual, most),
            limit=most,
            memory_share=config.engine.gpu_memory_utilization,
            tensor_parallel=config.engine.tensor_parallel_size if config.engine.tensor_parallel_size > 1 else 0,
        )

    answers = decode(lengths.answer if lengths else limit, limit)
    corpora = decode(lengths.corpus if lengths else corpus_limit, corpus_limit)
    if answers is None or corpora is None:
        return None
    usual = min(lengths.corpus if lengths else corpus_limit, corpus_limit)
    length = min(usual + TRAIN_OVERHEAD_TOKENS, max((r.max_length for r in recipes), default=usual))
    method = recipes[0].method if recipes else "full"
    return Rates(
        answers,
        corpora,
        hardware.training_tokens_per_second(shape, on, length=length, method=method),
        hardware.reading_tokens_per_second(shape, on, length=length),
    )


def _on_gpus(cost: Cost, plan: Plan, shape: Architecture, bound: Tokens, expected: Tokens) -> Cost:
    """Times and memory by rooflines."""
    given = plan.config.planning
    on = hardware.device(given.gpu or DEFAULT_GPU)
    usual, most = gpu_rates(plan, shape, expected_lengths(plan)), gpu_rates(plan, shape, None)
    if usual is None or most is None:
        why = f"engine={plan.config.engine.name} with this model on up to eight {on.name} is not reckoned with"
        return replace(cost, basis=why)
    recipes = [m.training for m in sampled(plan.models) if isinstance(m, DistilledModel)]
    memory = training_memory(shape, recipes[0], on) if recipes else None
    layout = _layout(usual.answers, given.gpus)
    machine = Machine(on.name, given.gpus, given.usd_per_gpu_hour, usual.answers, memory, layout)
    at_most = most.hours(bound)
    return replace(
        cost,
        seconds=3600 * at_most.total / given.gpus,
        hours=usual.hours(expected),
        hours_at_most=at_most,
        machine=machine,
        basis="estimate, not measured: the device's roofline at the shares of peak in harness/pipeline/hardware.yaml",
    )


def _layout(replica: hardware.Decoding, gpus: int) -> tuple[str, ...]:
    """Overrides that use all GPUs for generation."""
    wanted = {
        "tensor_parallel_size": replica.tensor_parallel,
        "data_parallel_size": max(1, gpus // replica.tensor_parallel),
    }
    return tuple(f"engine.{key}={value}" for key, value in wanted.items() if value > 1)


def _with_storage(cost: Cost, plan: Plan, shape: Architecture) -> Cost:
    assert cost.expected is not None
    made = sampled(plan.models)
    trained = [m.training for m in made if isinstance(m, DistilledModel)]
    samples = STORED_BYTES_PER_TOKEN * (cost.expected.generated + cost.expected.corpus)
    weights = len(made) * shape.weight_bytes
    # Two checkpoints are kept while training, and one model is trained at a time.
    scratch = max((2 * checkpoint_bytes(shape, recipe) for recipe in trained), default=0)
    return replace(cost, storage_bytes=samples + weights, scratch_bytes=scratch)


def _throughput(plan: Plan) -> dict[str, Any] | None:
    """What was measured of this model with this engine, on the device asked for."""
    import yaml

    table = yaml.safe_load((resources.files("harness.pipeline") / "throughput.yaml").read_text(encoding="utf-8"))
    config = plan.config
    for entry in table:
        same = entry["model"] == config.model.name and entry["engine"] == config.engine.name
        if same and config.planning.gpu in ("", entry["device"]):
            return dict(entry)
    return None
