"""``docs/ablations.md`` and ``docs/questions.md``, written from the ablations' files and the claims.

python -m harness.report.reference      writes both
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path

import ablations
from harness.ablation import Ablation
from harness.claims.catalogue import Claim, ContrastTest, Test, load
from harness.pipeline.plan import Plan, make_plan
from harness.report.tables import markdown_table, policy_text
from harness.spec import STRATA, Contrast, Mixture

ROOT = Path(__file__).parents[2]
HEADER = "<!-- Written by `python -m harness.report.reference`. Do not edit. -->\n"

KINDS = {
    "": "tested here",
    "scale": "tested here, with the paper's models and benchmark",
    "later": "a later ablation",
    "authors": "only the authors can answer",
}

INTRO = """\
What each asks, who asked it, and what it will have shown before anything is run. Decoding is that of the default
model's entry, `smollm2_135m`, unless two checkpoints are compared; another model brings its own. `harness plan
ablation=NAME` adds cost and the smallest detectable effect. How to add one:
[adding-an-ablation.md](adding-an-ablation.md)."""

AUTHORS = """\
## Only the authors can meet

These are requests of the same critics that no run of ours can answer (apple/ml-ssd issues 4, 5, 7 and 14; discussion of
the paper):

- release the generated training data and the training code (the repository holds generation only);
- state the number of samples a problem, the limit on tokens and the sampling flags behind each printed number;
- say whether the date filter of the benchmark really leaves 131 problems;
- say whether samples were drawn with the chat template.
"""


def ablations_page() -> str:
    """Question, source, arms, contrasts, rule and outcomes of every ablation, at the default model."""
    lines = [HEADER, "# The ablations", ""]
    lines += [INTRO, ""]
    for name in ablations.names():
        lines += _section(ablations.load(name))
    return "\n".join(lines).rstrip("\n") + "\n"


def questions_page(claims: Sequence[Claim]) -> str:
    """Every open question of the critics with the ablation that answers it, or what would."""
    asked = sorted((c for c in claims if c.question), key=lambda c: int(c.question[1:]))
    rows = [
        [c.question, c.statement, c.source, KINDS[c.where], "; ".join(map(_test, c.tests)) or c.needs] for c in asked
    ]
    counts = [f"{sum(c.where == kind for c in asked)} {text}" for kind, text in KINDS.items() if kind != "authors"]
    lines = [HEADER, "# The critics' questions", ""]
    lines += [f"{len(asked)} open questions, each put as the statement a critic would make: {'; '.join(counts)}. The"]
    lines += [
        "status of each, as far as the records go, is in [results/tables/claims.md](../results/tables/claims.md).",
        "",
    ]
    lines += markdown_table(["", "statement", "raised by", "answered by", "how"], rows)
    return "\n".join(lines) + "\n\n" + AUTHORS


def _section(ablation: Ablation) -> list[str]:
    plan = _plan(ablation.name)
    about = inspect.getdoc(importlib.import_module(f"ablations.{ablation.name}")) or ""
    lines = [f"## {ablation.name}", "", f"**{ablation.question}** Asked by: {ablation.asked_by}.", ""]
    lines += [about.partition("\n\n")[2].strip(), ""]
    arms = [[a.name, policy_text(_plain(a.policy)), a.note] for a in plan.arms]
    lines += [*markdown_table(["arm", "decoding", "what it is"], arms), ""]
    if plan.derived:
        rows = []
        for made in plan.derived:
            if isinstance(made, Mixture):
                rows.append([made.name, " + ".join(f"{w:.3g}·{a}" for a, w in made.weights), made.note])
            else:
                chosen = {
                    "test": "the problems it is scored on",
                    "crossfit": "the other folds",
                    "heldout": made.heldout,
                }
                rows.append([made.name, f"best of {len(made.candidates)}, chosen on {chosen[made.by]}", made.note])
        lines += [*markdown_table(["derived arm", "made of", "note"], rows), ""]
    if plan.contrasts:
        rows = [[f"{c.treatment} − {c.control}", _metric(c), _holds(c), c.family] for c in plan.contrasts]
        lines += [*markdown_table(["contrast", "metric", "holds if shown to be", "family"], rows), ""]
    lines += [f"**Rule.** {ablation.rule}", ""]
    lines += [*markdown_table(["outcome", "would mean"], [list(o) for o in ablation.outcomes.items()]), ""]
    return lines


def _plan(name: str) -> Plan:
    from harness.config import resolve

    overrides = [f"ablation={name}", "scale=smoke"]
    overrides += WITH.get(name, [])
    return make_plan(resolve(overrides), outline=True)


WITH = {
    "before_after": ["treatment=smollm2_135m"],
    "released_checkpoints": ["model=qwen3_4b_instruct"],
}
"""What the page shows an ablation of two checkpoints with."""


def _plain(policy: object) -> dict[str, object]:
    from harness.canonical import to_plain

    plain: dict[str, object] = to_plain(policy)
    return plain


def _metric(contrast: Contrast) -> str:
    return f"{contrast.metric}, {STRATA[contrast.strata]}" if contrast.strata else contrast.metric


def _holds(contrast: Contrast) -> str:
    margin = f"{contrast.margin:g}"
    kinds = {"superiority": "above 0", "equivalence": f"within ±{margin}", "noninferiority": f"above −{margin}"}
    return kinds[contrast.test]


def _test(test: Test) -> str:
    scope = [*test.models, *test.tasks]
    where = f" on {', '.join(scope)}" if scope else ""
    if isinstance(test, ContrastTest):
        return f"`{test.ablation}`: {test.contrast.name}{where}"
    reads = ", ".join(f"{a} → {b}" for a, b in test.reads.items())
    return f"`{test.ablation}`: its verdict ({reads}){where}"


def pages() -> dict[Path, str]:
    """Both files with the text they must have."""
    claims = load(ROOT / "results" / "claims.yaml")
    return {ROOT / "docs" / "ablations.md": ablations_page(), ROOT / "docs" / "questions.md": questions_page(claims)}


def main() -> None:
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
