"""Environments: what to ask, how to read an answer, what to say back."""

from proofgrad.envs.base import HELD_OUT, TRAIN, Env, Message, Prompt, Task
from proofgrad.envs.registry import get, names

__all__ = ["HELD_OUT", "TRAIN", "Env", "Message", "Prompt", "Task", "get", "names"]
