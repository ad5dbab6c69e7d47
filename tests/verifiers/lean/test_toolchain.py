import concurrent.futures
import signal
from pathlib import Path

import pytest

from proofgrad.verifiers import MissingExtraError, ToolchainError
from proofgrad.verifiers.lean import toolchain as module
from proofgrad.verifiers.lean.toolchain import Toolchain, cache_directory, find_library


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROOFGRAD_CACHE", str(tmp_path))
    assert cache_directory() == tmp_path


def test_a_missing_wheel_names_the_command_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'proofgrad\[lean\]'"):
        find_library()


def test_another_platform_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.platform, "machine", lambda: "aarch64")
    with pytest.raises(ToolchainError, match="aarch64"):
        find_library()


def test_a_library_that_is_not_ours_is_never_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROOFGRAD_CACHE", str(tmp_path))
    fake = tmp_path / "libleanshared.so"
    fake.write_bytes(b"not lean")
    with pytest.raises(ToolchainError, match="SHA-256"):
        Toolchain(library=fake)


def test_a_changed_library_is_hashed_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROOFGRAD_CACHE", str(tmp_path))
    fake = tmp_path / "libleanshared.so"
    fake.write_bytes(b"good")
    digest = module.hashlib.sha256(b"good").hexdigest()
    Toolchain(library=fake, sha256=digest)
    fake.write_bytes(b"evil")
    with pytest.raises(ToolchainError, match="SHA-256"):
        Toolchain(library=fake, sha256=digest)


def test_several_at_once_compile_the_base_library_into_one_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROOFGRAD_CACHE", str(tmp_path))
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        paths = set(threads.map(lambda _: Toolchain().base_path(), range(3)))
    assert len(paths) == 1
    assert len(list(paths.pop().glob("*.olean"))) == len(module.BASE_SOURCES)
    assert not list((tmp_path / "lean").glob("build-*"))


def test_a_cache_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lean").write_text("in the way")
    monkeypatch.setenv("PROOFGRAD_CACHE", str(tmp_path))
    with pytest.raises(ToolchainError, match="PROOFGRAD_CACHE"):
        Toolchain().base_path()


def test_a_run_past_its_wall_clock_is_killed(tmp_path: Path) -> None:
    (tmp_path / "a.lean").write_text(f"prelude\nimport {module.BASE_MODULE}\n")
    tmp_path.chmod(0o777)
    run = Toolchain().run(["a.lean"], tmp_path, cpu_seconds=5, wall_seconds=0.001)
    assert run.status is None


def test_a_run_past_its_processor_time_is_killed(tmp_path: Path) -> None:
    loop = "(rfl : Nat.rec (motive := fun _ => Nat) 0 (fun _ k => k) 1000000000 = 0)"
    (tmp_path / "a.lean").write_text(
        f"prelude\nimport {module.BASE_MODULE}\ntheorem a : True := (fun _ => trivial) {loop}\n"
    )
    tmp_path.chmod(0o777)
    run = Toolchain().run(["a.lean"], tmp_path, cpu_seconds=1, wall_seconds=60)
    assert run.status == -signal.SIGXCPU
    assert run.cpu_seconds > 0.3  # of the process inside the namespaces, not of those that wait for it


def test_lean_is_shut_in_and_says_so_before_it_reads_anything(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "a.lean").write_text("prelude\n")
    run = Toolchain().run(["a.lean"], tmp_path, cpu_seconds=5, wall_seconds=60)
    assert run.status == 0
    missing = {name: state for name, state in run.layers.items() if state != "active"}
    assert missing == {}
    assert {"network", "pid", "root", "landlock", "seccomp", "uid"} <= run.layers.keys()


def test_lean_finds_no_file_but_its_own(tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    room.chmod(0o777)
    (tmp_path / "Secret.lean").write_text("prelude\n")
    (room / "a.lean").write_text("prelude\n")
    run = Toolchain().run([str(tmp_path / "Secret.lean")], room, cpu_seconds=5, wall_seconds=60)
    assert run.status == 1
    assert "no such file" in run.stdout + run.stderr
    outside = Toolchain().run(["-o", str(tmp_path / "a.olean"), "a.lean"], room, cpu_seconds=5, wall_seconds=60)
    assert outside.status != 0
    assert not (tmp_path / "a.olean").exists()
