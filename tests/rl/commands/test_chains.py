"""``proofgrad chains`` with a policy small enough to make in a second: what is stored, gone on with, and refused."""

import copy
import json
import shutil
from contextlib import contextmanager

import pyarrow.parquet as pq
import pytest

from proofgrad.rl.checks.self_test import load_self_test
from proofgrad.rl.commands.chains import evaluate_chains
from proofgrad.rl.config import Config
from proofgrad.rl.evaluation import chain_results
from proofgrad.rl.evaluation import chains as chains_module
from proofgrad.rl.evaluation.chain_directory import ChainSettings
from proofgrad.rl.evaluation.chain_results import load_chains
from proofgrad.rl.policy import save_policy
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.verifiers.errors import ConfigError, UnhealthyError

ASKED = {
    "envs": ["propositional", "synthesis"], "length": 2, "chains": 3, "revisions": 1, "context": "carried",
    "apart": True, "temperature": 1.0, "max_tokens": 6, "engine": "transformers", "self_test": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def saved_policy(tiny_policy, tmp_path_factory):
    directory = tmp_path_factory.mktemp("policy")
    save_policy(tiny_policy, directory)
    return directory


@contextmanager
def counted(monkeypatch, stop_at=None):
    """Which parts are sampled from here on; the process's work stops at the one with this place."""
    taken = []

    def counting(name):
        real = getattr(chains_module, name)

        def take(*args, **options):
            if len(taken) == stop_at:
                raise KeyboardInterrupt
            taken.append(name)
            return real(*args, **options)

        return take

    with monkeypatch.context() as patch:
        for name in ("follow_chains", "isolate_steps"):
            patch.setattr(chains_module, name, counting(name))
        yield taken


def rows_of(directory):
    names = ("chain", "step", "condition", "completion", "outcome")
    return [[row[name] for name in names] for row in pq.read_table(directory / "chains.parquet").to_pylist()]


@pytest.fixture(scope="module")
def measured(saved_policy, tmp_path_factory):
    """Chains that nothing disturbed."""
    directory = tmp_path_factory.mktemp("chains") / "out"
    evaluation = evaluate_chains(str(saved_policy), **(ASKED | {"self_test": 1}), output_dir=directory)
    return directory, evaluation


def test_the_command_measures_writes_and_reads_back(measured):
    directory, evaluation = measured
    assert [result.name for result in evaluation.results] == ["theorems", "programs"]
    assert load_chains(directory) == evaluation
    assert evaluation.verifiers.keys() == {"lean", "program"}
    assert load_self_test(directory).verifiers == evaluation.verifiers
    assert json.loads((directory / "environment.json").read_text("utf-8"))["verifiers"] == evaluation.verifiers


def test_chains_that_are_finished_are_shown_and_not_sampled_again(measured, saved_policy, monkeypatch):
    directory, evaluation = measured
    with counted(monkeypatch) as taken:
        assert evaluate_chains(str(saved_policy), **ASKED, output_dir=directory) == evaluation
    assert taken == []


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_a_kill_loses_no_part_that_was_finished(measured, saved_policy, tmp_path, monkeypatch, stop_at):
    with counted(monkeypatch, stop_at) as first, pytest.raises(KeyboardInterrupt):
        evaluate_chains(str(saved_policy), **ASKED, output_dir=tmp_path / "cut")
    if stop_at >= 2:
        assert [result.name for result in load_chains(tmp_path / "cut").results] == ["theorems"]
    with counted(monkeypatch) as rest:
        again = evaluate_chains(str(saved_policy), **ASKED, output_dir=tmp_path / "cut")
    assert first + rest == ["follow_chains", "isolate_steps"] * 2
    directory, whole = measured
    assert (again.results, again.tokens) == (whole.results, whole.tokens)
    assert rows_of(tmp_path / "cut") == rows_of(directory)


def test_too_many_verdicts_unknown_lose_nothing_that_was_finished(saved_policy, tmp_path, monkeypatch):
    real, asked = chains_module.isolate_steps, []

    def sick(*args, **options):
        asked.append(1)
        if len(asked) == 2:
            raise UnhealthyError("too many verdicts are UNKNOWN")
        return real(*args, **options)

    monkeypatch.setattr(chains_module, "isolate_steps", sick)
    with pytest.raises(UnhealthyError, match="what is finished is stored: then give the same command again"):
        evaluate_chains(str(saved_policy), **ASKED, output_dir=tmp_path)
    assert [result.name for result in load_chains(tmp_path).results] == ["theorems"]


def test_one_result_that_could_not_be_judged_costs_no_other(saved_policy, tmp_path, monkeypatch, capsys):
    real = chain_results.measure_chains

    def measure(*args, envs, **options):
        if envs == ["propositional"]:
            raise ConfigError("none of 3 chains could be judged")
        return real(*args, envs=envs, **options)

    with monkeypatch.context() as patch:
        patch.setattr(chain_results, "measure_chains", measure)
        found = evaluate_chains(str(saved_policy), **ASKED, output_dir=tmp_path / "out")
        said = " ".join(capsys.readouterr().out.split())
        assert "propositional: none of 3 chains could be judged: the same command takes them again" in said
        with pytest.raises(ConfigError, match=r"^propositional: none of 3 .*chains\.parquet$"):
            evaluate_chains(str(saved_policy), **(ASKED | {"envs": ["propositional"]}), output_dir=tmp_path / "none")
    assert not (tmp_path / "none" / "chains.json").exists()
    assert [result.name for result in found.results] == ["programs"]
    assert len({row[0] for row in rows_of(tmp_path / "out")}) == 6  # the rows of both say what became of them
    with counted(monkeypatch) as taken:
        found = evaluate_chains(str(saved_policy), **ASKED, output_dir=tmp_path / "out")
    assert taken == ["follow_chains", "isolate_steps"]
    assert [result.name for result in found.results] == ["theorems", "programs"]


def test_other_settings_in_the_same_directory_are_refused_with_the_first_difference(saved_policy, tmp_path):
    small = ASKED | {"envs": ["synthesis"], "chains": 2, "length": 1, "output_dir": tmp_path}
    evaluate_chains(str(saved_policy), **small)
    for changed, said in (
        ({"length": 2}, "length 1, and 2 is"), ({"apart": False}, "apart True"), ({"context": "none"}, "carried, and"),
        ({"revisions": 0}, "max_turns 2, and 1"), ({"temperature": 0.0}, "temperature 1.0, and 0.0"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=f"were taken with .*{said}.*--fresh"):
            evaluate_chains(str(saved_policy), **(small | changed))
    assert evaluate_chains(str(saved_policy), **(small | {"length": 2}), fresh=True).length == 2
    (tmp_path / "chains-settings.json").unlink()
    with pytest.raises(ConfigError, match="holds chains of which no settings are recorded: name another"):
        evaluate_chains(str(saved_policy), **small)


def test_without_a_run_and_a_place_results_go_where_evaluations_go(saved_policy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ASKED | {"envs": ["synthesis"], "chains": 2, "length": 1, "output_dir": None}
    evaluation = evaluate_chains(str(saved_policy), **small)
    assert load_chains(tmp_path / "evaluations" / f"{saved_policy.name}-chains") == evaluation


def test_beside_an_evaluation_what_that_was_examined_with_stays(saved_policy, tmp_path):
    for name in ("settings", "environment", "self_test"):
        (tmp_path / f"{name}.json").write_text(f'"{name} of the evaluation"', encoding="utf-8")
    small = ASKED | {"envs": ["synthesis"], "chains": 2, "length": 1, "self_test": 1}
    evaluate_chains(str(saved_policy), **small, output_dir=tmp_path)
    assert load_chains(tmp_path).chains == 2
    for name in ("settings", "environment", "self_test"):
        assert (tmp_path / f"{name}.json").read_text(encoding="utf-8") == f'"{name} of the evaluation"'


@pytest.mark.parametrize(("asked", "wanted"), [("auto", "chat"), ("plain", "plain")])
def test_a_model_that_is_made_for_chat_is_asked_in_messages(tiny_policy, tmp_path, asked, wanted):
    tokenizer = copy.deepcopy(tiny_policy.tokenizer)
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    save_policy(tiny_policy._replace(tokenizer=tokenizer), tmp_path / "chat")
    small = ASKED | {"envs": ["synthesis"], "chains": 2, "length": 1, "max_tokens": 4, "style": asked}
    evaluate_chains(str(tmp_path / "chat"), **small, output_dir=tmp_path / "out")
    settings = ChainSettings.load(tmp_path / "out" / "chains-settings.json")
    assert [env.options["style"] for env in settings.envs] == [wanted]


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"engine": "magic"}, "magic"), ({"context": "all"}, "'all'"), ({"envs": []}, "--env NAME"),
     ({"envs": ["open_end"]}, "open_end"), ({"style": "loud"}, "--style is 'loud'")],
)  # fmt: skip
def test_wrong_usage_is_answered_before_anything_is_loaded(saved_policy, changed, said):
    with pytest.raises(ConfigError, match=said):
        evaluate_chains(str(saved_policy), **(ASKED | changed), output_dir=None)


def test_chains_of_an_endpoint_are_refused_in_one_line():
    with pytest.raises(ConfigError, match="is an endpoint: name a run"):
        evaluate_chains("http://127.0.0.1:9/v1", **ASKED, output_dir=None)


def test_a_run_is_sampled_with_the_weights_as_they_were_trained(saved_policy, tmp_path, monkeypatch):
    config = {"name": "x", "runs_dir": tmp_path, "envs": [{"name": "synthesis"}],
              "policy": {"scratch": {}, "dtype": "bfloat16"}}  # fmt: skip
    run = RunDirectory.create(Config.model_validate(config)).path
    shutil.copytree(saved_policy, run / "policy")
    loaded = []
    monkeypatch.setattr(
        "proofgrad.rl.evaluation.sampler.load_policy", lambda policy: loaded.append(policy.dtype) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        evaluate_chains(
            str(run), envs=[], length=2, chains=2, revisions=0, context="none", apart=False, temperature=1.0,
            max_tokens=4, engine="transformers", output_dir=None, self_test=0,
        )  # fmt: skip
    assert loaded == ["bfloat16"]
