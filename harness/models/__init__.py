"""From a model's published name to weights on this disk, with digests that say exactly which."""

from harness.models.resolve import ResolvedModel, resolve

__all__ = ["ResolvedModel", "resolve"]
