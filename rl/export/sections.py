"""The sections of a model card, each as lines of Markdown.

Figures come from evaluations as they were stored; what was not recorded is said not to be.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from proofgrad.rl.config import Config, EnvConfig
from proofgrad.rl.console import signed
from proofgrad.rl.evaluate import OVERALL, Evaluation, compare
from proofgrad.rl.evaluation.stored import StoredEvaluation
from proofgrad.rl.export.facts import Asked, Facts
from proofgrad.rl.export.markdown import LONGEST_NAME, LONGEST_TEXT, code, cut, fenced, plain, table
from proofgrad.rl.export.texts import ENVIRONMENTS, HUB_LICENSES, VERDICTS, departures, loop_words
from proofgrad.rl.export.trust import trust
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric.quoting import visible

__all__ = ["SECTIONS"]

_NOT_RECORDED = "not recorded"


def summary(facts: Facts) -> Iterator[str]:
    """What it is."""
    shape, policy = facts.architecture, facts.config.policy
    parts = [
        f"{words} {shape[key]}"
        for key, words in {
            "num_hidden_layers": "layers", "hidden_size": "hidden size", "max_position_embeddings": "context",
            "vocab_size": "vocabulary",
        }.items()
        if key in shape
    ]  # fmt: skip
    origin = "made from scratch" if policy.path is None else f"trained from {code(policy.path)}"
    domains = sorted({example.domain for example in facts.examples})
    yield f"# {facts.name}\n"
    yield (
        f"A causal language model of {_count(facts.parameters)} parameters ({code(shape.get('model_type', '?'))}: "
        f"{', '.join(parts)}), {origin} by proofgrad with reinforcement learning on verified rewards."
    )
    yield (
        f"Its answers{' in ' + ', '.join(map(plain, domains)) if domains else ''} were judged by "
        f"{_list(facts.verifiers) if facts.verifiers else 'verifiers that are not recorded'}."
    )
    if facts.checkpoint is not None:
        end = "" if facts.is_finished else " The run was not finished when this was exported."
        yield (
            f"\n**These are the weights of a checkpoint**, after {facts.checkpoint} of {facts.total} updates, not of "
            f"the run's final policy.{end}"
        )


def results(facts: Facts) -> Iterator[str]:
    """How well it does on held-out problems."""
    yield "## Held-out results\n"
    if facts.checkpoint is not None:
        yield "The run's own evaluations are of other weights than these, and are left out."
    elif facts.before is not None and facts.after is not None:
        yield from _before_and_after(facts.before.evaluation, facts.after.evaluation)
    elif facts.after is not None:
        yield from _rates(facts.after)
    elif facts.before is not None:
        yield "**The final policy was not evaluated.** The policy at the start of GRPO was:\n"
        yield from _rates(facts.before)
    else:
        yield "**This run was not evaluated**: nothing is known about how well this policy does."
    for stored in facts.others:
        yield ""
        yield from _rates(stored)
    if facts.checkpoint is not None and not facts.others:
        yield "**These weights were not evaluated.**"


def _before_and_after(before: Evaluation, after: Evaluation) -> Iterator[str]:
    yield "pass@1 before and after GRPO, on the same problems with the same random numbers:\n"
    try:
        rows = compare(before, after)
    except ConfigError as error:
        yield f"No comparison: {plain(str(error))}.\n"
        for title, evaluation in (("before", before), ("after", after)):
            yield from table(("domain", "problems", f"pass@1 {title}"), _cells(evaluation, (1,)))
            yield ""
        return
    yield from table(
        ("domain", "problems", "before", "after", "gain"),
        [[plain(r.domain), str(r.problems), str(r.before), str(r.after), signed(r.gain)] for r in rows],
    )
    yield "\nIntervals are 95% over problems; the gain, in percentage points, is paired by problem."
    if after.samples > 1:
        yield f"\nThe final policy at pass@{after.samples}:\n"
        yield from table(("domain", "problems", f"pass@{after.samples}"), _cells(after, (after.samples,)))
    yield f"\n{_taken(after)}"


def _rates(stored: StoredEvaluation) -> Iterator[str]:
    evaluation = stored.evaluation
    yield f"{code(stored.name)}:\n"
    heads = [f"pass@{k}" for k in evaluation.reported]
    yield from table(("domain", "problems", *heads), _cells(evaluation, evaluation.reported))
    yield f"\nIntervals are 95% over problems. {_taken(evaluation)}"


def _cells(evaluation: Evaluation, ks: Sequence[int]) -> list[list[str]]:
    return [
        [
            plain(domain),
            str(len(evaluation.scored(domain))),
            *(str(rate) if (rate := evaluation.pass_at(k, domain)) else "too few judged" for k in ks),
        ]
        for domain in evaluation.domains()
    ]


def _taken(evaluation: Evaluation) -> str:
    """How an evaluation was taken."""
    unknown = sum(result.unknown for result in evaluation.results)
    longest = f", at most {evaluation.max_tokens} tokens" if evaluation.max_tokens is not None else ""
    left_out = f"{unknown} could not be judged and are left out" if unknown else "all could be judged"
    return (
        f"{evaluation.samples} completion{'s' if evaluation.samples > 1 else ''} of each problem at temperature "
        f"{evaluation.temperature:g}{longest}, sampled with {plain(evaluation.engine)}; {left_out}. Judged by "
        f"{_versions(evaluation.verifiers)}."
    )


def verdicts(facts: Facts) -> Iterator[str]:
    """What a verdict means here."""
    yield "## What a verdict means\n"
    yield (
        "A verdict is *pass*, *fail* (the candidate's fault) or *unknown* (the machinery's: never counted as a "
        "failure, and left out of rates and of training).\n"
    )
    for name in facts.verifiers:
        yield f"- {code(name)}: {VERDICTS.get(name, 'a plug-in; what its pass means is for its documentation to say.')}"
    if not facts.verifiers:
        yield "Which verifiers judged is not recorded."


def usage(facts: Facts) -> Iterator[str]:
    """How to load and ask it."""
    yield "## How to use it\n"
    if not facts.examples:
        yield "No completion is recorded, so that no prompt can be shown."
        return
    most = facts.config.generation.max_tokens
    temperature = facts.config.evaluation.temperature
    sampling = f"do_sample=True, temperature={temperature!r}" if temperature else "do_sample=False"
    example = facts.examples[0]
    prompt = repr(visible(example.prompt)[:LONGEST_TEXT])
    messages = '[{"role": "user", "content": prompt}]'
    inputs = (
        f"tokenizer.apply_chat_template({messages}, add_generation_prompt=True, return_tensors='pt', return_dict=True)"
        if example.is_chat
        else 'tokenizer(prompt, add_special_tokens=False, return_tensors="pt")'
    )
    yield "With transformers (run in this directory, or put the model's name on the Hub in place of `.`):\n"
    yield from fenced(
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'tokenizer = AutoTokenizer.from_pretrained(".")\n'
        'model = AutoModelForCausalLM.from_pretrained(".")\n'
        f"prompt = {prompt}\n"
        f"inputs = {inputs}\n"
        f'output = model.generate(inputs["input_ids"], attention_mask=inputs["attention_mask"], '
        f"max_new_tokens={most}, {sampling})\n"
        'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))',
        "python",
    )
    ask = f"llm.chat({messages}, sampling)" if example.is_chat else "llm.generate([prompt], sampling)"
    length = facts.architecture.get("max_position_embeddings")
    longest = f", max_model_len={min(length, 8192)}" if isinstance(length, int) else ""
    yield "\nWith vLLM:\n"
    yield from fenced(
        "from vllm import LLM, SamplingParams\n\n"
        'if __name__ == "__main__":  # vLLM starts processes of its own, which read this file again\n'
        f'    llm = LLM(model="."{longest}, gpu_memory_utilization={facts.config.generation.vllm_memory})\n'
        f"    sampling = SamplingParams(temperature={temperature!r}, max_tokens={most})\n"
        f"    prompt = {prompt}\n"
        f"    print({ask}[0].outputs[0].text)",
        "python",
    )
    yield "\n### The prompt format\n"
    yield (
        "GRPO asked it prompts of these forms and no others. A plain prompt is a text that the completion "
        "goes on from, encoded without special tokens; a chat prompt goes through the chat template as one user turn."
    )
    for example in facts.examples:
        kind = {True: "a chat prompt", False: "a plain prompt", None: "plain or chat: not recorded"}[example.is_chat]
        yield f"\n{code(example.env)} ({kind}; {example.sampled}):\n"
        yield from fenced(cut(visible(example.prompt).rstrip("\n")))
        reason = code(cut(example.reason, LONGEST_NAME))
        yield f"\nIts completion, judged **{plain(example.outcome)}** ({reason}):\n"
        yield from fenced(cut(visible(example.completion).rstrip("\n")))
    if any(max(len(one.prompt), len(one.completion)) > LONGEST_TEXT for one in facts.examples):
        yield f"\nTexts longer than {LONGEST_TEXT:,} characters are cut, in the code above as well."


def method(facts: Facts) -> Iterator[str]:
    """How it was trained."""
    config, grpo, warm = facts.config, facts.config.grpo, facts.config.warm_start
    yield "## How it was trained\n"
    start = "a policy with random weights" if config.policy.path is None else code(config.policy.path)
    yield f"1. **Start**: {start}, {config.policy.dtype}."
    if warm.demonstrations:
        revisions = (
            f" A second one of its failed attempts at {warm.revisions} tasks of each environment, with feedback and a "
            "completion that passes."
            if warm.revisions
            else ""
        )
        yield (
            f"2. **Warm start**: supervised, on {warm.demonstrations} demonstrations of each environment, "
            f"{warm.epochs:g} epoch(s), batches of {warm.batch_size}, learning rate {warm.learning_rate:g}; the loss "
            f"counts completions only.{revisions}"
        )
    else:
        yield "2. **Warm start**: none."
    lora = config.policy.lora
    adapters = f" Adapters were trained (LoRA, rank {lora.rank}, alpha {lora.alpha:g}), and merged." if lora else ""
    yield (
        "3. **GRPO** (Shao et al. 2024, arXiv 2402.03300), as TRL implements it; the reward is the verdict. "
        f"{_updates(facts)}{adapters}\n"
    )
    yield from table(
        ("setting", "value"),
        [
            ["steps", f"{grpo.steps}, each with {grpo.minibatches} update(s)"],
            ["groups of a step", f"{grpo.prompts_per_step} tasks, {grpo.group_size} completions each"],
            ["learning rate", f"{grpo.learning_rate:g} after {grpo.warmup_steps} updates of warm-up"],
            ["loss", f"{grpo.loss_type}, rewards scaled by {grpo.scale_rewards}"],
            ["clip range", f"{grpo.clip_low:g} below, {grpo.clip_high:g} above"],
            ["KL coefficient", f"{grpo.kl_coefficient:g}"],
            ["gradient norm at most", f"{grpo.max_grad_norm:g}"],
            [
                "sampling",
                f"temperature {config.generation.temperature:g}, at most {config.generation.max_tokens} tokens",
            ],
            ["attempts at a task", loop_words(config.loop)],
            ["seed", str(config.seed)],
        ],
    )
    yield "\nDepartures from GRPO as published:\n"
    yield from (f"- {text}" for text in departures(grpo))


def _updates(facts: Facts) -> str:
    if not facts.total:
        return "The configuration asks for no step of it."
    if facts.updates is None:
        return f"How many of the {facts.total} updates were made is not recorded."
    done = facts.updates if facts.checkpoint is None else min(facts.updates, facts.checkpoint)
    said = f"{done} of {facts.total} updates are recorded" + (" up to this checkpoint." if facts.checkpoint else ".")
    if facts.checkpoint is None and done < facts.total:
        said += " Why there are no more is not recorded."
        said += f" The weights are those of {facts.same_as}." if facts.same_as else ""
    return said


def data(facts: Facts) -> Iterator[str]:
    """What it was trained on."""
    yield "## Training data\n"
    asked = {one.env: one for one in facts.asked}
    for env in facts.config.envs:
        yield from _environment(env, facts.config, asked.get(env.name))
    if facts.frontier is not None:
        pool, kept = facts.frontier
        yield f"\nOf a pool of {pool} training tasks, the {kept} that the policy solved sometimes were trained on."
    if facts.shared is not None:
        yield (
            f"\nOf the held-out problems of the evaluations, {facts.shared} were among the tasks that GRPO asked "
            "(compared by identity)."
        )
    if facts.config.policy.path is None:
        feedback = " and of verifiers' feedback" if facts.config.warm_start.revisions else ""
        yield f"\nThe tokenizer was fitted to the text of the demonstrations{feedback}."
    else:
        yield "\nWhat the base model was trained on is not recorded here."


def _environment(env: EnvConfig, config: Config, asked: Asked | None) -> Iterator[str]:
    known = ENVIRONMENTS.get(env.name)
    what, split = known or ("a plug-in; what it asks is for its documentation to say.", _NOT_RECORDED + ".")
    yield f"- **{plain(env.name)}**: {what}"
    yield f"  - options: {_options(env.options)}; what is not named has its default"
    for key in ("path", "rubric"):
        if key in env.options:
            yield f"  - from outside: {code(json.dumps(env.options[key]))}; its content is not recorded"
    if config.warm_start.demonstrations:
        override = (
            f", with {_options(env.demonstration_options)} over these options" if env.demonstration_options else ""
        )
        yield f"  - demonstrations: {config.warm_start.demonstrations} of the training split{override}"
    if len(config.envs) > 1:
        share = env.weight / sum(other.weight for other in config.envs)
        yield f"  - share of the training tasks: {100 * share:.0f}%"
    if asked is not None:
        numbers = ", ".join(f"{level:g}" for level in asked.levels)
        levels = f", of level{'s' if len(asked.levels) > 1 else ''} {numbers}" if numbers else ""
        unknown = f"; {asked.unknown} of them could not be judged" if asked.unknown else ""
        yield f"  - asked in GRPO: {asked.tasks} different tasks{levels}, {asked.completions} completions{unknown}"
    else:
        yield "  - asked in GRPO: nothing is recorded"
    yield f"  - split: {split}"


def limits(facts: Facts) -> Iterator[str]:
    """What it is for, and what is not known."""
    context, config = facts.architecture.get("max_position_embeddings"), facts.config
    yield "## Limits and intended use\n"
    names = _list(env.name for env in config.envs)
    yield f"- It is meant for tasks like those of {names}, in the formats above; nothing else was measured."
    if config.policy.path is None:
        yield (
            f"- It has {_count(facts.parameters)} parameters, made from scratch: it has read nothing but what "
            "is listed above, and is no general language model."
        )
    if facts.own and (rate := facts.own[0].evaluation.pass_at(1, OVERALL)) is not None:
        yield (
            f"- At the first attempt it solves {rate} of its held-out problems. Have every answer verified; that is "
            "what the verifiers are for."
        )
    else:
        yield "- How often it is right is not known. Have every answer verified."
    if isinstance(context, int):
        yield (
            f"- A prompt and its answer together have room for {context} tokens; in training an answer had at most "
            f"{config.generation.max_tokens}."
        )
    yield "- Its behaviour on other languages, on harmful requests and on personal data was not measured."


def reproduction(facts: Facts) -> Iterator[str]:
    """What it takes to train it again."""
    manifest = facts.manifest
    yield "## How to train it again\n"
    yield "`config.yaml` is the resolved configuration and `manifest.json` what the run recorded about where it ran.\n"
    yield from fenced("proofgrad train config.yaml", "bash")
    yield ""
    packages = manifest.get("packages")
    command = manifest.get("command")
    said = " ".join(map(str, command)) if isinstance(command, list | tuple) else command
    rows = [
        ["command", code(said) if said else _NOT_RECORDED],
        ["started, or last resumed", plain(manifest.get("started", _NOT_RECORDED))],
        ["seed", str(manifest.get("seed", _NOT_RECORDED))],
        ["Python", plain(manifest.get("python", _NOT_RECORDED))],
        ["packages", plain(", ".join(f"{n} {v}" for n, v in packages.items())) if packages else _NOT_RECORDED],
        ["source revision", code(manifest["git"]) if manifest.get("git") else _NOT_RECORDED],
        ["generation by", plain(manifest.get("engine", _NOT_RECORDED))],
        ["verifiers", _versions(facts.verifiers) if facts.verifiers else _NOT_RECORDED],
        ["hardware", _hardware(manifest.get("hardware"))],
        ["time of the recorded updates", f"{facts.step_seconds:.0f} s" if facts.step_seconds else _NOT_RECORDED],
    ]
    for stored in (facts.before, facts.after):
        if stored is not None:
            name = stored.name.rpartition(":")[2]
            rows.append([f"time of the evaluation {plain(name)}", f"{stored.evaluation.seconds:.0f} s"])
    yield from table(("", "recorded"), rows)


def licence(facts: Facts) -> Iterator[str]:
    """What may be done with it."""
    yield "## Licence\n"
    if facts.license is None:
        yield "None was stated when this was exported."
    elif facts.license.lower() in HUB_LICENSES:
        yield f"{plain(facts.license)}, as stated when this was exported."
    else:
        yield f"{plain(facts.license)}, as stated when this was exported; the Hub asks for its text in a file LICENSE."
    if facts.config.policy.path is not None:
        yield "The licence of the base model is not recorded; it may bind this one."


def _hardware(hardware: Any) -> str:
    if not isinstance(hardware, Mapping) or not hardware:
        return _NOT_RECORDED
    return plain(", ".join(f"{key} {value}" for key, value in hardware.items()))


def _versions(verifiers: Mapping[str, str]) -> str:
    return ", ".join(f"{code(name)} {code(version)}" for name, version in verifiers.items()) or _NOT_RECORDED


def _options(options: Mapping[str, Any]) -> str:
    return code(json.dumps(options, ensure_ascii=False)) if options else "none"


def _list(names: Iterable[str]) -> str:
    return " and ".join(code(name) for name in names)


def _count(number: int) -> str:
    for size, unit in ((10**9, "billion"), (10**6, "million")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:,}"


SECTIONS = (summary, results, verdicts, trust, usage, method, data, limits, reproduction, licence)
"""In the order of the card; each takes the `Facts`."""
