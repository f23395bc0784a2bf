"""What steps work with: the store, one engine loaded at a time, one executor opened on first need.

Everything expensive is lazy, so that a run whose results are all in the store loads no model and starts no container.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from harness.config import RunConfig
from harness.ledger.store import Store

if TYPE_CHECKING:
    from harness.generate.engine import TransformersEngine
    from sandbox.api import Executor


class Workshop:
    """Use as a context manager: leaving it frees the engine and removes the executor's workers."""

    def __init__(self, config: RunConfig, runs: Path) -> None:
        self.config = config
        self.runs = runs
        self.store = Store(runs / "store")
        self.model_cache = runs / "models"
        self._engine: tuple[Path, TransformersEngine] | None = None
        self._executor: Executor | None = None

    def engine(self, weights: Path) -> TransformersEngine:
        """The engine with these weights, replacing whatever was loaded."""
        if self._engine is None or self._engine[0] != weights:
            self.free_engine()
            # Better to learn now than after an hour of sampling that nothing can grade the samples.
            self._open_sandbox()
            from harness.generate.engine import TransformersEngine

            settings = self.config.engine
            engine = TransformersEngine.load(
                weights,
                device=settings.device,
                dtype=settings.dtype,
                max_batch_rows=settings.max_batch_rows,
                threads=settings.threads or None,
            )
            self._engine = (weights, engine)
        return self._engine[1]

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


def chunks(count: int, size: int) -> Sequence[range]:
    """``range(count)`` in pieces of at most ``size``."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
