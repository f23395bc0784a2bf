"""How LiveCodeBench's problems are put to a model. The wording moves scores, so each has a name.

* ``paper``: as the SSD paper describes it (arXiv:2604.01193, C.1): a system message that asks for Python in a fenced
  block, and the problem as the user's turn. The paper does not print its wording; this one is the project's.
* ``official``: what LiveCodeBench's own runner puts to a chat model (github.com/LiveCodeBench/LiveCodeBench, MIT
  licence), word for word, since another wording would be another benchmark.
* ``release``: what the evaluator released with SSD puts to a model, one user's turn and no system message. It is made
  of LiveCodeBench's sentences and one more.
"""

from __future__ import annotations

from harness.tasks.base import Problem

VERSION = 1
"""Raised when a wording changes."""

PAPER_SYSTEM = (
    "You solve programming problems in Python. "
    "Answer with one complete program in a single fenced ```python code block."
)
PAPER_STDIN = "The program reads standard input and writes its answer to standard output."
PAPER_STARTER = "Complete this starter code; do not read any input."

ROLE = (
    "You will be given a question (problem specification) and will generate a correct Python program that matches the "
    "specification and passes all tests. You will NOT return anything except for the program."
)
FROM_STDIN = (
    "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on the sample "
    "inputs). Enclose your code within delimiters as follows."
)
FROM_STARTER = (
    "You will use the following starter code to write the solution to the problem and enclose your code within "
    "delimiters"
)
RUNS = "Ensure that when the python program runs, it reads the inputs, runs the algorithm and writes output to STDOUT."

Messages = list[dict[str, str]]


def paper(problem: Problem, starter: str) -> Messages:
    """A system message and the problem."""
    ask = f"{PAPER_STARTER}\n\n```python\n{starter}\n```" if starter else PAPER_STDIN
    return [
        {"role": "system", "content": PAPER_SYSTEM},
        {"role": "user", "content": f"{problem.prompt}\n\n{ask}"},
    ]


def official(problem: Problem, starter: str) -> Messages:
    """LiveCodeBench's system message and its template with headings."""
    ask = f"{FROM_STARTER}.\n```python\n{starter}\n```"
    if not starter:
        ask = f"{FROM_STDIN}\n```python\n# YOUR CODE HERE\n```"
    question = f"### Question:\n{problem.prompt}\n\n### Format: {ask}\n\n"
    return [
        {"role": "system", "content": f"You are an expert Python programmer. {ROLE}"},
        {"role": "user", "content": f"{question}### Answer: (use the provided format with backticks)\n\n"},
    ]


def release(problem: Problem, starter: str) -> Messages:
    """One user's turn."""
    ask = f"{FROM_STARTER} as follows.\n```python\n{starter}\n```"
    if not starter:
        ask = f"{FROM_STDIN} {RUNS}\n```python\n  # YOUR CODE HERE\n```"
    return [{"role": "user", "content": f"{ROLE}\n\nQuestion: {problem.prompt}\n\n{ask}"}]


PROMPTS = {"official": official, "paper": paper, "release": release}
