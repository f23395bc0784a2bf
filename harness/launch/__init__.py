"""Who carries a run's steps out: this process, Ray tasks or SLURM jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.settings import RayConfig, RunConfig, SlurmConfig

if TYPE_CHECKING:
    from harness.pipeline.run import Launcher


def open_launcher(config: RunConfig) -> Launcher | None:
    """The launcher that was chosen; ``None`` is this process.

    Raises:
        MissingCapability: if its package is not installed; the message names the extra.
    """
    if isinstance(config.launch, RayConfig):
        from harness.launch.on_ray import RayLauncher

        return RayLauncher(config.launch)
    if isinstance(config.launch, SlurmConfig):
        from harness.launch.on_slurm import SlurmLauncher

        return SlurmLauncher(config.launch)
    return None
