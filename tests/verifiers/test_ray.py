"""Judging on Ray: the same verdicts, actors that die replaced, and a node lost midway without losing an item."""

import os
import sys
from pathlib import Path

import pytest

from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ConfigError, MissingExtraError, ProblemError
from proofgrad.verifiers.many import verify_many
from proofgrad.verifiers.ray_backend import Cluster

sys.path.insert(0, str(Path(__file__).parent / "doubles"))

from misbehaving import Batching, Echo, Misbehaving, Placed, Unmakeable

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}


@pytest.fixture(scope="module")
def local_ray():
    """One local Ray for the tests of this module, stopped at their end."""
    import logging

    import ray

    os.environ.update(QUIET)
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
        object_store_memory=80 << 20,
    )  # fmt: skip
    yield ray
    ray.shutdown()


def test_actors_judge_every_item_once_in_its_own_slot_and_deaths_lose_nothing(local_ray):
    deeds = ["a", "kill", "hang", "raise", "refuse", "b"] + [str(i) for i in range(100)]
    verifier = Misbehaving()
    judged = list(
        verify_many(
            [(verifier, {"n": i}, deed) for i, deed in enumerate(deeds)],
            backend="ray", workers=2, deadline_s=2.0, retries=0, max_unknown=None,
        )
    )  # fmt: skip
    assert sorted(j.index for j in judged) == list(range(len(deeds)))
    odd = {"kill": "infra.worker_died", "hang": "infra.deadline", "raise": "infra.verifier_raised"}
    for j in judged:
        deed = deeds[j.index]
        if deed == "refuse":
            assert isinstance(j.error, ProblemError)
        elif deed in odd:
            assert (j.verdict.outcome, j.verdict.reason) == (Outcome.UNKNOWN, odd[deed])
        else:
            assert j.verdict.feedback == f"{j.index}{deed}"
            assert j.verdict.evidence["pid"] != os.getpid()
    assert local_ray.is_initialized()  # it was not started by the call, so it is not stopped by it


def test_batches_go_to_an_actor_as_one(local_ray):
    judged = list(verify_many([(Batching(), {}, str(i)) for i in range(1)], backend="ray", workers=1))
    assert judged[0].verdict.feedback == "0"
    cluster = Cluster()
    batching = cluster.verifier(Batching(), workers=1)
    sizes = {v.evidence["size"] for v in batching.verify_batch([({}, str(i)) for i in range(4)])}
    assert sizes == {4}
    batching.close()


def test_what_cannot_be_made_in_an_actor_is_a_configuration_error(local_ray):
    (judged,) = verify_many([(Unmakeable(), {}, "x")], backend="ray", workers=1)
    assert isinstance(judged.error, ConfigError)
    assert "no such device" in str(judged.error)


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"proofgrad\[ray\]"):
        verify_many([(Echo(), {}, "x")], backend="ray")


@pytest.mark.slow
def test_a_node_that_is_killed_midway_loses_nothing(monkeypatch):
    """Half a minute: Ray takes its time to notice that a node is gone."""
    import ray
    from ray.cluster_utils import Cluster as TestCluster

    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    if ray.is_initialized():
        ray.shutdown()
    cluster = TestCluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    node = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        verifier, n = Placed(), 1000
        items = ((verifier, {"n": i}, str(i)) for i in range(n))
        judged, nodes = [], set()
        for j in verify_many(items, backend="ray", workers=4, deadline_s=60):
            judged.append(j)
            nodes.add(j.verdict.evidence["node"])
            if node is not None and len(nodes) == 2:  # both are at work
                cluster.remove_node(node, allow_graceful=False)
                node = None
        assert node is None
        assert sorted(j.index for j in judged) == list(range(n))
        assert all(j.verdict.feedback == str(j.index) for j in judged)
    finally:
        ray.shutdown()
        cluster.shutdown()
