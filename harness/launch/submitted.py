"""What a launcher that does not wait tells its user."""

from __future__ import annotations


class Submitted(Exception):
    """Raised instead of returning: the steps are in the hands of a queue, and the same command finds them later.

    ``folder`` has the logs; ``jobs`` maps what is waited for to its state.
    """

    def __init__(self, folder: str, jobs: dict[str, str], new: bool) -> None:
        super().__init__(f"{len(jobs)} job(s) {'submitted' if new else 'still in the queue'}; logs in {folder}")
        self.folder = folder
        self.jobs = jobs
        self.new = new
