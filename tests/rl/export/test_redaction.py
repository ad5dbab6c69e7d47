"""What an export does not publish: secrets, and where on somebody's machine things lie."""

import json
from pathlib import Path

import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from proofgrad.rl.commands.export import export_command
from proofgrad.rl.config import Config, load_config
from proofgrad.rl.export.policy import export_run
from proofgrad.rl.export.redaction import REMOVED, looks_secret, without_paths, without_secrets

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc /:@.", max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "token", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
SECRET = "s3cr3t-value-of-mine"


@pytest.mark.parametrize(
    "name",
    ["key", "api_key", "apiKey", "API_KEY", "HF_TOKEN", "token", "--token", "access-token", "client_secret", "password",
     "passwd", "envs.0.options.key", "credentials", "Authorization", "OPENAI_API_KEYS"],
)  # fmt: skip
def test_a_name_tells_a_secret(name):
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name", ["max_tokens", "key_value_heads", "token_budget", "tokenizer", "monkey", "turkey", "keyword", "author", ""]
)
def test_a_name_that_is_like_one_tells_none(name):
    assert not looks_secret(name)


def test_no_field_of_a_configuration_looks_secret():
    def names(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield key
                yield from names(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from names(inner)

    assert not [name for name in names(Config.model_json_schema()) if looks_secret(name)]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--token", SECRET, "--steps", "3"], ["--token", REMOVED, "--steps", "3"]),
        ([f"--api-key={SECRET}"], [f"--api-key={REMOVED}"]),
        (["--set", f"options.api_key={SECRET}"], ["--set", f"options.api_key={REMOVED}"]),
        (["--set", f'options={{"token": "{SECRET}", "n": 1}}'], ["--set", f'options={{"token": "{REMOVED}", "n": 1}}']),
        ([f"https://me:{SECRET}@host/v1"], [f"https://{REMOVED}@host/v1"]),
        ([f"https://host/v1?x=1&api_key={SECRET}&y=2"], [f"https://host/v1?x=1&api_key={REMOVED}&y=2"]),
        (["--set", "grpo.steps=3"], ["--set", "grpo.steps=3"]),
        (["--token", "--verbose"], ["--token", "--verbose"]),
    ],
)
def test_arguments_lose_their_secrets_and_nothing_else(arguments, shown):
    assert without_secrets({"command": arguments}) == {"command": shown}


def test_values_lose_their_secrets_and_nothing_else():
    given_ = {
        "options": {"key": SECRET, "url": f"http://u:{SECRET}@h:1/a", "n": 3, "auth": {"user": "me"}, "key_count": 2},
        "said": "export it with hf_" + "a" * 30, "token": 7, "password": 1234, "secrets": [SECRET, None, True],
    }  # fmt: skip
    assert without_secrets(given_) == {
        "options": {"key": REMOVED, "url": f"http://{REMOVED}@h:1/a", "n": 3, "auth": {"user": REMOVED},
                    "key_count": 2},
        "said": f"export it with {REMOVED}", "token": 7, "password": REMOVED, "secrets": [REMOVED, None, True],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/me/runs/quick", "quick"),
        ("'/home/me/runs/quick/' is", "'quick' is"),
        ("~/runs/quick", "quick"),
        ("path=/home/me/x.yaml, and /srv/y/z.", "path=x.yaml, and z."),
        ("https://host/a/b and s3://bucket/a/b", "https://host/a/b and s3://bucket/a/b"),
        ("runs/quick, ./a/b, ../a/b, and/or, 1/2", "runs/quick, ./a/b, ../a/b, and/or, 1/2"),
        ("C:\\Users\\me\\run", "run"),
    ],
)
def test_absolute_paths_are_cut_to_their_last_part(text, shown):
    assert without_paths(text) == shown


def test_an_argument_with_spaces_is_one_path():
    assert without_paths(["/home/me/my runs/quick", "--set", "runs_dir=/home/me/my runs"]) == [
        "quick", "--set", "runs_dir=my runs",
    ]  # fmt: skip


@given(JSON)
def test_cleaning_what_is_clean_changes_nothing(value):
    clean = without_secrets(value)
    assert without_secrets(clean) == clean
    short = without_paths(clean)
    assert without_paths(short) == short


@pytest.fixture
def telling_run(small_run):
    """A run whose configuration and command line hold secrets, in a directory of somebody's."""
    config = yaml.safe_load((small_run / "config.yaml").read_text("utf-8"))
    config["envs"][0]["options"] = {"max_level": 1, "api_key": SECRET, "path": str(Path.home() / "mine" / "a.jsonl")}
    (small_run / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    manifest = json.loads((small_run / "manifest.json").read_text("utf-8"))
    manifest["command"] = ["/home/somebody/bin/proofgrad", "train", "/home/somebody/x.yaml", "--token", SECRET]
    manifest["url"] = f"https://me:{SECRET}@host/v1"
    (small_run / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return small_run


def test_no_secret_of_a_run_is_in_any_file_of_its_export_and_the_card_says_what_was_done(telling_run, tmp_path):
    out = tmp_path / "out"
    facts = export_run(telling_run, out)
    for file in out.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file
    assert SECRET in (telling_run / "config.yaml").read_text("utf-8")  # the run keeps its own
    assert load_config(out / "config.yaml").envs[0].options["api_key"] == REMOVED
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest["command"] == ["proofgrad", "train", "x.yaml", "--token", REMOVED]
    assert manifest["packages"] == json.loads((telling_run / "manifest.json").read_text("utf-8"))["packages"]
    card = (out / "README.md").read_text("utf-8")
    assert f"proofgrad train x.yaml --token {REMOVED}" in card
    for place in ("/home/somebody", str(Path.home() / "mine"), str(telling_run)):
        assert place not in card
        assert place not in (out / "manifest.json").read_text("utf-8")
    assert facts.redacted == ["config.yaml", "manifest.json"]
    assert "replaced by `[removed]` in config.yaml, manifest.json and this card." in card
    assert "cut to their last part in manifest.json and this card." in card


def test_an_address_with_credentials_that_an_evaluation_recorded_is_not_in_the_card(small_run, tmp_path):
    for name in ("before", "after"):
        path = small_run / "eval" / f"{name}.json"
        data = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({**data, "engine": f"https://me:{SECRET}@host/v1"}), "utf-8")
    export_run(small_run, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert SECRET not in card
    assert f"sampled with `https://{REMOVED}@host/v1`" in card
    assert "replaced by `[removed]` in this card." in card


def test_where_there_is_nothing_to_take_out_nothing_is_said_and_no_byte_differs(small_run, tmp_path):
    manifest = json.loads((small_run / "manifest.json").read_text("utf-8"))
    manifest["command"] = ["proofgrad", "train", "x.yaml"]
    (small_run / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    facts = export_run(small_run, tmp_path / "out")
    assert (facts.redacted, facts.shortened) == ([], [])
    for name in ("config.yaml", "manifest.json"):
        assert (tmp_path / "out" / name).read_bytes() == (small_run / name).read_bytes()
    assert "What was taken out" not in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_the_command_says_that_something_is_not_published(telling_run, tmp_path):
    app = typer.Typer()
    app.command()(export_command)
    done = CliRunner().invoke(app, [str(telling_run), str(tmp_path / "out"), "--license", "MIT"])
    assert done.exit_code == 0, done.exception
    assert "values in config.yaml and manifest.json that look secret are not published" in done.output
