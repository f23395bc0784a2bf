"""What steps work with: the store, one engine loaded at a time, one executor opened on first need.

Everything expensive is lazy, so that a run whose results are all in the store loads no model and starts no container.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.generate.engines import needs_weights, open_engine, served
from harness.ledger.store import Step, StepRequest, Store, dump_lines, load_lines
from harness.models import ResolvedModel, resolve
from harness.models.resolve import as_dict
from harness.progress import track
from harness.settings import RunConfig
from harness.spec import BaseModel

if TYPE_CHECKING:
    from harness.generate.api import Engine
    from sandbox.api import Executor


MAKING = ("corpus", "train", "interpolate", "scale")
PHASE_OF = {**dict.fromkeys(MAKING, "train"), "samples": "generate", "verdicts": "grade"}
"""The phase (:data:`harness.settings.PHASES`) in which a step is carried out; others belong to ``generate``."""

MODEL_VERSION = 1

Row = dict[str, Any]


class NotInStore(BadInput):
    """A step is missing that this process may not carry out. ``phase`` and ``step`` say which."""

    def __init__(self, phase: str, step: str) -> None:
        super().__init__(f"{step} is not in the store, and making it belongs to another phase ({phase})")
        self.phase = phase
        self.step = step

    def __reduce__(self) -> tuple[type[NotInStore], tuple[str, str]]:
        return NotInStore, (self.phase, self.step)


class Workshop:
    """Use as a context manager: leaving it frees the engine and removes the executor's workers.

    ``phases`` limits what may be carried out here; by default the configuration says. Without any, everything must be
    in the store already.
    """

    def __init__(self, config: RunConfig, runs: Path, phases: Sequence[str] | None = None) -> None:
        self.config = config
        self.phases = tuple(config.phases if phases is None else phases)
        self.runs = runs
        self.store = Store(runs / "store")
        self.model_cache = runs / "models"
        self._engine: tuple[Path, Engine] | None = None
        self._executor: Executor | None = None

    @contextmanager
    def making(self, step: Step) -> Iterator[bool]:
        """Whether the step is still to be made, with its lock held while it is.

        Raises:
            NotInStore: if it is, and belongs to a phase that is carried out elsewhere.
        """
        if step.done:
            yield False
            return
        self.may_make(step)
        with step.lock():
            yield not step.done

    def may_make(self, step: Step) -> None:
        """Called by a step that is not finished, before it begins.

        Raises:
            NotInStore: if it belongs to a phase that is carried out elsewhere.
        """
        phase = PHASE_OF.get(step.request.name, "generate")
        if phase not in self.phases:
            raise NotInStore(phase, step.name)

    def base(self, model: BaseModel) -> ResolvedModel:
        """A published model: found here, or, where nothing is sampled, known by the digests that the store has of it.

        A machine that only grades, or only writes the record, needs no weights.

        Raises:
            NotInStore: where nothing may be carried out, and the store does not know the model.
        """
        if not needs_weights(self.config.engine):
            return served(self.config.engine, model)
        step = self.store.step(StepRequest("model", MODEL_VERSION, model, {}))
        if step.done and not {"train", "generate"} & set(self.phases):
            return ResolvedModel(path=step.path / "weights", **step.facts())
        if not self.phases:
            raise NotInStore("generate", step.name)
        found = resolve(model, self.model_cache)
        facts = as_dict(found)
        # A folder's weights may have been replaced since.
        if not step.done or step.facts() != facts:
            step.finish({}, facts)
        return found

    def engine(self, weights: Path) -> Engine:
        """The engine with these weights, replacing whatever was loaded."""
        if self._engine is None or self._engine[0] != weights:
            self.free_engine()
            if needs_weights(self.config.engine) and not weights.is_dir():
                raise BadInput(f"{weights}: only the digests of these weights are here; fetch them with --weights")
            if "grade" in self.phases:
                # Better to learn now than after an hour of sampling that nothing can grade the samples.
                self._open_sandbox()
            self._engine = (weights, open_engine(self.config.engine, weights))
        return self._engine[1]

    def use_threads(self) -> None:
        """Give torch the configured number of threads, which an engine would do: results on a CPU depend on it."""
        if self.config.engine.threads:
            import torch

            torch.set_num_threads(self.config.engine.threads)

    def free_engine(self) -> None:
        """Give the engine's memory back (before training, which loads its own copy)."""
        if self._engine is not None:
            self._engine[1].close()
            self._engine = None

    def executor(self) -> Executor:
        """The sandbox, opened on first use.

        Raises:
            MissingCapability: if this machine has none; nothing is ever run outside a sandbox.
        """
        if self._executor is None:
            self._executor = self._open_sandbox()
            self._executor.__enter__()
        return self._executor

    def _open_sandbox(self) -> Executor:
        from harness.grade import open_sandbox

        settings = self.config.sandbox
        return open_sandbox(settings.kind, settings.workers or None, **settings.options())

    def close(self) -> None:
        self.free_engine()
        if self._executor is not None:
            self._executor.__exit__(None, None, None)
            self._executor = None

    def __enter__(self) -> Workshop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def in_parts(
    step: Step,
    batches: Sequence[Sequence[int]],
    make: Callable[[Sequence[int]], list[Row]],
    unit: str,
    per_item: int = 1,
) -> list[Row]:
    """Make a step's rows batch by batch, each stored when it is finished; those stored already are read.

    Args:
        step: the step, its lock held.
        batches: items of each part, a function of the step's inputs alone.
        make: the rows of some items.
        unit: what is counted in the progress line, ``per_item`` of them an item.

    Returns:
        The rows of every batch, in the order of the batches.
    """
    stored = [step.part(i) for i in range(len(batches))]
    total = per_item * sum(map(len, batches))
    ready = per_item * sum(len(b) for b, data in zip(batches, stored, strict=True) if data is not None)
    rows: list[Row] = []
    with track(f"{step.request.name} {step.key[:8]}", total, unit, ready) as advance:
        for index, (batch, data) in enumerate(zip(batches, stored, strict=True)):
            found = data
            if found is None:
                found = dump_lines(make(batch))
                step.write_part(index, found)
                advance(per_item * len(batch))
            rows += load_lines(found)
    return rows


def chunks(count: int, size: int) -> Sequence[range]:
    """``range(count)`` in pieces of at most ``size``."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
