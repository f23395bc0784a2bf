"""Overlap of wording between training prompts and evaluation problems.

Two texts overlap when they share a run of 13 words. This is the convention of Brown et al. 2020 (arXiv:2005.14165,
appendix C), which EleutherAI's lm-evaluation-harness took over for its decontamination: words of the lower-cased text
without punctuation, N = 13 unless the text is shorter. A text of fewer than N words is compared whole: it overlaps with
a text that contains all of it in a row. Two differences, both of which report more: the paper cuts a span around the
collision out of the training text while here the pair is reported, and the paper ignores runs that occur in more than
ten training documents while here every run counts.

What this does not find: the same problem in other words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NGRAM = 13
"""Words in a run that two unrelated texts are not expected to share (Brown et al. 2020 use 8 to 13)."""

MINIMUM_WORDS = 4
"""Shorter texts are not compared: a text of three words lies inside unrelated ones by chance."""

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Overlap:
    """A training text and an evaluation text that share a run of words. ``shared`` is the first one found."""

    training: str
    evaluation: str
    shared: str


@dataclass(frozen=True, slots=True)
class OverlapReport:
    """All overlapping pairs, in the order of the training texts, and how many texts were compared."""

    pairs: tuple[Overlap, ...]
    training_checked: int
    evaluation_checked: int
    ngram: int

    @property
    def training_overlapping(self) -> tuple[str, ...]:
        """Keys of the training texts that overlap with some evaluation text, each once."""
        return tuple(dict.fromkeys(p.training for p in self.pairs))

    @property
    def evaluation_overlapping(self) -> tuple[str, ...]:
        """Keys of the evaluation texts that overlap with some training text, each once."""
        return tuple(dict.fromkeys(p.evaluation for p in self.pairs))

    def summary(self) -> dict[str, Any]:
        """For a record: counts (of texts, not pairs) and the pairs themselves."""
        return {
            "ngram": self.ngram,
            "checked": self.training_checked,
            "against": self.evaluation_checked,
            "overlapping": len(self.training_overlapping),
            "evaluation_overlapping": len(self.evaluation_overlapping),
            "pairs": [[p.training, p.evaluation, p.shared] for p in self.pairs],
        }


def words(text: str) -> tuple[str, ...]:
    """Lower-cased words: runs of letters and digits. Punctuation, white space and underscores separate them."""
    return tuple(_WORD.findall(text.lower()))


def overlap_report(training: Mapping[str, str], evaluation: Mapping[str, str], ngram: int = NGRAM) -> OverlapReport:
    """Compare every training text with every evaluation text (both: key → text).

    Time and memory grow with the number of words, not with the number of pairs.

    Raises:
        ValueError: if ``ngram`` is below :data:`MINIMUM_WORDS`.
    """
    if ngram < MINIMUM_WORDS:
        raise ValueError(f"ngram={ngram}: at least {MINIMUM_WORDS} words are needed")
    left = {key: words(text) for key, text in training.items()}
    right = {key: words(text) for key, text in evaluation.items()}
    # A short text of either side must be found inside the other, so the runs of every length in use are indexed.
    sizes = {min(ngram, len(w)) for w in (*left.values(), *right.values()) if len(w) >= MINIMUM_WORDS}
    found: dict[tuple[str, str], str] = {}
    for size in sorted(sizes, reverse=True):
        index: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for key, text in right.items():
            for run in dict.fromkeys(_runs(text, size)):
                index[run].append(key)
        for key, text in left.items():
            for run in _runs(text, size):
                for other in index.get(run, ()):
                    # Below the full length a run counts only where it is the whole of one of the two texts.
                    if size == ngram or size in (len(text), len(right[other])):
                        found.setdefault((key, other), " ".join(run))
    place = {key: i for i, key in enumerate(left)}, {key: i for i, key in enumerate(right)}
    ordered = sorted(found.items(), key=lambda item: (place[0][item[0][0]], place[1][item[0][1]]))
    return OverlapReport(tuple(Overlap(t, e, shared) for (t, e), shared in ordered), len(left), len(right), ngram)


def _runs(text: tuple[str, ...], size: int) -> Iterator[tuple[str, ...]]:
    return (text[i : i + size] for i in range(len(text) - size + 1))
