"""What a judgement in another process needs: how to make the verifier there, and its answers as plain JSON."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from proofgrad.verifiers import errors, registry
from proofgrad.verifiers.base import BatchVerifier, Problem, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError, ProofgradError

__all__ = ["Answer", "Pair", "Recipe", "error_of", "judge_once", "told", "understood", "verdicts_on"]

Answer: TypeAlias = Verdict | ProofgradError
Pair: TypeAlias = tuple[Problem, str]

_ERROR_CHARS = 500


def judge_once(verifier: Verifier, items: Sequence[Pair]) -> list[Answer]:
    """One answer for each item, in order; whatever a verifier does beyond its contract is UNKNOWN."""
    try:
        if isinstance(verifier, BatchVerifier) and len(items) > 1:
            verdicts = list(verifier.verify_batch(items))
        else:
            verdicts = [verifier.verify(problem, candidate) for problem, candidate in items]
        if len(verdicts) != len(items) or not all(isinstance(verdict, Verdict) for verdict in verdicts):
            raise TypeError(f"{len(items)} verdicts were due, got {verdicts!r}"[:_ERROR_CHARS])
        return list(verdicts)
    except ProofgradError as error:
        if len(items) == 1:
            return [error]
        return [answer for item in items for answer in judge_once(verifier, [item])]
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a verifier's bug is ours, never the candidate's, and must not end a thread
        text = f"{type(error).__name__}: {error}"
        return [Verdict.unknown("infra.verifier_raised", evidence={"error": text[:_ERROR_CHARS]}) for _ in items]


def verdicts_on(pairs: Sequence[Pair], ask: Callable[[list[Pair]], list[Answer]]) -> list[Verdict]:
    """The verdicts of a batch that another process judges; where the batch is lost, its items are judged one by one.

    Raises:
        ProofgradError: the first that there is among the answers.
    """
    answers = ask(list(pairs))
    if len(pairs) > 1 and any(isinstance(a, Verdict) and a.reason.startswith("infra.") for a in answers):
        answers = [answer for pair in pairs for answer in ask([pair])]
    verdicts: list[Verdict] = []
    for answer in answers:
        if isinstance(answer, ProofgradError):
            raise answer
        verdicts.append(answer)
    return verdicts


@dataclass(frozen=True, slots=True)
class Recipe:
    """How another process makes the same verifier: a registry name with options, or a pickled instance.

    `made` is one that is at hand here, for its name, version and batch size; it never judges.
    """

    made: Verifier
    pickled: bytes

    @classmethod
    def of(cls, verifier: Verifier | str, options: Mapping[str, Any] | None = None) -> Recipe:
        """The recipe of an instance, or of a registered name.

        Raises:
            ConfigError: there is no such name, or the instance cannot be sent to another process.
        """
        if isinstance(verifier, str):
            made = registry.get(verifier, **(options or {}))
            return cls(made, pickle.dumps((verifier, dict(options or {}))))
        if type(verifier).__module__ == "__main__":
            raise ConfigError(
                f"verifier '{verifier.name}' is defined in the running script, where no other process can import it; "
                "move its class to a module"
            )
        try:
            return cls(verifier, pickle.dumps(verifier))
        except Exception as error:  # pickle raises whatever the object's own hooks raise
            raise ConfigError(
                f"verifier '{verifier.name}' cannot be sent to another process ({type(error).__name__}: {error}); "
                "give its registered name and options instead"
            ) from error

    @staticmethod
    def make(pickled: bytes) -> Verifier:
        """The verifier. Only for bytes that this package's parent process wrote.

        Raises:
            ProofgradError: it cannot be made here.
        """
        try:
            made = pickle.loads(pickled)
            return registry.get(made[0], **made[1]) if isinstance(made, tuple) else cast(Verifier, made)
        except ProofgradError:
            raise
        except Exception as error:  # whatever an import or a constructor raises
            raise ConfigError(
                f"a verifier cannot be made in a worker process ({type(error).__name__}: {error}); "
                "what it is made of has to be importable there"
            ) from error


def told(answer: Answer) -> dict[str, object]:
    """An answer as plain JSON types."""
    if isinstance(answer, Verdict):
        return {"verdict": answer.to_json()}
    kind = next(k.__name__ for k in type(answer).__mro__ if k.__module__ == errors.__name__)
    return {"error": [kind, str(answer)]}


def understood(data: Mapping[str, Any]) -> Answer:
    """The inverse of `told`."""
    return error_of(data["error"]) if "error" in data else Verdict.from_json(data["verdict"])


def error_of(data: Sequence[str]) -> ProofgradError:
    """One of our errors as it was raised in the worker, or `ProofgradError` for a kind that is not ours."""
    kind = getattr(errors, data[0], ProofgradError)
    error = cast(ProofgradError, kind.__new__(kind, data[1]))  # past constructors that take other arguments
    error.args = (data[1],)
    return error
