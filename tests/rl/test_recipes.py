"""Recipes: each loads, can be started by the command in its first line, and says what it needs."""

import re
from pathlib import Path

import pytest

from proofgrad import envs
from proofgrad.rl.config import Config, load_config

ROOT = Path(__file__).parents[2]
RECIPES = sorted(ROOT.glob("configs/*.yaml"))
LAUNCHES = sorted(ROOT.glob("configs/accelerate/*.yaml"))
LAUNCHER = r"accelerate launch (?:(?:--multi_gpu --num_processes \d+|--config_file configs/accelerate/\w+\.yaml) )-m "


def first_line(path):
    return path.read_text(encoding="utf-8").splitlines()[0]


def header(path):
    """The comment that a file opens with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(lines[: next(n for n, line in enumerate(lines) if not line.startswith("#"))])


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_a_recipe_opens_with_its_command(recipe):
    command = rf"# (?:proofgrad train|{LAUNCHER}proofgrad\.rl\.train) configs/{re.escape(recipe.name)}"
    assert re.fullmatch(command, first_line(recipe))
    for launch in re.findall(r"configs/accelerate/\w+\.yaml", first_line(recipe)):
        assert (ROOT / launch).is_file()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_a_recipe_is_valid_and_asks_for_environments_that_take_its_options(recipe):
    config = load_config(recipe)
    assert isinstance(config, Config)
    for env in config.envs:
        made = envs.get(env.name, **env.options)
        assert len(list(made.tasks("train", 3, 0))) == 3
        if config.warm_start.demonstrations:
            shown = envs.get(env.name, **{**env.options, **env.demonstration_options})
            assert len(list(shown.demonstrations(3, 0))) == 3


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_a_recipe_is_named_by_task_model_and_hardware(recipe):
    if recipe.stem == "quickstart":
        return
    assert re.fullmatch(r"[a-z]+_[a-z0-9.-]+_(?:cpu|\d+gpu(?:_fsdp|_zero[23])?)", recipe.stem)
    assert recipe.stem.startswith(load_config(recipe).name)
    assert ("scratch" in recipe.stem) == (load_config(recipe).policy.scratch is not None)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_runs_of_different_recipes_do_not_share_a_name(recipe):
    assert sum(load_config(other).name == load_config(recipe).name for other in RECIPES) == 1


@pytest.mark.parametrize("recipe", [path for path in RECIPES if path.stem != "quickstart"], ids=lambda path: path.name)
def test_a_recipe_says_what_memory_it_needs_and_what_was_measured(recipe):
    assert re.search(r"Memory.*, an estimate: .*About \d+ G|Memory, an estimate: .*about \d+ G", header(recipe), re.S)
    assert re.search(r"\b(NOT measured|[Mm]easured)\b", header(recipe))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_the_processes_of_a_recipe_share_its_batch_evenly(recipe):
    found = re.search(r"--num_processes (\d+)", first_line(recipe))
    processes, grpo = int(found[1]) if found else 1, load_config(recipe).grpo
    assert grpo.prompts_per_step * grpo.group_size % (processes * grpo.minibatches * (grpo.micro_batch or 1)) == 0
    assert grpo.prompts_per_step % processes == 0


@pytest.mark.parametrize("launch", LAUNCHES, ids=lambda path: path.name)
def test_accelerate_reads_each_of_its_configurations(launch):
    from accelerate.commands.config.config_args import load_config_from_file

    assert (
        first_line(launch)
        == f"# accelerate launch --config_file configs/accelerate/{launch.name} -m proofgrad.rl.train CONFIG"
    )
    config = load_config_from_file(str(launch))
    kinds = {
        "fsdp": "FSDP",
        "fsdp_server": "FSDP",
        "deepspeed_zero2": "DEEPSPEED",
        "deepspeed_zero3": "DEEPSPEED",
        "two_cpu": "MULTI_GPU",
    }
    assert config.distributed_type.value == kinds[launch.stem]
    assert config.num_processes == {"two_cpu": 2, "fsdp_server": 6}.get(launch.stem, 8)
    assert config.use_cpu == (launch.stem == "two_cpu")


def test_accelerate_takes_the_sharding_from_each_of_its_configurations(tmp_path):
    """What its launcher makes of a file: the stage, or the version, arrives in the arguments."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    def launched(name):
        path = str(ROOT / "configs" / "accelerate" / f"{name}.yaml")
        return _validate_launch_command(launch_command_parser().parse_args(["--config_file", path, "script.py"]))[0]

    assert [launched(f"deepspeed_zero{stage}").zero_stage for stage in (2, 3)] == [2, 3]
    assert all(launched(f"deepspeed_zero{stage}").use_deepspeed for stage in (2, 3))
    assert launched("fsdp").use_fsdp
    assert str(launched("fsdp").fsdp_version) == "2"
    assert (launched("two_cpu").multi_gpu, launched("two_cpu").cpu) == (True, False)
