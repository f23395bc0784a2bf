"""What stands behind a printed number: its estimator, the rows it came from, their digests, and commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.measure.metrics import is_measured
from harness.report.numbers import size_text

if TYPE_CHECKING:
    from harness.ledger.record import Record
    from harness.report.analysis import ArmSummary, ContrastResult
    from harness.stats import Estimate

SHORT = 12
"""Characters of a digest that pages show; the record has the whole."""

DEFAULT_RESULTS = Path("results")


@dataclass(frozen=True, slots=True)
class Note:
    """A number and what stands behind it. ``facts`` are (term, text) pairs; ``commands`` can be pasted in a shell."""

    id: str
    text: str
    title: str
    facts: tuple[tuple[str, str], ...]
    commands: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Notebook:
    """Makes the notes of one record's numbers; ids are unique on a page that holds several records."""

    record: Record
    results: Path
    _numbers: count[int] = field(default_factory=count)

    def arm(self, text: str, what: str, arm: ArmSummary, task: str, estimate: Estimate | None = None) -> Note:
        """A number of an arm's row."""
        facts = [("From", f"{size_text(arm.samples, 'sample')} of {size_text(arm.problems, 'problem')}")]
        if arm.infra_errors:
            facts.append(("Left out", f"{arm.infra_errors} that could not be graded"))
        if estimate is not None:
            facts.append(("Interval", f"{100 * estimate.level:g} %, {estimate.method}"))
            facts += [("Note", note) for note in estimate.notes]
        facts.append(("Rows", f"counts.parquet where arm = {arm.arm} and task = {task}"))
        facts += self._cells(task, (arm.arm,))
        return self._note(text, f"{what} of {arm.arm} on {task}", facts, "arms")

    def contrast(self, text: str, what: str, c: ContrastResult, task: str) -> Note:
        """A number of a contrast's row."""
        k, r = c.contrast, c.result
        facts = [
            ("From", f"{size_text(r.n_problems, 'paired problem')}, {r.n_informative} of which differ"),
            ("Seeds", f"{r.n_seeds[0]} of {k.treatment}, {r.n_seeds[1]} of {k.control}"),
            ("Interval", f"{100 * r.level:g} %, {r.method}"),
            ("Test", f"{k.test}{f', margin {k.margin:g}' if k.test != 'superiority' else ''}; {k.family}"),
        ]
        facts += [("Note", note) for note in r.notes]
        rows = "measures.parquet" if is_measured(k.metric) else "counts.parquet"
        facts.append(("Rows", f"{rows} where arm = {k.treatment} or {k.control}, and task = {task}"))
        facts += self._cells(task, (k.treatment, k.control))
        return self._note(text, f"{what}: {k.treatment} − {k.control} ({k.metric}) on {task}", facts, "contrasts")

    def _cells(self, task: str, arms: Sequence[str]) -> list[tuple[str, str]]:
        cells = [c for c in self.record.head["cells"] if c["task"] == task and c["arm"] in arms]
        models = self.record.head["models"]
        out = []
        for cell in cells[:4]:
            where = cell["arm"] if len(arms) > 1 else "Samples"
            seed = f", seed {cell['seed']}" if len(cells) > len(arms) else ""
            weights = f", weights {models[cell['model']]['weights'][:SHORT]}" if cell.get("model") is not None else ""
            digests = f"samples {cell['samples']['digest'][:SHORT]}, verdicts {cell['verdicts']['digest'][:SHORT]}"
            out.append((where, f"{digests}{weights}{seed}"))
        if len(cells) > 4:
            out.append(("More", f"{len(cells) - 4} further cells, listed under Provenance"))
        return out

    def _note(self, text: str, title: str, facts: list[tuple[str, str]], table: str) -> Note:
        where = results_option(self.results)
        name = f"tables/{self.record.ablation}.{table}.csv"
        commands = [
            (f"derive it again, into {name}", f"harness tables{where}"),
            ("grade its samples again", f"harness audit {self.record.run_id[:SHORT]} --regrade 0.05{where}"),
        ]
        number = next(self._numbers)
        return Note(f"n{self.record.run_id[:6]}-{number}", text, title, tuple(facts), tuple(commands))


def results_option(results: Path) -> str:
    """`` --results DIR``, or nothing where it is the default."""
    return "" if results == DEFAULT_RESULTS else f" --results {shlex.quote(results.as_posix())}"


def run_command(head: Mapping[str, Any]) -> str:
    """The command that makes the run again.

    Values given beyond the groups' own (``key=value``) are found by composing the groups and comparing; where this
    version cannot compose them, the command names the groups alone and says so.
    """
    config = head["config"]
    tasks = ",".join(t["name"] for t in config["tasks"])
    model = config["model"]
    source = model["name"] if model["name"] != "custom" else model["source"]
    groups = [
        f"ablation={head['ablation']}",
        f"model={source}",
        f"task={tasks}" if "," not in tasks else f"task=[{tasks}]",
        f"engine={config['engine']['name']}",
        f"scale={config['scale']['name']}",
    ]
    values = [f"seed={config['seed']}"] if config["seed"] else []
    return " ".join(["harness run", *map(shlex.quote, [*groups, *values, *_other_values(head, groups + values)])])


def _other_values(head: Mapping[str, Any], given: Sequence[str]) -> list[str]:
    plain = _composed(tuple(given))
    if plain is None:
        return []
    config = head["config"]
    sections = {"settings": "ablation", "model": "model", "engine": "engine", "train": "train", "scale": "scale"}
    out = []
    for section, prefix in sections.items():
        out += _differing(prefix, config.get(section) or {}, plain.get(section) or {})
    for task, usual in zip(config["tasks"], plain["tasks"], strict=False):
        names = {"samples_per_problem": "samples", "limit": "limit", "max_new_tokens": "max_new_tokens"}
        out += [f"task.{task['name']}.{n}={task[f]}" for f, n in names.items() if task[f] != usual[f]]
        out += [f"task.{f}={task[f]}" for f in ("path", "profile") if task[f] != usual[f]]
        out += [f"task.{task['name']}.{k}={v}" for k, v in task["options"] if [k, v] not in usual["options"]]
    return out


def _differing(prefix: str, mine: Mapping[str, Any], usual: Mapping[str, Any]) -> list[str]:
    out = []
    for key, value in mine.items():
        name = f"{prefix}.{key}"
        if key == "kind" or key not in usual or value == usual[key] or name in _FOLLOWS:
            continue
        if isinstance(value, Mapping) and isinstance(usual[key], Mapping) and value.keys() == usual[key].keys():
            out += _differing(name, value, usual[key])
        else:
            out.append(f"{name}={_value(value)}")
    return out


_FOLLOWS = {"train.steps"}
"""Keys of the configuration that are no keys of the command line: they follow from others."""


@cache
def _composed(given: tuple[str, ...]) -> dict[str, Any] | None:
    from harness.canonical import to_plain
    from harness.config import resolve
    from harness.errors import HarnessError

    try:
        return dict(to_plain(resolve(given)))
    except HarnessError:
        return None


def _value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{k}:{_value(v)}' for k, v in value.items())}}}"
    return str(value).lower() if isinstance(value, bool) else str(value)
