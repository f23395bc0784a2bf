"""Errors that a user can act on, each tied to a documented exit code.

Anything else that escapes a command is a defect of ours and keeps its traceback.
"""

from __future__ import annotations


class HarnessError(Exception):
    """Base of the errors shown as one line. ``exit_code`` is what the process returns."""

    exit_code = 2


class BadInput(HarnessError):
    """What the user gave cannot be used: name the key, the value and the nearest valid one."""

    exit_code = 2


class CheckFailed(HarnessError):
    """A check found a difference (tables that do not regenerate, an audit that fails)."""

    exit_code = 1


class MissingCapability(HarnessError):
    """The machine lacks something: say what, and the command that mends it."""

    exit_code = 3
