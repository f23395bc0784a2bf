"""What an audit reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["holds", "fault", "note", "unchecked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One result. ``fault`` makes the audit fail, ``note`` is worth knowing, ``where`` names the file."""

    level: Level
    check: str
    where: str
    text: str


@dataclass(slots=True)
class Findings:
    """Findings in the order they were made."""

    entries: list[Finding] = field(default_factory=list)

    def add(self, level: Level, check: str, where: object, text: str) -> None:
        self.entries.append(Finding(level, check, str(where), text))

    def verify(self, good: bool, check: str, where: object, holds: str, fault: str) -> bool:
        """Add ``holds`` or ``fault``, and say which."""
        self.add("holds" if good else "fault", check, where, holds if good else fault)
        return good

    def of(self, level: Level) -> list[Finding]:
        return [f for f in self.entries if f.level == level]
