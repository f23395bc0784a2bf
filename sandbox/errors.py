"""Errors of the sandbox. It imports nothing from its users, so they map these to their own."""

from __future__ import annotations


class SandboxError(Exception):
    """Base of what the sandbox raises on purpose; the text is one line for a person."""


class SandboxUnavailable(SandboxError):
    """No executor can be started on this machine: the text says why and which command mends it."""


class WorkerLost(SandboxError):
    """A worker died or stopped answering. Internal: its jobs are tried again on another one."""
