r"""Tables of records as LaTeX, for papers: two ``tabular`` a task, with booktabs rules and no float around them.

The preamble needs ``\usepackage{booktabs}``. Numbers are those of the Markdown tables, in percent and points.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.ledger.record import Record
from harness.report.analysis import KS, Analyse, ContrastResult, TaskAnalysis, analyse
from harness.stats import Estimate

HEADER = "% Written by `harness tables` from results/records. Do not edit. Needs \\usepackage{booktabs}.\n"

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "≈": r"$\approx$", "≥": r"$\geq$", "±": r"$\pm$", "−": r"$-$", "→": r"$\rightarrow$", "·": r"$\cdot$", "—": "---",
}  # fmt: skip


def render_latex(records: Sequence[Record], analysed: Analyse = analyse) -> str:
    """Every task of every record, each table under a comment that names its run."""
    lines = [HEADER]
    for record in records:
        config = record.head["config"]
        for t in analysed(record):
            where = f"run {record.run_id[:12]}, {config['model']['name']}, {config['scale']['name']}, {t.task}"
            lines += [f"% Arms: {where}", *_arms(t), ""]
            if t.contrasts:
                lines += [f"% Contrasts: {where}. Differences in points.", *_contrasts(t.contrasts), ""]
            lines += [f"% Verdict: {t.decision.status}", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def escape(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(_SPECIAL.get(c, c) for c in text)


def _arms(t: TaskAnalysis) -> list[str]:
    header = ["arm", *[f"pass@{k}" for k in KS], "no code", "cut", "tokens"]
    rows = [
        [
            escape(a.arm),
            *[_estimate(a.pass_at[k]) for k in KS],
            f"{100 * a.no_code_rate:.1f}",
            f"{100 * a.truncation_rate:.1f}",
            f"{a.mean_tokens:.0f}",
        ]
        for a in t.arms
    ]
    return _tabular("l" + "r" * (len(header) - 1), header, rows)


def _contrasts(contrasts: Sequence[ContrastResult]) -> list[str]:
    header = ["contrast", r"$\Delta$", r"95\,\% interval", "$p$", "MDE", "holds"]
    rows = []
    for c in contrasts:
        r = c.result
        name = escape(c.contrast.name) + ("" if c.contrast.family == "confirmatory" else r"\textsuperscript{\dag}")
        if r.identical:
            rows.append([name, "identical", "", "", "", "yes" if c.holds else "no"])
            continue
        p = "$<$0.0001" if c.p_value < 1e-4 else f"{c.p_value:.4f}"
        interval = f"[{_signed(r.interval[0])}, {_signed(r.interval[1])}]"
        effect = f"{100 * r.minimum_detectable_effect:.1f}"
        rows.append([name, _signed(r.difference), interval, p, effect, "yes" if c.holds else "no"])
    return _tabular("lrrrrl", header, rows)


def _tabular(columns: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    body = [" & ".join(r) + r" \\" for r in rows]
    top = " & ".join(header) + r" \\"
    return [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", top, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]


def _estimate(e: Estimate | None) -> str:
    if e is None:
        return "---"
    return f"{100 * e.estimate:.1f} [{100 * e.interval[0]:.1f}, {100 * e.interval[1]:.1f}]"


def _signed(value: float) -> str:
    text = f"{100 * value:+.1f}"
    return text.replace("-", "$-$").replace("+", "$+$")
