"""One validated configuration for a run.

A recipe is a small YAML file; every key is a field below, everything is checked once, here, and the rest of the code
trusts it. An unknown key is an error that names the nearest valid one.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from proofgrad.envs.mixture import Mixture, Share
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.validation import read_yaml, validated

__all__ = [
    "Config",
    "CurriculumConfig",
    "EnvConfig",
    "EvaluationConfig",
    "FrontierConfig",
    "GRPOSettings",
    "GenerationConfig",
    "LoopConfig",
    "LoraSettings",
    "PolicyConfig",
    "RefillConfig",
    "ScratchPolicy",
    "VerificationConfig",
    "WarmStartConfig",
    "load_config",
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ScratchPolicy(_Section):
    """Shape of a Qwen3-style policy made from scratch."""

    hidden_size: int = Field(192, ge=32)
    intermediate_size: int = Field(512, ge=32)
    layers: int = Field(4, ge=1)
    heads: int = Field(6, ge=1)
    key_value_heads: int = Field(2, ge=1)
    head_dim: int = Field(32, ge=16)
    """vLLM supports 32, 64, 80, 96, 112, 128, 192 and 256."""
    vocab_size: int = Field(512, ge=258)
    """Upper bound on the tokenizer's size: 256 bytes, 2 special tokens, and merges learned from demonstrations."""
    initializer_range: float = Field(0.06, gt=0)
    """Standard deviation of the first weights. 0.02 suits wide models; a narrow one learns faster from more."""
    context: int = Field(512, ge=32)
    """Longest prompt and completion together, in tokens."""


class LoraSettings(_Section):
    """Low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685): a layer learns `alpha / rank` times B A beside its
    frozen weight, with A and B of `rank` rows and columns."""

    rank: int = Field(16, ge=1)
    alpha: float = Field(32.0, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of an adapter's inputs that are set to 0 while training. Ratios of new to old probabilities then carry the
    noise of different masks: leave it at 0 unless an adapter overfits."""
    target_modules: Literal["all-linear"] | list[str] = "all-linear"
    """The layers that get adapters: all linear ones but the output layer, or names such as [q_proj, v_proj]."""

    @model_validator(mode="after")
    def _names_layers(self) -> LoraSettings:
        if not self.target_modules:
            raise ValueError("target_modules is empty: name layers, or write all-linear")
        return self


class PolicyConfig(_Section):
    """The policy to train: `path` of an existing one, or `scratch` to make a small one."""

    path: str | None = None
    """A directory, or a name on the Hugging Face Hub."""
    scratch: ScratchPolicy | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    lora: LoraSettings | None = None
    """Train adapters instead of the weights; null trains the weights."""

    @model_validator(mode="after")
    def _one_of(self) -> PolicyConfig:
        if (self.path is None) == (self.scratch is None):
            raise ValueError("give exactly one of 'path' and 'scratch'")
        return self


class EnvConfig(_Section):
    """One environment of the mixture."""

    name: str
    """As registered: `proofgrad doctor` lists the installed ones."""
    options: dict[str, Any] = Field(default_factory=dict)
    """For the environment's constructor, e.g. min_level and max_level. They hold for training and evaluation."""
    demonstration_options: dict[str, Any] = Field(default_factory=dict)
    """Override `options` for the warm start's demonstrations, e.g. to keep them easier than the tasks."""
    weight: float = Field(1.0, gt=0)
    """Share of the training tasks, relative to the other environments."""
    at_least: float = Field(0.0, ge=0, le=1)
    """Smallest share of the groups of every step, whatever the weights; rounded up to whole groups."""
    at_most: float = Field(1.0, ge=0, le=1)
    """Largest share of the groups of every step; rounded down to whole groups."""


class WarmStartConfig(_Section):
    """Supervised start on demonstrations, for a policy that cannot yet score."""

    demonstrations: int = Field(4000, ge=0)
    """For each environment; 0 leaves the warm start out."""
    revisions: int = Field(0, ge=0)
    """Demonstrated tasks of each environment that the policy tries once after that start. Its failed attempts, each
    with the verifier's feedback behind it and a completion that passes to learn, make a second start, mixed with plain
    demonstrations of the same tasks. A tokenizer made from scratch then knows feedback's words. 0 leaves it out."""
    revision_rounds: int = Field(1, ge=1)
    """How often that is done, each time with attempts of the policy as it then is, at other tasks."""
    epochs: float = Field(1.0, gt=0)
    batch_size: int = Field(64, ge=1)
    learning_rate: float = Field(2e-3, gt=0)


class FrontierConfig(_Section):
    """Which tasks are worth a step: those that the starting policy solves sometimes.

    Before the first step every task of a pool is tried `samples` times; tasks solved every time or never carry no
    advantage and are left out.
    """

    pool: int = Field(0, ge=0)
    """Tasks to try, over all environments; 0 trains on unfiltered tasks."""
    samples: int = Field(4, ge=2)


class RefillConfig(_Section):
    """Dynamic sampling (DAPO, Yu et al. 2025, arXiv 2503.14476): groups that teach nothing give way to others.

    A group whose judged completions are all verified or all failed is replaced by a group of another task of its
    environment, so that the batch stays full. Outcomes alone decide: partial credit and discounts have no say.
    """

    rounds: int = Field(0, ge=0)
    """Most rounds of replacement in a step; each samples once for every group that still teaches nothing. 0 never."""


class CurriculumConfig(_Section):
    """Adaptive choice among the environments' levels, by measured solve rates (`proofgrad.envs.curriculum`).

    The idea: solve rates in the middle teach most (Bae et al. 2025, arXiv 2504.03380); the beliefs are those of
    discounted Thompson sampling (Raj and Kalyani 2017, arXiv 1707.09727). It replaces the order that is otherwise fixed
    before the first step. Leave `frontier.pool` at 0 with it, so that levels out of reach at first are there later.
    """

    enabled: bool = False
    low: float = Field(0.1, ge=0, le=1)
    """Lower end of the band of solve rates that are worth training on."""
    high: float = Field(0.5, ge=0, le=1)
    """Upper end of the band."""
    floor: float = Field(0.1, gt=0, le=1)
    """Share of the groups that goes to all levels of an environment alike."""
    decay: float = Field(0.95, gt=0, le=1)
    """What a result counts for one step later, relative to a new one."""

    @model_validator(mode="after")
    def _in_order(self) -> CurriculumConfig:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        return self


class GRPOSettings(_Section):
    """Group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300), as TRL implements it."""

    steps: int = Field(100, ge=0)
    """Generation steps: each samples, verifies and updates once over."""
    prompts_per_step: int = Field(16, ge=1)
    group_size: int = Field(16, ge=2)
    """Completions of one prompt."""
    minibatches: int = Field(1, ge=1)
    """Optimizer updates for each generation step."""
    micro_batch: int | None = Field(None, ge=1)
    """Completions in one forward pass of one process; None takes a whole minibatch at once."""
    learning_rate: float = Field(1e-4, gt=0)
    warmup_steps: int = Field(0, ge=0)
    """Optimizer updates (not generation steps) over which the learning rate rises from 0."""
    kl_coefficient: float = Field(0.0, ge=0)
    """Weight of the KL divergence from the policy at the start of GRPO."""
    measure_kl: bool = False
    """Measure that divergence where its weight is 0 as well; costs a copy of the policy and a forward pass a step. How
    much a policy forgets goes with its distance from the start (Shenfeld et al. 2025, arXiv 2509.04259, who measure it
    in the other direction)."""
    clip_low: float = Field(0.2, gt=0)
    clip_high: float = Field(0.28, gt=0)
    """Upper clip range; above `clip_low` it favours exploration (DAPO, arXiv 2503.14476)."""
    loss_type: Literal["grpo", "dr_grpo", "dapo", "bnpo"] = "dr_grpo"
    scale_rewards: Literal["group", "batch", "none"] = "none"
    max_grad_norm: float = Field(0.5, gt=0)
    bf16: bool = False
    """Compute in bfloat16 with the weights and the optimizer as they are (autocast)."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: less memory, a third more time."""
    frontier: FrontierConfig = FrontierConfig()
    refill: RefillConfig = RefillConfig()
    curriculum: CurriculumConfig = CurriculumConfig()
    unlikeliness: float = Field(0.0, ge=0, lt=1)
    """How much less the likeliest verified completion of a group is worth than the least likely one would be, against
    sharpening (beta_rank of He et al. 2025, arXiv 2506.02355); 0 rewards all alike."""
    entropy_floor: float = Field(0.0, ge=0)
    """Stop, and go back to the best checkpoint, when the policy's mean entropy (nats per token, averaged over
    `collapse_window` steps) falls below this; 0 never stops. What entropy is left bounds what can still be gained
    (Cui et al. 2025, arXiv 2505.22617)."""
    collapse_window: int = Field(10, ge=1)
    """Steps over which the solved share is averaged to notice a collapse."""
    collapse_ratio: float = Field(0.5, ge=0, lt=1)
    """Stop, and go back to the best checkpoint, when the average falls below this share of its best; 0 never stops."""
    save_steps: int = Field(20, ge=1)
    """Steps between checkpoints."""

    @model_validator(mode="after")
    def _divides(self) -> GRPOSettings:
        completions = self.prompts_per_step * self.group_size
        if completions % self.minibatches:
            raise ValueError(
                f"minibatches ({self.minibatches}) must divide prompts_per_step * group_size ({completions})"
            )
        if self.micro_batch and completions // self.minibatches % self.micro_batch:
            raise ValueError(
                f"micro_batch ({self.micro_batch}) must divide prompts_per_step * group_size / minibatches "
                f"({completions // self.minibatches})"
            )
        return self


class GenerationConfig(_Section):
    """How completions are sampled while training."""

    engine: Literal["auto", "vllm", "transformers"] = "auto"
    """auto takes vLLM where it is installed, and says which it took and why."""
    temperature: float = Field(1.0, gt=0)
    max_tokens: int = Field(128, ge=1)
    vllm_memory: float = Field(0.3, gt=0, lt=1)
    """Share of GPU memory for vLLM; without a GPU, `VLLM_CPU_KVCACHE_SPACE` (GiB) decides."""
    vllm_mode: Literal["colocate", "server"] = "colocate"
    """colocate starts vLLM in each training process, on its GPU; server samples from a `vllm serve` on other GPUs."""
    server_url: str = Field("http://127.0.0.1:8000", pattern=r"^https?://[^/\s]+/?$")
    """Where that server listens."""
    server_timeout_s: float = Field(240.0, ge=0)
    """Seconds to wait for the server to be up when the run starts."""
    request_timeout_s: float = Field(600.0, gt=0)
    """Seconds without an answer after which a request has failed, and with it the run, which can then be resumed."""
    server_requests: int = Field(256, ge=1)
    """Completions that each training process has under way at the server at once."""
    server_group_port: int = Field(51216, ge=1, le=65535)
    """Port of the main process over which the server fetches new weights."""

    @model_validator(mode="after")
    def _server_is_vllm(self) -> GenerationConfig:
        if self.vllm_mode == "server" and self.engine == "transformers":
            raise ValueError("vllm_mode: server samples with vLLM: set engine to vllm or auto")
        return self


class LoopConfig(_Section):
    """How often the policy may revise an attempt against the verifier's answer, and what that is worth."""

    max_turns: int = Field(1, ge=1)
    """Attempts at one task; 1 never shows the policy a verdict."""
    next_attempt: Literal["revise", "fresh", "alternate", "when_stuck"] = "revise"
    """What follows a failed attempt. revise: another, behind the verifier's feedback. fresh: the bare prompt again, as
    if for the first time. alternate: a revision, then a fresh attempt, in turn. when_stuck: revisions until one repeats
    the attempt before it, by its candidate or by its error in the same words, then a fresh attempt. The last two also
    begin afresh where the context has no room for a revision. Attempts before the last fresh one are not trained on."""
    token_budget: int | None = Field(None, ge=1)
    """Most tokens that the policy may write for one task, over all turns; None bounds each turn alone."""
    halt_on_repeat: bool = True
    """Stop when an attempt is the one before again, or fails in the same words; for `next_attempt: revise`."""
    discount: float = Field(1.0, gt=0, le=1)
    """A task verified at turn t (from 0, counted since it was last begun afresh) is worth discount ** t."""
    partial_credit: float = Field(0.0, ge=0, lt=1)
    """What a failed task's best score counts, relative to the least that a verified one is worth. Whether a task is on
    the frontier is decided by outcomes alone."""


class EvaluationConfig(_Section):
    """Held-out evaluation before and after training, on the same tasks."""

    tasks: int = Field(200, ge=2)
    """For each environment."""
    samples: int = Field(4, ge=1)
    """Completions of each task."""
    temperature: float = Field(1.0, ge=0)
    """0 is greedy decoding, and then `samples` must be 1."""

    @model_validator(mode="after")
    def _greedy_once(self) -> EvaluationConfig:
        if self.temperature == 0 and self.samples != 1:
            raise ValueError("temperature 0 always gives the same completion: set samples to 1")
        return self


class VerificationConfig(_Section):
    """How candidates are judged."""

    workers: int = Field(2, ge=1)
    """Judgements under way at once."""
    retries: int = Field(2, ge=0)
    """How often an UNKNOWN verdict is tried again before the completion is left out of the update."""
    isolate: bool = False
    """Judge in killable processes, with a deadline from outside, for verifiers that may hang."""
    deadline_s: float = Field(60.0, gt=0)
    """Seconds for one judgement there; past it the verdict is UNKNOWN."""
    max_unknown: float | None = Field(0.5, ge=0, le=1)
    """Stop the run, which can then be resumed, when more of the last 100 verdicts are UNKNOWN; null never stops."""
    self_test: int = Field(10, ge=0)
    """Right answers of each environment to test the verifiers with before a run, beside damaged ones and cheats;
    a cheat that passes stops it. 0 leaves the test out."""
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Constructor options by verifier, e.g. {program: {require_isolation: true}}."""


class Config(_Section):
    """Everything a run needs; stored resolved as config.yaml in the run directory."""

    name: str
    """The run directory is `runs_dir`/`name`."""
    runs_dir: Path = Path("runs")
    seed: int = Field(0, ge=0)
    policy: PolicyConfig
    envs: list[EnvConfig] = Field(min_length=1)
    warm_start: WarmStartConfig = WarmStartConfig()
    grpo: GRPOSettings = GRPOSettings()
    generation: GenerationConfig = GenerationConfig()
    loop: LoopConfig = LoopConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    verification: VerificationConfig = VerificationConfig()
    report_to: list[Literal["tensorboard", "trackio", "wandb"]] = Field(default_factory=list)
    """Trackers that get the metrics too, each a package of its own; metrics.jsonl has them always."""

    @model_validator(mode="after")
    def _distinct_envs(self) -> Config:
        names = [env.name for env in self.envs]
        if len(set(names)) != len(names):
            raise ValueError("envs: each environment may stand once")
        return self

    @model_validator(mode="after")
    def _shares_fit(self) -> Config:
        try:
            self.mixture().check(self.grpo.prompts_per_step)
        except ConfigError as error:
            raise ValueError(f"envs: {error}") from error
        return self

    def mixture(self, names: Collection[str] | None = None) -> Mixture:
        """How the groups of a step are shared out among the environments, or those of them that are named."""
        chosen = [env for env in self.envs if names is None or env.name in names]
        return Mixture([Share(env.name, env.weight, env.at_least, env.at_most) for env in chosen])

    @property
    def run_dir(self) -> Path:
        """Where this run keeps everything."""
        return self.runs_dir / self.name

    def to_yaml(self) -> str:
        """The resolved configuration."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def load_config(path: Path, overrides: list[str] | None = None) -> Config:
    """Read a recipe.

    Args:
        path: the YAML file.
        overrides: ``dotted.key=value`` with a YAML value, applied on top.

    Raises:
        ConfigError: one line that names the file, the key and what is allowed there.
    """
    data = read_yaml(path, "configuration", "configs/quickstart.yaml")
    for override in overrides or []:
        _apply(data, override)
    return validated(Config, data, f"'{path}'")


def _apply(data: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"'{override}' is no override: write dotted.key=value, e.g. grpo.steps=10")
    *parents, last = key.split(".")
    node = data
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise ConfigError(f"override '{override}': '{parent}' holds a value, not a section")
    try:
        node[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"override '{override}': the value is not valid YAML") from error
