"""Models served elsewhere, through any server of OpenAI's HTTP interface: for arms that need no weights here.

What weights and settings a server really uses is its own matter, and a record says so: it holds the server's address
and the model's name there instead of a digest of weights. Whether seeds are honoured is the server's matter too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from harness.errors import BadInput, HarnessError, MissingCapability
from harness.generate import batching
from harness.generate.api import Completion, Request
from harness.generate.openai_policy import call_arguments, call_seed
from harness.generate.policy import is_greedy
from harness.generate.prompts import check_request
from harness.spec import Policy

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that need no key."""


class ServerFailed(HarnessError):
    """A server did not give what was asked for, after the retries; what was stored before stays."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a model is served and how it is asked.

    Attributes:
        base_url: up to and including ``/v1``.
        model: its name there.
        api_key_env: the environment variable that holds the key.
        extended: whether top-k and min-p may be sent beside OpenAI's own parameters.
        max_tokens_field: how the server calls the limit of new tokens for chats.
        concurrency: calls under way at once.
        retries: further attempts after errors that may pass (connection, timeout, 408, 409, 429, 5xx).
        timeout: seconds one call may take.
    """

    base_url: str
    model: str
    api_key_env: str = "OPENAI_API_KEY"
    extended: bool = False
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    concurrency: int = 16
    retries: int = 5
    timeout: float = 600.0

    def __post_init__(self) -> None:
        if urlsplit(self.base_url).scheme not in ("http", "https") or not urlsplit(self.base_url).hostname:
            raise BadInput(f"engine.base_url={self.base_url}: must be an http or https address")
        if not self.model:
            raise BadInput("engine.served_model: say what the server calls the model")
        if self.concurrency < 1 or self.retries < 0 or self.timeout <= 0:
            raise BadInput(
                f"engine.concurrency={self.concurrency}, retries={self.retries}, timeout={self.timeout}: "
                "must be at least 1, at least 0 and above 0"
            )

    @property
    def address(self) -> str:
        """The base address without user name, password and query, fit for a record."""
        parts = urlsplit(self.base_url)
        host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)
        netloc = f"{host}:{parts.port}" if parts.port else host
        return urlunsplit((parts.scheme, netloc, parts.path, "", ""))

    def key(self) -> str:
        """The key from the environment; a server on this machine needs none.

        Raises:
            MissingCapability: where the variable is not set.
        """
        found = os.environ.get(self.api_key_env, "")
        if not found and urlsplit(self.base_url).hostname not in LOOPBACK:
            raise MissingCapability(f"engine=openai: put the server's key into the environment as {self.api_key_env}")
        return found or "none"


class OpenAIEngine:
    """Asks a server. Build it with :meth:`load`."""

    name = "openai"

    def __init__(self, server: Server, client: Any, *, max_batch_rows: int) -> None:
        """Wrap a client of the ``openai`` package; ``max_batch_rows`` is the number of samples of a batch."""
        if max_batch_rows < 1:
            raise BadInput(f"engine.max_batch_rows={max_batch_rows}: must be at least 1")
        self.server = server
        self.client = client
        self.max_batch_rows = max_batch_rows
        self.fingerprints: set[str] = set()

    @classmethod
    def load(cls, server: Server, *, max_batch_rows: int = 256) -> OpenAIEngine:
        """Make a client and see that the server answers and has the model.

        Raises:
            MissingCapability: where the ``openai`` package, the key or the server is missing.
            BadInput: where the server has no such model.
        """
        try:
            import openai  # type: ignore[import-not-found]  # an extra of its own
        except ImportError:
            raise MissingCapability("engine=openai needs openai: pip install 'harness-referee[openai]'") from None
        client = openai.OpenAI(
            base_url=server.base_url, api_key=server.key(), max_retries=server.retries, timeout=server.timeout
        )
        try:
            served = [m.id for m in client.models.list()]
        except openai.NotFoundError:
            served = []  # not every server lists its models
        except openai.APIConnectionError:
            raise MissingCapability(f"engine.base_url={server.address}: no server answers there") from None
        except openai.APIStatusError as error:
            raise _failure(server, error) from None
        if served and server.model not in served:
            some = ", ".join(sorted(served)[:5])
            raise BadInput(f"engine.served_model={server.model}: {server.address} does not serve it, but {some}")
        return cls(server, client, max_batch_rows=max_batch_rows)

    def close(self) -> None:
        """Close connections."""
        self.client.close()

    def plan(self, requests: Sequence[Request], max_new_tokens: int) -> list[list[int]]:
        """Batches of at most ``max_batch_rows`` samples, by the prompts' length in characters (tokens are unknown)."""
        loads = []
        for r in requests:
            check_request(r)
            loads.append(batching.Load(r.key, len(r.text) + sum(len(c) for _, c in r.messages), len(r.noise_keys)))
        unlimited = 1 << 62
        return batching.plan_batches(loads, max_new_tokens, max_rows=self.max_batch_rows, max_cache_tokens=unlimited)

    def generate(self, requests: Sequence[Request], policy: Policy, max_new_tokens: int) -> list[Completion]:
        """Ask for every sample, each in a call of its own with its own seed; a greedy one once, then repeated.

        ``Completion.token_ids`` is filled only by servers that tell them.

        Raises:
            BadInput: for a policy that the interface cannot express, or a call that the server refuses.
            ServerFailed: where the server fails, or ends a sample in another way than ``stop`` or ``length``.
        """
        if max_new_tokens < 1:
            raise BadInput(f"max_new_tokens={max_new_tokens}: must be at least 1")
        arguments = call_arguments(policy, extended=self.server.extended)
        greedy = is_greedy(policy)
        calls = [
            (r, index, key) for r in requests for index, key in enumerate(r.noise_keys[:1] if greedy else r.noise_keys)
        ]
        with ThreadPoolExecutor(self.server.concurrency, thread_name_prefix="openai") as pool:
            futures = [pool.submit(self._call, r, i, key, arguments, max_new_tokens) for r, i, key in calls]
            try:
                done = [f.result() for f in futures]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        if not greedy:
            return done
        of_request = dict(zip((r.key for r, _, _ in calls), done, strict=True))
        return [_again(of_request[r.key], index) for r in requests for index in range(len(r.noise_keys))]

    def _call(
        self, request: Request, index: int, noise_key: int, arguments: dict[str, Any], max_new_tokens: int
    ) -> Completion:
        import openai

        check_request(request)
        shared = {"model": self.server.model, "seed": call_seed(noise_key), "n": 1, **arguments}
        try:
            if request.messages:
                messages = [{"role": role, "content": content} for role, content in request.messages]
                limit = {self.server.max_tokens_field: max_new_tokens}
                answer = self.client.chat.completions.create(messages=messages, **limit, **shared)
                text = answer.choices[0].message.content or ""
            else:
                answer = self.client.completions.create(prompt=request.text, max_tokens=max_new_tokens, **shared)
                text = answer.choices[0].text
        except openai.APIError as error:
            raise _failure(self.server, error) from None
        return self._completion(request, index, answer, text, max_new_tokens)

    def _completion(self, request: Request, index: int, answer: Any, text: str, max_new_tokens: int) -> Completion:
        if answer.usage is None:
            raise ServerFailed(f"{self.server.address}: its answers say nothing of usage, so tokens cannot be counted")
        if answer.system_fingerprint if hasattr(answer, "system_fingerprint") else None:
            self.fingerprints.add(str(answer.system_fingerprint))
        (choice,) = answer.choices
        if choice.finish_reason not in ("stop", "length"):
            raise ServerFailed(
                f"request {request.key}: {self.server.address} ended a sample with "
                f"finish_reason={choice.finish_reason}, which is neither an end nor a limit"
            )
        new_tokens = int(answer.usage.completion_tokens)
        if new_tokens > max_new_tokens:
            raise ServerFailed(
                f"{self.server.address}: drew {new_tokens} tokens for a limit of {max_new_tokens}; "
                "see engine.max_tokens_field"
            )
        told = getattr(choice, "token_ids", None) or ()
        return Completion(
            request.key,
            index,
            text,
            tuple(told),
            choice.finish_reason,
            int(answer.usage.prompt_tokens),
            None if told else new_tokens,
        )

    def describe(self) -> dict[str, str]:
        """The client's version, the server's address, the model's name there and the fingerprints it gave."""
        import openai

        return {
            "engine": self.name,
            "openai": str(openai.__version__),
            "base_url": self.server.address,
            "model": self.server.model,
            "weights": "not seen",
            "extended": str(self.server.extended).lower(),
            "max_batch_rows": str(self.max_batch_rows),
            "system_fingerprints": " ".join(sorted(self.fingerprints)),
        }


def _again(completion: Completion, index: int) -> Completion:
    from dataclasses import replace

    return replace(completion, index=index)


def _failure(server: Server, error: Any) -> HarnessError:
    """An error of the ``openai`` package as one of ours, in one line."""
    import openai

    said = " ".join(str(getattr(error, "message", "") or error).split())[:300]
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return MissingCapability(f"{server.address}: refuses the key in {server.api_key_env} ({said})")
    if isinstance(error, openai.BadRequestError | openai.NotFoundError | openai.UnprocessableEntityError):
        return BadInput(f"{server.address}: {said}")
    return ServerFailed(f"{server.address}: after {server.retries} retries: {said}")
