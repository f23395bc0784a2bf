"use strict";
// The problem explorer. Everything a model or a task wrote enters the page through textContent, never as markup.
window.referee = (() => {
  const form = document.getElementById("filters");
  const list = document.getElementById("problems");
  const detail = document.getElementById("problem");
  const count = document.getElementById("count");
  const fields = ["a", "b", "task", "flip", "stratum", "outcome", "text"];
  const loaded = new Map();
  let data = null;
  let current = "";
  let wanted = null;

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const plural = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
  const words = (outcome) => outcome.replaceAll("_", " ");

  // ---- state: the filters and the problem shown, kept in the address so that a view can be linked
  const state = () => Object.fromEntries(fields.map((f) => [f, form.elements[f].value]));
  const address = (problem) => {
    const chosen = Object.entries(state()).filter(([, value]) => value !== "");
    return `#${new URLSearchParams([...chosen, ...(problem ? [["problem", problem]] : [])])}`;
  };
  const fill = (name, options, keep) => {
    const select = form.elements[name];
    select.replaceChildren(...options.map(([value, text]) => make("option", { value, textContent: text })));
    select.value = options.some(([value]) => value === keep) ? keep : options[0][0];
  };

  const task = () => data.tasks.find((t) => t.name === form.elements.task.value);
  const arm = (name) => data.arms.findIndex((a) => a.name === name);
  const rate = ([graded, passed]) => (graded ? passed / graded : NaN);
  const changes = {
    gained: (a, b) => a[0] > 0 && a[1] === 0 && b[1] > 0,
    lost: (a, b) => a[1] > 0 && b[0] > 0 && b[1] === 0,
    up: (a, b) => rate(b) > rate(a),
    down: (a, b) => rate(b) < rate(a),
    same: (a, b) => rate(b) === rate(a),
  };

  const taskOptions = () => {
    const problems = task().problems;
    const strata = [...new Set(problems.map((p) => p.stratum))].filter(Boolean).sort();
    fill("stratum", [["", "any"], ...strata.map((s) => [s, s])], form.elements.stratum.value);
    const outcomes = [...new Set(problems.flatMap((p) => p.cells.flatMap((c) => Object.keys(c[2]))))].sort();
    fill("outcome", [["", "any"], ...outcomes.map((o) => [o, words(o)])], form.elements.outcome.value);
  };

  const matching = () => {
    const { a, b, flip, stratum, outcome, text } = state();
    const [i, j] = [arm(a), arm(b)];
    return task().problems.filter((p) => {
      const [before, after] = [p.cells[i], p.cells[j]];
      return (!flip || changes[flip](before, after))
        && (!stratum || p.stratum === stratum)
        && (!outcome || before[2][outcome] || after[2][outcome])
        && (!text || p.id.toLowerCase().includes(text.toLowerCase()));
    });
  };

  const showList = () => {
    const { a, b } = state();
    const [i, j] = [arm(a), arm(b)];
    const found = matching();
    count.textContent = `${found.length} of ${plural(task().problems.length, "problem")}; passed of graded samples, A → B`;
    list.replaceChildren(...found.map((p) => {
      const [before, after] = [p.cells[i], p.cells[j]];
      const tone = rate(after) > rate(before) ? "up" : rate(after) < rate(before) ? "down" : "level";
      const link = make("a", { href: address(p.id) },
        make("span", { className: "name", textContent: p.id }),
        make("span", { className: "stratum", textContent: p.stratum }),
        make("span", { className: `change ${tone}`, textContent: `${before[1]}/${before[0]} → ${after[1]}/${after[0]}` }));
      if (p.id === current) link.setAttribute("aria-current", "true");
      return link;
    }));
  };

  const code = (runs, kinds) => {
    const block = make("code");
    for (let i = 0; i < runs.length; i += 2) {
      const [kind, text] = [runs[i], runs[i + 1]];
      block.append(kind ? make("span", { className: `code-${kind}`, title: kind === "x" ? kinds.x : "", textContent: text }) : text);
    }
    const pre = make("pre", { tabIndex: 0 }, block);
    pre.setAttribute("role", "region");
    return pre;
  };

  const range = (numbers, digits) => {
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)].map((n) => n.toFixed(digits));
    return low === high ? low : `${low} to ${high}`;
  };
  // A test script ends at its first failure, so that a failed sample may know no total.
  const tests = ({ passed, tests: [ran, total] }) => (passed || ran < total ? `tests ${ran}/${total}` : ran ? `${plural(ran, "check")} passed before` : "no check passed");
  const which = (samples) => {
    const seeds = Map.groupBy(samples, (s) => s.seed);
    return [...seeds].map(([seed, mine]) => `seed ${seed}, sample${mine.length > 1 ? "s" : ""} ${mine.map((s) => s.index).join(", ")}`).join("; ");
  };
  // Equal texts with equal verdicts stand together.
  const groups = (samples) => [...Map.groupBy(samples, (s, i) => (s.text === null ? `#${i}` : `${s.text} ${s.outcome} ${s.detail}`)).values()];

  const sampleCard = (same, doc) => {
    const sample = same[0];
    const facts = [
      which(same),
      `CPU ${range(same.map((s) => s.cpu), 3)} s`,
      tests(sample),
      plural(sample.tokens, "token") + (sample.finish === "length" ? ", cut at the limit" : ""),
    ];
    const verdict = make("span", { className: `status ${sample.passed ? "good" : sample.outcome === "infra_error" ? "idle" : "bad"}`, textContent: words(sample.outcome) });
    const head = make("p", { className: "facts" }, verdict, ...facts.map((f) => make("span", { textContent: f })));
    const body = sample.text === null
      ? make("p", { className: "aside", textContent: "The samples of this run are not beside its record." })
      : code(doc.texts[sample.text], doc.kinds);
    if (body.tagName === "PRE") body.setAttribute("aria-label", `Sample of ${sample.arm}, ${which(same)}`);
    const grade = `harness audit ${form.dataset.run} --regrade 1${form.dataset.option}`;
    const origin = make("details", {}, make("summary", { textContent: "Provenance" }),
      make("p", { textContent: `Sample digest ${sample.digest}…; its row is in verdicts.parquet, its text in samples.jsonl.zst. To grade every sample of the run again:` }),
      make("p", { className: "do" }, make("code", { textContent: grade })));
    const card = make("article", { className: "sample" }, head);
    if (sample.detail) card.append(make("p", { className: "detail", textContent: sample.detail }));
    card.append(body, origin);
    return card;
  };

  const column = (letter, name, doc) => {
    const about = data.arms[arm(name)];
    const mine = doc.samples.filter((s) => s.arm === name);
    const passed = mine.filter((s) => s.passed).length;
    const head = make("h3", {}, `${letter}: ${name} `, make("span", { className: "id", textContent: `${about.decoding}; ${passed} of ${mine.length} passed` }));
    return make("div", { className: "column" }, head, ...groups(mine).map((same) => sampleCard(same, doc)));
  };

  const showProblem = (doc, focus) => {
    const { a, b } = state();
    const entry = task().problems.find((p) => p.id === doc.id);
    const title = make("h2", { textContent: doc.id });
    if (entry.stratum) title.append(" ", make("span", { className: "id", textContent: entry.stratum }));
    const found = matching();
    const at = found.findIndex((p) => p.id === doc.id);
    const step = (text, p) => (p ? make("a", { href: address(p.id), textContent: text }) : "");
    const steps = make("p", { className: "steps" }, step("Previous", found[at - 1]), " ", step("Next", at < 0 ? found[0] : found[at + 1]));
    const prompt = doc.prompt ? code(doc.prompt, doc.kinds)
      : make("p", { className: "aside", textContent: `The prompt is not shown: ${doc.missing || "the task on this machine has no such problem"}.` });
    if (doc.prompt) prompt.setAttribute("aria-label", "Prompt");
    const names = a === b ? [["A", a]] : [["A", a], ["B", b]];
    detail.replaceChildren(title, steps, make("h3", { textContent: "Prompt" }), prompt,
      make("div", { className: "columns" }, ...names.map(([letter, name]) => column(letter, name, doc))));
    if (focus) detail.focus({ preventScroll: innerWidth > 800 });
  };

  const open = (id, focus) => {
    current = id;
    const entry = task().problems.find((p) => p.id === id);
    if (!entry) {
      detail.replaceChildren(make("p", { className: "aside", textContent: id ? `No problem ${id} in this task.` : "Choose a problem." }));
      return;
    }
    wanted = { key: `${task().name}/${id}`, focus };
    if (loaded.has(wanted.key)) { showProblem(loaded.get(wanted.key), focus); return; }
    const script = make("script", { src: `data/${form.dataset.run}/${entry.file}` });
    script.onerror = () => detail.replaceChildren(make("p", { className: "caveat", textContent: `${entry.file} is missing from this copy of the report.` }));
    script.onload = () => script.remove();
    document.head.append(script);
  };

  const fromAddress = (focus) => {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const name of fields) {
      if (name === "stratum" || name === "outcome") continue;
      const control = form.elements[name];
      const value = given.get(name) ?? { a: form.dataset.first, b: form.dataset.second, task: data.tasks[0].name }[name] ?? "";
      if (control.tagName !== "SELECT" || [...control.options].some((o) => o.value === value)) control.value = value;
    }
    taskOptions();
    for (const name of ["stratum", "outcome"]) {
      const value = given.get(name) ?? "";
      if ([...form.elements[name].options].some((o) => o.value === value)) form.elements[name].value = value;
    }
    open(given.get("problem") ?? "", focus);
    showList();
  };

  const index = (document_) => {
    data = document_;
    for (const name of ["a", "b"]) fill(name, data.arms.map((a) => [a.name, a.name]), form.dataset[name === "a" ? "first" : "second"]);
    fill("task", data.tasks.map((t) => [t.name, t.name]), "");
    fromAddress(false);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      taskOptions();
      history.replaceState(null, "", address(task().problems.some((p) => p.id === current) ? current : ""));
      open(task().problems.some((p) => p.id === current) ? current : "", false);
      showList();
    });
    addEventListener("hashchange", () => fromAddress(true));
  };

  const problem = (doc) => {
    const key = `${doc.task}/${doc.id}`;
    loaded.set(key, doc);
    if (wanted?.key === key) showProblem(doc, wanted.focus);
  };

  return { index, problem };
})();
