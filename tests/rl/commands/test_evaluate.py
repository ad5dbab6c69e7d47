"""``proofgrad eval`` with a policy small enough to make in a second: what is stored, gone on with, and refused."""

import json
from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from proofgrad import envs, verifiers
from proofgrad.rl.commands.evaluate import evaluate_command, evaluate_model
from proofgrad.rl.commands.score import score_command
from proofgrad.rl.config import Config, ScratchPolicy
from proofgrad.rl.engine import TransformersEngine
from proofgrad.rl.evaluate import Evaluation, evaluate_once, held_out_tasks
from proofgrad.rl.evaluation import directory as evaluation_directory
from proofgrad.rl.evaluation import sampler as evaluation_run
from proofgrad.rl.evaluation.directory import EvaluationDirectory, read_chunk
from proofgrad.rl.evaluation.settings import EvaluationOptions, EvaluationSettings, difference, resolve
from proofgrad.rl.evaluation.stored import evaluations_in, read_rows
from proofgrad.rl.evaluation.suites import SuiteEnv
from proofgrad.rl.policy import make_policy, save_policy
from proofgrad.rl.rollout import Judge, roll_out
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.verifiers.errors import ConfigError, ProofgradError
from proofgrad.verifiers.pool import VerifierPool

# Two attempts at a task, and the feedback between them, have room in its context.
SHAPE = ScratchPolicy(
    hidden_size=32, intermediate_size=64, layers=1, heads=2, key_value_heads=1, vocab_size=300, context=640
)

app = typer.Typer()
app.command("eval")(evaluate_command)
app.command("score")(score_command)


def proofgrad(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args], env={"COLUMNS": "200"})


def refusal(*args):
    """The error that the command line prints as one line, with exit status 2."""
    error = proofgrad(*args).exception
    assert isinstance(error, ProofgradError), error
    assert "\n" not in str(error)
    return str(error)


@pytest.fixture(scope="module")
def run(tmp_path_factory, both_envs):
    """A finished run of a tiny policy, evaluated as a training run is."""
    tiny_policy = make_policy(SHAPE, [c for env in both_envs.values() for _, c in env.demonstrations(20, 0)], seed=0)
    runs = tmp_path_factory.mktemp("runs")
    config = Config.model_validate({
        "name": "tiny", "runs_dir": str(runs), "policy": {"scratch": SHAPE.model_dump()},
        "envs": [{"name": "synthesis", "options": {"max_level": 1}}],
        "generation": {"engine": "transformers", "max_tokens": 8}, "evaluation": {"tasks": 6, "samples": 3},
    })  # fmt: skip
    made = RunDirectory.create(config)
    save_policy(tiny_policy, made.policy)
    environments = {env.name: envs.get(env.name, **env.options) for env in config.envs}
    engine = TransformersEngine(tiny_policy.model, tiny_policy.tokenizer)
    with VerifierPool({"program": verifiers.get("program")}) as pool:

        def rolled(tasks, seeds, sampling, on_turn, pace):
            judge = Judge(environments, pool)
            return roll_out(tasks, seeds, engine, tiny_policy.tokenizer, judge, sampling, context=SHAPE.context)

        session = SimpleNamespace(
            run=made, config=config, envs=environments, roll_out=rolled, engine_name="transformers",
            verifier_versions={"program": verifiers.get("program").version}, is_main_process=lambda: True,
        )  # fmt: skip
        evaluate_once(session, held_out_tasks(environments, 6), "after", "policy")
    return made.path


ENGINE = ("--engine", "transformers")


@contextmanager
def counted(monkeypatch, stop_after=None):
    """How often each seed is sampled from here on; stops the process's work in the chunk after `stop_after`."""
    seeds, chunks = Counter(), [0]
    real = TransformersEngine.generate

    def generate(self, source, temperature):
        if chunks[0] == stop_after:
            raise KeyboardInterrupt
        chunks[0] += 1
        take = source.take

        def counting(wait):
            requests = take(wait)
            seeds.update(request.seed for request in requests)
            return requests

        source.take = counting
        return real(self, source, temperature)

    with monkeypatch.context() as patch:
        patch.setattr(TransformersEngine, "generate", generate)
        yield seeds


def rows_of(directory, name="rollouts"):
    return [
        (row["task"], row["sample"], row["completion"], row["outcome"])
        for row in read_rows(directory / f"{name}.parquet")
    ]


def test_a_run_evaluated_as_in_training_gives_its_numbers_to_the_digit(run):
    done = proofgrad("eval", run, *ENGINE)
    assert done.exit_code == 0, done.exception
    assert "pass@3" in done.stdout
    assert "tokens/s" in done.stdout
    assert "waiting for verdicts" in done.stdout
    after = Evaluation.load(run / "eval" / "after.json")
    (again,) = evaluations_in(run / "evaluations" / "synthesis")
    assert again.evaluation.results == after.results
    assert again.evaluation.tokens == after.tokens
    assert (again.evaluation.suite, again.evaluation.seed, again.evaluation.max_tokens) == ("synthesis", 0, 8)
    in_training = [(r["task"], r["sample"], r["completion"]) for r in read_rows(run / "rollouts" / "after.parquet")]
    assert [row[:3] for row in rows_of(again.directory)] == in_training
    environment = json.loads((again.directory / "environment.json").read_text(encoding="utf-8"))
    assert environment["verifiers"] == after.verifiers
    assert environment["layers"]["program"]
    assert environment["packages"]["proofgrad"]


def test_the_same_command_again_samples_nothing_and_shows_the_result(run, monkeypatch):
    first = proofgrad("eval", "--model", run, *ENGINE, "--seed", 3, "--output-dir", run / "evaluations" / "again")
    with counted(monkeypatch) as seeds:
        second = proofgrad("eval", run, *ENGINE, "--seed", 3, "--output-dir", run / "evaluations" / "again", "--k", 2)
    assert not seeds
    assert first.exit_code == second.exit_code == 0
    assert "pass@2" in second.stdout
    assert "pass@3" not in second.stdout  # what is shown is no part of what is sampled


@pytest.mark.parametrize("turns", [1, 2])
def test_an_interrupted_evaluation_goes_on_and_ends_as_if_nothing_had_happened(run, tmp_path, monkeypatch, turns):
    options = (*ENGINE, "--chunk", 7, "--max-turns", turns)
    with counted(monkeypatch) as all_seeds:
        assert proofgrad("eval", run, *options, "--output-dir", tmp_path / "whole").exit_code == 0
    with counted(monkeypatch, stop_after=2) as first_seeds:
        proofgrad("eval", run, *options, "--output-dir", tmp_path / "cut")
    cut = EvaluationDirectory(tmp_path / "cut")
    stored = [one.item.seed for file in cut.chunks() for one in read_chunk(file)]
    assert len(stored) == 14
    assert not (cut.path / "evaluation.json").exists()
    with pytest.raises(ConfigError, match="is not finished: give its command again"):
        evaluations_in(cut.path)
    with counted(monkeypatch) as rest:
        assert proofgrad("eval", run, *options, "--output-dir", cut.path).exit_code == 0
    assert not set(stored) & set(rest)
    assert first_seeds + rest == all_seeds
    whole = Evaluation.load(tmp_path / "whole" / "evaluation.json")
    assert Evaluation.load(cut.path / "evaluation.json").results == whole.results
    for name in ("rollouts", *(("revised", "best-of-n") if turns > 1 else ())):
        assert rows_of(cut.path, name) == rows_of(tmp_path / "whole", name)


def test_the_first_attempts_of_trajectories_are_the_samples(run, tmp_path, monkeypatch):
    with counted(monkeypatch) as seeds:
        done = proofgrad("eval", run, *ENGINE, "--max-turns", 2, "--output-dir", tmp_path / "e")
    assert done.exit_code == 0, done.exception
    assert "best-of-n" in done.stdout
    assert max(seeds.values()) == 1
    after = Evaluation.load(run / "eval" / "after.json")
    assert Evaluation.load(tmp_path / "e" / "evaluation.json").results == after.results
    rollouts, revised = (read_rows(tmp_path / "e" / f"{name}.parquet") for name in ("rollouts", "revised"))
    assert {row["turn_count"] for row in rollouts} == {1}
    assert 2 in {row["turn_count"] for row in revised}
    assert [row["turns"][0]["completion"] for row in revised] == [row["completion"] for row in rollouts]
    # Further attempts alone: the samples are the first attempt on both sides, and must not count twice on one.
    pool = Counter(row["task"] for row in read_rows(tmp_path / "e" / "best-of-n.parquet"))
    assert set(pool.values()) == {3 * (2 * 2 - 1)}
    sampled = len(rollouts) + sum(row["turn_count"] - 1 for row in revised) + 6 * 3 * 3
    assert sum(seeds.values()) == sampled


def test_other_settings_in_the_same_directory_are_refused_with_the_first_difference(run, tmp_path):
    base = ("eval", run, *ENGINE, "--limit", 2, "--output-dir", tmp_path / "e")
    assert proofgrad(*base, "--samples", 2).exit_code == 0
    assert "was taken with samples 2, and 3 is asked for now: name another --output-dir" in refusal(*base)
    said = refusal(*base[:-3], 3, *base[-2:], "--samples", 2)
    assert "envs.synthesis.limit 2, and 3 is asked for now" in said
    assert "temperature 1.0, and 0.5" in refusal(*base, "--samples", 2, "--temperature", 0.5)
    done = proofgrad(*base, "--samples", 3, "--fresh")
    assert done.exit_code == 0
    assert Evaluation.load(tmp_path / "e" / "evaluation.json").samples == 3


def test_a_full_disk_is_one_line_that_says_how_to_go_on(run, tmp_path, monkeypatch):
    base = ("eval", run, *ENGINE, "--samples", 1, "--limit", 2, "--max-tokens", 4, "--output-dir", tmp_path / "e")
    for writer in ("write_chunk_rows", "write_rows"):
        with monkeypatch.context() as patch:
            full = OSError(28, "No space left on device")
            patch.setattr(evaluation_directory, writer, lambda *_, full=full: (_ for _ in ()).throw(full))
            assert "No space left on device; what is finished is stored: then give the same" in refusal(*base)
    assert proofgrad(*base).exit_code == 0


def test_environments_in_another_order_are_another_evaluation(run):
    asked = resolve(EvaluationOptions(str(run), tasks=("synthesis", "propositional")), "transformers")
    turned = asked.model_copy(update={"envs": asked.envs[::-1]})
    assert difference(asked, turned) == (
        "envs ['synthesis', 'propositional'], and ['propositional', 'synthesis'] is asked for now"
    )


def test_no_entry_of_an_option_that_is_a_list_is_overlooked(run):
    one, other = (
        resolve(EvaluationOptions(str(run)), "transformers").model_copy(
            update={"envs": (SuiteEnv(name="x", options={"rules": [{"weight": weight}, {"weight": 2}]}),)}
        )
        for weight in (0, 1)
    )
    assert difference(one, other) == "envs.x.options.rules.0.weight 0, and 1 is asked for now"


def test_what_is_stored_of_other_tasks_is_not_gone_on_with(run, tmp_path, monkeypatch):
    base = ("eval", run, *ENGINE, "--samples", 1, "--limit", 2, "--max-tokens", 4, "--output-dir", tmp_path / "e")
    assert proofgrad(*base).exit_code == 0
    before = (tmp_path / "e" / "evaluation.json").read_bytes()
    real = type(envs.get("synthesis")).tasks
    monkeypatch.setattr(
        type(envs.get("synthesis")), "tasks", lambda self, split, n, seed: real(self, split, n, seed + 1)
    )
    assert "was asked other tasks than those of now" in refusal(*base)
    assert (tmp_path / "e" / "evaluation.json").read_bytes() == before
    assert proofgrad(*base, "--fresh").exit_code == 0


def test_a_first_write_that_fails_leaves_a_place_to_begin_in(run, tmp_path):
    settings = resolve(EvaluationOptions(str(run)), "transformers")
    (tmp_path / "settings.partial").write_text("{", encoding="utf-8")
    EvaluationDirectory(tmp_path).begin(settings)
    assert EvaluationDirectory(tmp_path).settings() == settings


def test_starting_over_leaves_nothing_of_before_and_cut_short_is_no_stranger(run, tmp_path, monkeypatch):
    settings = resolve(EvaluationOptions(str(run)), "transformers")
    directory = EvaluationDirectory(tmp_path / "e")
    directory.begin(settings)
    (directory.completions / "00000.parquet").write_text("old", encoding="utf-8")
    (directory.path / "evaluation.json").write_text("old", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            directory.begin(settings, fresh=True)
    assert not (directory.path / "evaluation.json").exists()
    directory.begin(settings, fresh=True)
    assert sorted(path.name for path in directory.path.rglob("*")) == ["completions", "settings.json"]


def test_a_directory_with_something_else_in_it_is_left_alone(run, tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    said = refusal("eval", run, *ENGINE, "--output-dir", tmp_path, "--fresh")
    assert "holds something else than an evaluation" in said
    assert (tmp_path / "mine.txt").exists()


def test_retrained_weights_in_the_same_place_are_another_model(tmp_path, both_envs):
    texts = [c for env in both_envs.values() for _, c in env.demonstrations(5, 0)]
    base = (
        "eval",
        tmp_path / "model",
        *ENGINE,
        "--tasks",
        "synthesis",
        "--limit",
        2,
        "--samples",
        1,
        "--max-tokens",
        4,
    )
    for seed in (0, 1):
        save_policy(make_policy(SHAPE, texts, seed=seed), tmp_path / "model")
        if seed == 0:
            assert proofgrad(*base, "--output-dir", tmp_path / "e").exit_code == 0
    assert "was taken with weights model@" in refusal(*base, "--output-dir", tmp_path / "e")


def test_another_seed_asks_other_tasks(run):
    settings, other = (resolve(EvaluationOptions(str(run), seed=seed), "transformers") for seed in (0, 1))
    env = {"synthesis": envs.get("synthesis", max_level=1)}
    first, second = ({task.id for task in held_out_tasks(env, 6, seed)} for seed in (0, 1))
    assert first != second
    assert settings.seed == 0
    assert difference(settings, other).startswith("seed 0, and 1")


def test_settings_read_back_as_they_were_written(run, tmp_path):
    settings = resolve(EvaluationOptions(str(run), max_turns=3, ks=(2, 1)), "transformers")
    (tmp_path / "settings.json").write_text(settings.to_text(), encoding="utf-8")
    assert EvaluationSettings.load(tmp_path / "settings.json") == settings
    assert settings.ks == (1, 2)
    (tmp_path / "settings.json").write_text('{"model": "x"}', encoding="utf-8")
    with pytest.raises(ConfigError, match="'weights' is missing"):
        EvaluationSettings.load(tmp_path / "settings.json")


def test_a_suites_file_says_what_is_asked(run, tmp_path):
    (tmp_path / "two.yaml").write_text(
        "name: two\nenvs: [{name: synthesis, options: {max_level: 1}, limit: 3}, {name: propositional, limit: 2}]\n"
        "samples: 2\nmax_tokens: 6\n",
        encoding="utf-8",
    )
    done = proofgrad("eval", run, *ENGINE, "--tasks", tmp_path / "two.yaml")
    assert done.exit_code == 0, done.exception
    (stored,) = evaluations_in(run / "evaluations" / "two")
    assert stored.evaluation.suite == "two"
    assert stored.evaluation.max_tokens == 6
    assert Counter(r.domain for r in stored.evaluation.results) == {"programs": 3, "theorems": 2}
    assert "overall" in done.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--tasks", "quikc"), "there is no environment and no suite named 'quikc'; environments: "),
        (("--tasks", "nowhere.yaml"), "cannot read the suite 'nowhere.yaml': No such file"),
        (("--tasks", "x.yaml", "--tasks", "synthesis"), "'x.yaml' is a suite, which stands alone"),
        (("--k", "4"), "--k 4 cannot be estimated from 3 samples"),
        (("--temperature", "0"), "--temperature 0 always gives the same completion: add --samples 1"),
        (("--engine", "vlm"), "there is no engine named 'vlm'"),
        (("--style", "chatty"), "--style is 'chatty'; choose"),
        (("--served-model", "x"), "--served-model names a model of an endpoint"),
        (("--no-verify", "--max-turns", "2"), "a revision needs the verdict before it"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(run, tmp_path, args, message):
    assert message in refusal("eval", run, *args, "--output-dir", tmp_path / "e")
    assert not (tmp_path / "e").exists()


def test_a_model_is_named_once():
    assert "name one model to evaluate" in refusal("eval")
    assert "name one model to evaluate" in refusal("eval", "a", "--model", "b")
    assert "there is no model in './nowhere'" in refusal("eval", "./nowhere", "--tasks", "synthesis")


def test_a_run_that_is_not_finished_is_told_from_one_that_is(run, tmp_path):
    (tmp_path / "config.yaml").write_text((run / "config.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert "is not finished: go on with proofgrad train --resume" in refusal("eval", tmp_path)


def test_a_model_without_a_run_has_to_be_told_what_to_ask(run):
    assert "say what to evaluate on: --tasks NAME" in refusal("eval", run / "policy")


def test_verdicts_of_one_chunk_are_waited_for_while_the_next_is_sampled(run, tmp_path, monkeypatch):
    """A slow verifier must not hold the engine up: a chunk is begun before the verdicts on the last one are in."""
    import threading

    sampled = threading.Event()
    real_finish, real_generate = evaluation_run._finish, TransformersEngine.generate
    begun = []

    def finish(directory, number, *rest):
        if number == 0:
            assert sampled.wait(20)
        real_finish(directory, number, *rest)

    def generate(self, source, temperature):
        begun.append(1)
        if len(begun) == 2:
            sampled.set()
        real_generate(self, source, temperature)

    monkeypatch.setattr(evaluation_run, "_finish", finish)
    monkeypatch.setattr(TransformersEngine, "generate", generate)
    options = EvaluationOptions(str(run), engine="transformers", chunk=9)
    result = evaluate_model(options, tmp_path / "e")
    assert len(result.results) == 6
    assert sampled.is_set()


def test_beside_vllm_the_policy_is_not_loaded_a_second_time(run, monkeypatch):
    started = {}
    settings = resolve(EvaluationOptions(str(run / "policy"), tasks=("synthesis",)), "vllm")
    monkeypatch.setattr(evaluation_run, "load_policy", lambda config: pytest.fail("loaded the weights"))
    monkeypatch.setattr(evaluation_run, "start_vllm", lambda path, **options: started.update(options, path=path))
    monkeypatch.setattr(evaluation_run, "VLLMEngine", lambda llm, tokenizer: ("engine", tokenizer))
    with evaluation_run.open_sampler(settings) as sampler:
        assert sampler.context == started["max_model_len"] == SHAPE.context
        assert started["path"] == str(run / "policy")
        assert sampler.tokenizer("fun")["input_ids"]
        assert sampler.engine == ("engine", sampler.tokenizer)
    missing = settings.model_copy(update={"model": str(run)})
    with pytest.raises(ConfigError, match="there is no model in"), evaluation_run.open_sampler(missing):
        pass
