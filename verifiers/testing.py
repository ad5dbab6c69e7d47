"""A contract suite that any verifier can inherit: what the pool, the store, the server and training rely on.

A test module of a plug-in needs no more than this::

    class TestMyVerifier(VerifierContract):
        def make_verifier(self):
            return MyVerifier()

        def gold(self):
            return [({"question": "6 * 7"}, "42")]

        def corrupted(self):
            return [({"question": "6 * 7"}, "41")]

        def malformed(self):
            return [{}, {"question": 3}]

Environments have theirs in `proofgrad.envs.testing`.
"""

from __future__ import annotations

import copy
import json
import pickle
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from proofgrad.verifiers.base import BatchVerifier, Outcome, Problem, Verdict, Verifier
from proofgrad.verifiers.errors import ProblemError

__all__ = ["STRANGE_CANDIDATES", "VerifierContract"]

STRANGE_CANDIDATES = (
    "",
    " \n\t",
    "\0",
    "\ud800",  # a lone surrogate: no UTF-8
    "\u202e\u0000\ufeff",
    "{" * 5_000,
    "))",
    "9" * 10_000,
    "é" * 50_000,
    "pass",
    '{"outcome": "pass", "score": 1.0}',
)
"""Answers to nothing; none of them may pass, raise, or be said to be our fault."""


class VerifierContract:
    """What every verifier promises. Inherit it and override the makers; `slow` and `broken` where they apply."""

    deadline_s = 30.0
    """The longest that a judgement of one of `slow` may take, in seconds."""

    def make_verifier(self) -> Verifier:
        """The verifier under test; it is made once for each test and closed afterwards where it has `close`."""
        raise NotImplementedError

    def gold(self) -> Sequence[tuple[Problem, str]]:
        """Problems with candidates that must score 1."""
        raise NotImplementedError

    def corrupted(self) -> Sequence[tuple[Problem, str]]:
        """Problems with candidates that must score 0, near misses best."""
        raise NotImplementedError

    def malformed(self) -> Sequence[Problem]:
        """Problems that no candidate can be judged by."""
        raise NotImplementedError

    def slow(self) -> Sequence[tuple[Problem, str]]:
        """Candidates that would keep a verifier busy for ever, where its candidates can."""
        return []

    def broken(self) -> Verifier | None:
        """The verifier with what it stands on out of order; None when it stands on nothing that can be."""
        return None

    @pytest.fixture
    def verifier(self) -> Iterator[Verifier]:
        made = self.make_verifier()
        yield made
        _close(made)

    def test_it_is_a_verifier_with_a_name_and_a_version(self, verifier: Verifier) -> None:
        assert isinstance(verifier, Verifier)
        assert verifier.name
        assert verifier.version

    def test_gold_candidates_score_1(self, verifier: Verifier) -> None:
        for problem, candidate in self.gold():
            verdict = verifier.verify(problem, candidate)
            assert (verdict.outcome, verdict.score) == (Outcome.PASS, 1.0), f"{candidate}\n{verdict}"

    def test_corrupted_candidates_score_0(self, verifier: Verifier) -> None:
        for problem, candidate in self.corrupted():
            verdict = verifier.verify(problem, candidate)
            assert (verdict.outcome, verdict.score) == (Outcome.FAIL, 0.0), f"{candidate}\n{verdict}"

    @pytest.mark.parametrize("candidate", STRANGE_CANDIDATES, ids=[ascii(text[:12]) for text in STRANGE_CANDIDATES])
    def test_a_strange_candidate_fails(self, verifier: Verifier, candidate: str) -> None:
        verdict = verifier.verify(self.gold()[0][0], candidate)
        assert verdict.outcome is Outcome.FAIL, verdict
        verdict.feedback.encode()

    def test_a_malformed_problem_is_an_error_of_one_line(self, verifier: Verifier) -> None:
        for problem in self.malformed():
            with pytest.raises(ProblemError) as caught:
                verifier.verify(problem, self.gold()[0][1])
            assert str(caught.value).strip()
            assert "\n" not in str(caught.value)

    def test_a_judgement_repeated_is_the_same(self, verifier: Verifier) -> None:
        for problem, candidate in [*self.gold()[:2], *self.corrupted()[:2]]:
            first, second = (_essence(verifier.verify(problem, candidate)) for _ in range(2))
            assert first == second

    def test_a_verdict_survives_the_store(self, verifier: Verifier) -> None:
        for problem, candidate in [*self.gold()[:1], *self.corrupted()[:1]]:
            verdict = verifier.verify(problem, candidate)
            text = json.dumps(verdict.to_json(), allow_nan=False)
            assert Verdict.from_json(json.loads(text)) == verdict

    def test_it_leaves_the_problem_as_it_was(self, verifier: Verifier) -> None:
        problem, candidate = self.gold()[0]
        before = copy.deepcopy(problem)
        verifier.verify(problem, candidate)
        assert problem == before

    def test_threads_get_the_verdicts_that_belong_to_their_candidates(self, verifier: Verifier) -> None:
        items = [*self.gold()[:4], *self.corrupted()[:4]]
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda item: verifier.verify(*item).outcome, items * 2))
        wanted = [Outcome.PASS] * len(self.gold()[:4]) + [Outcome.FAIL] * len(self.corrupted()[:4])
        assert found == wanted * 2

    def test_it_can_be_sent_to_another_process(self, verifier: Verifier) -> None:
        copied: Verifier = pickle.loads(pickle.dumps(verifier))
        assert (copied.name, copied.version) == (verifier.name, verifier.version)
        assert copied.verify(*self.gold()[0]).is_pass
        _close(copied)

    def test_a_batch_is_judged_as_its_items_are(self, verifier: Verifier) -> None:
        if not isinstance(verifier, BatchVerifier):
            return  # one by one is all it offers, and that is tested above
        items = [item for pair in zip(self.gold(), self.corrupted(), strict=False) for item in pair]
        found = [verdict.outcome for verdict in verifier.verify_batch(items)]
        assert found == [Outcome.PASS, Outcome.FAIL] * (len(items) // 2)

    def test_a_candidate_that_never_ends_fails_in_time(self, verifier: Verifier) -> None:
        for problem, candidate in self.slow():
            start = time.monotonic()
            assert verifier.verify(problem, candidate).outcome is Outcome.FAIL
            assert time.monotonic() - start < self.deadline_s

    def test_what_is_our_fault_has_no_score(self) -> None:
        broken = self.broken()
        if broken is None:
            return  # nothing that it stands on can be out of order
        verdict = broken.verify(*self.gold()[0])
        assert (verdict.outcome, verdict.score) == (Outcome.UNKNOWN, None)
        assert verdict.reason.startswith("infra.")
        _close(broken)


def _essence(verdict: Verdict) -> tuple[object, ...]:
    """What of a verdict has to be the same each time; `seconds` and measurements in the evidence need not."""
    return verdict.outcome, verdict.score, verdict.reason, verdict.feedback


def _close(verifier: Verifier) -> None:
    close = getattr(verifier, "close", None)
    if close is not None:
        close()
