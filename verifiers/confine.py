"""The isolation layers that candidates run behind, as plain functions over raw system calls.

Run only inside the processes that candidates get (`code/zygote.py`, `lean/driver.py`, `lean/audit_worker.py`), some of
them on a bare interpreter: standard library only, and no import of the rest of the package. Every function reports what
it achieved instead of raising, because a missing layer is for the parent to judge: `"active"`, or `"missing: <why>"`.

Sources: unshare(2), setns(2), pivot_root(2), mount(2), landlock(7), seccomp(2), prctl(2), capset(2),
user_namespaces(7), pid_namespaces(7), and the kernel's Documentation/userspace-api/{landlock,seccomp_filter}.rst.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import random
import resource
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import socket

__all__ = [
    "ACTIVE",
    "Layers",
    "Spawn",
    "become_init",
    "die_with_parent",
    "drop_privileges",
    "enter_namespaces",
    "forbid_syscalls",
    "limit_resources",
    "new_pid_namespace",
    "prepare_filter",
    "prepare_rules",
    "private_uid",
    "replace_root",
    "restrict_files",
    "return_to_pid_namespace",
    "unshare_ipc",
]

Layers = dict[str, str]
Spawn: TypeAlias = Literal["nothing", "threads", "processes"]
ACTIVE = "active"

NOBODY = 65534
# Numbers that no distribution gives away: systemd's "Users, Groups, UIDs and GIDs" leaves 0x70000000 and above unused.
_PRIVATE_UIDS = range(0x7000_0000, 0x7100_0000)
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
_ALL_NEW = 0x7E020080  # every CLONE_NEW* flag, time and cgroup namespaces too

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_MODE_FILTER = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _missing(what: str) -> str:
    code = ctypes.get_errno()
    return f"missing: {what}: {errno.errorcode.get(code, code)}"


def _call(name: str, *arguments: object) -> bool:
    """Call a libc function; False when it failed or does not exist here (errno tells which)."""
    function = getattr(_libc, name, None)
    if function is None:
        ctypes.set_errno(errno.ENOSYS)
        return False
    return bool(function(*arguments) != -1)


def _syscall(number: int, *arguments: object) -> int:
    if sys.platform != "linux":
        ctypes.set_errno(errno.ENOSYS)
        return -1
    _libc.syscall.restype = ctypes.c_long
    return int(_libc.syscall(ctypes.c_long(number), *arguments))


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> bool:
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    return _call("mount", *encoded, ctypes.c_ulong(flags), None if data is None else data.encode())


def enter_namespaces() -> Layers:
    """Leave the host's network, IPC, UTS, mount and (for the next children) PID namespaces, once for the zygote's life.

    Anyone but root first enters a user namespace, where it appears as nobody and holds the capabilities that the rest
    needs; `drop_privileges` takes them from the candidate.
    """
    layers: Layers = {}
    if os.geteuid() != 0:
        layers["user"] = _enter_user_namespace()
    for name, flag in (
        ("network", CLONE_NEWNET),
        ("ipc", CLONE_NEWIPC),
        ("uts", CLONE_NEWUTS),
        ("mount", CLONE_NEWNS),
        ("pid", CLONE_NEWPID),
    ):
        layers[name] = ACTIVE if _call("unshare", flag) else _missing("unshare")
    return layers


def _enter_user_namespace() -> str:
    uid, gid = os.geteuid(), os.getegid()
    if not _call("unshare", CLONE_NEWUSER):
        return _missing("unshare")
    try:
        # setgroups must be given up before an unprivileged process may write its gid_map: user_namespaces(7).
        for name, line in (
            ("setgroups", "deny"),
            ("uid_map", f"{NOBODY} {uid} 1"),
            ("gid_map", f"{NOBODY} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line)
    except OSError as error:
        return f"missing: uid_map: {errno.errorcode.get(error.errno or 0, error.errno)}"
    return ACTIVE


def new_pid_namespace() -> bool:
    """Make the next fork the init process of a PID namespace of its own."""
    return _call("unshare", CLONE_NEWPID)


def return_to_pid_namespace(namespace_fd: int) -> bool:
    """Undo `new_pid_namespace` for the forks after it (unshare refuses to nest while children go elsewhere)."""
    return _call("setns", namespace_fd, CLONE_NEWPID)


def die_with_parent() -> None:
    """Be killed when the process that forked this one ends."""
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def become_init(control: socket.socket) -> None:
    """Go on in a child that is init of the new PID namespace; this process only waits for it, without the channel.

    What the child forks gets namespaces nested in this one, which a process without privileges on the host may also
    return from, and the death of either process takes everything inside along.
    """
    child = os.fork()
    if child == 0:
        die_with_parent()
        return
    control.close()
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def unshare_ipc() -> str:
    """A fresh IPC namespace, so that System V objects made by one candidate are gone with it."""
    return ACTIVE if _call("unshare", CLONE_NEWIPC) else _missing("unshare")


def replace_root(
    readable: list[str],
    writable: Sequence[str] = (),
    devices: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
) -> str:
    """Swap the whole file system for an empty read-only one that holds only the directories `readable`, at their paths.

    Those in `writable` are there as well, and stay writable; `devices` are single device files, `links` symbolic links
    and where they point.
    The directories above them are made anew and world-readable, so that an interpreter inside a private home stays
    usable after the uid has changed. Needs the mount namespace of `enter_namespaces`.
    """
    base = "/tmp"
    if not _mount(None, "/", None, MS_REC | MS_PRIVATE):
        return _missing("make mounts private")
    if not _mount("tmpfs", base, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0755"):
        return _missing("mount tmpfs")
    os.mkdir(base + "/.old")
    old_mask = os.umask(0o022)
    # pivot_root(2) uncovers what the new tmpfs lay on, so that sources below /tmp can be bound as well.
    _libc.pivot_root.restype = ctypes.c_int
    if not _call("pivot_root", base.encode(), (base + "/.old").encode()):
        return _missing("pivot_root")
    os.chdir("/")
    for path, target in (links or {}).items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)
    for path in devices:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o444))
        if not _mount("/.old" + path, path, None, MS_BIND):
            return _missing("bind mount of a device")
    for path in [*readable, *writable]:
        os.makedirs(path, exist_ok=True)
        if not _mount("/.old" + path, path, None, MS_BIND | MS_REC):
            return _missing("bind mount")
        access = MS_RDONLY if path in readable else 0
        if not _mount(None, path, None, MS_REMOUNT | MS_BIND | access | _locked_flags(path)):
            return _missing("bind mount with its flags")
    if not _call("umount2", b"/.old", MNT_DETACH):
        return _missing("detach the old root")
    os.rmdir("/.old")
    os.umask(old_mask)
    if not _mount(None, "/", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV):
        return _missing("read-only root")
    return ACTIVE


def _locked_flags(path: str) -> int:
    """The mount flags that a user namespace may not clear when it remounts: mount_namespaces(7)."""
    found = os.statvfs(path).f_flag
    kept = found & (os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)  # the same numbers as MS_*
    relatime = 1 << 21 if found & os.ST_RELATIME else 0  # this one is not
    return MS_NOSUID | MS_NODEV | kept | relatime


def limit_resources(cpu_seconds: int, memory_bytes: int, tasks: int) -> str:
    """Set the resource limits; soft and hard alike, so that they cannot be raised again.

    `tasks` are threads and processes together, of one user id.
    """
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,  # also bounds memfd_create, whose pages RLIMIT_AS does not count
        "RLIMIT_NOFILE": 32,
        "RLIMIT_NPROC": tasks,
        "RLIMIT_CPU": cpu_seconds,
        "RLIMIT_AS": memory_bytes,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_SIGPENDING": 64,
        "RLIMIT_RTPRIO": 0,  # a priority above the judge's would starve it
        "RLIMIT_NICE": 0,
    }
    refused = []
    for name, value in wanted.items():
        which = getattr(resource, name, None)
        if which is None:
            continue
        try:
            hard = resource.getrlimit(which)[1]
            limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(which, (limit, limit))
        except (OSError, ValueError):
            refused.append(name)
    return f"missing: refused {', '.join(refused)}" if refused else ACTIVE


def private_uid() -> int:
    """A user id for the candidates of one sandbox: the kernel counts threads and processes by user id.

    As nobody, like the candidates of every other sandbox, one could use up what its neighbours may have.
    """
    return random.choice(_PRIVATE_UIDS)


def drop_privileges(uid: int = NOBODY, *, keep_uid: bool = False) -> Layers:
    """Become `uid` (if root, unless `keep_uid`), give up every capability, and bar the way back.

    Where this machine knows no such user id, as in containers that map only some, it is nobody.
    """
    layers: Layers = {}
    if os.geteuid() == 0 and keep_uid:
        layers["uid"] = "missing: files that are needed belong to root"
    elif os.geteuid() == 0:
        for number in (uid, NOBODY):
            try:
                os.setgroups([])
                os.setresgid(number, number, number)
                os.setresuid(number, number, number)
                layers["uid"] = ACTIVE
                break
            except OSError as error:
                layers["uid"] = f"missing: setresuid: {errno.errorcode.get(error.errno or 0, error.errno)}"
    else:
        layers["uid"] = ACTIVE
    header = struct.pack("Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    layers["capabilities"] = ACTIVE if _call("capset", header, bytes(24)) else _missing("capset")
    # After the credentials have changed, since that clears the parent-death signal: prctl(2).
    die_with_parent()
    _call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)
    layers["no_new_privs"] = ACTIVE if _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) else _missing("prctl")
    return layers


def prepare_rules(readable: list[str], writable: Sequence[str] = (), devices: Sequence[str] = ()) -> int | str:
    """Landlock: a descriptor of rules that allow reading below `readable` only; no TCP, no signals or sockets outside.

    Below `writable` plain files may also be made, written and removed; `devices` are single files to read.

    Made once, with the zygote's rights: the candidate's may not reach an interpreter in a private home.
    """
    abi = _syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if abi < 1:
        return _missing("landlock_create_ruleset")
    fs = (1 << 13) - 1  # ABI 1: execute, write, read, make and remove of every kind
    fs |= 1 << 13 if abi >= 2 else 0  # refer
    fs |= 1 << 14 if abi >= 3 else 0  # truncate
    fs |= 1 << 15 if abi >= 5 else 0  # ioctl on devices
    attributes = struct.pack("QQQ", fs, 3, 3)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    ruleset = _syscall(444, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    if ruleset < 0:
        return _missing("landlock_create_ruleset")
    for path in [*readable, *writable, *devices]:
        try:
            fd = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
        except OSError as error:
            return f"missing: {error.strerror}"
        allowed = (1 << 2) | (1 << 3)  # read files, list directories
        if path in devices:
            allowed = 1 << 2
        elif path not in readable:
            # write files, remove and make them, cut them short
            allowed |= (1 << 1) | (1 << 5) | (1 << 8) | (fs & 1 << 14)
        rule = struct.pack("=Qi", allowed, fd)
        added = _syscall(445, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
        os.close(fd)
        if added < 0:
            return _missing("landlock_add_rule")
    return ruleset


def restrict_files(rules: int | str) -> str:
    """Apply the landlock rules to this process, for good; after `drop_privileges`, which sets no_new_privs."""
    if isinstance(rules, str):
        return rules
    if _syscall(446, ctypes.c_int(rules), ctypes.c_uint32(0)) < 0:
        return _missing("landlock_restrict_self")
    return ACTIVE


# System calls that no pure function needs: (number on x86-64, number on arm64), from the kernel's syscall tables.
_DENIED = {
    "socket": (41, 198), "connect": (42, 203), "accept": (43, 202), "bind": (49, 200), "listen": (50, 201),
    "accept4": (288, 242), "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semctl": (66, 191),
    "msgget": (68, 186), "msgctl": (71, 187), "msgsnd": (69, 189), "mq_open": (240, 180),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "personality": (135, 92), "syslog": (103, 116), "move_pages": (279, 239), "migrate_pages": (256, 238),
    # Nothing can kill a process that waits for the whole machine's disks; watching files shows what neighbours do.
    "sync": (162, 81), "syncfs": (306, 267), "inotify_init": (253, 26), "inotify_init1": (294, 26),
    "fanotify_init": (300, 262), "pidfd_send_signal": (424, 424),
}  # fmt: skip
_CLONE, _CLONE3 = (56, 220), 435
_CLONE_THREAD = 0x00010000
_X86_FORKS = (57, 58)  # fork and vfork; arm64 has only clone
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def prepare_filter(spawn: Spawn) -> bytes | str:
    """The seccomp program, or why there is none; made once, before the forks, since it takes longer than loading it.

    `spawn` says what may be started: RLIMIT_NPROC does not tell threads from processes, nor does it bind a root whose
    uid cannot be changed.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _ARCHITECTURES:
        return f"missing: no filter for {sys.platform} {machine}"
    column, audit_arch = _ARCHITECTURES[machine]
    load, jump_equal, jump_at_least, jump_any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill = 0x7FFF0000, 0x80000000
    refuse, unknown = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
    code = [
        (load, 0, 0, 4),  # seccomp_data.arch
        (jump_equal, 1, 0, audit_arch),
        (give, 0, 0, kill),
        (load, 0, 0, 0),  # seccomp_data.nr
        (jump_at_least, 0, 1, 0x40000000),  # the x32 ABI reaches the same calls under other numbers
        (give, 0, 0, kill),
        # glibc falls back to clone, whose flags can be inspected, when clone3 does not exist.
        (jump_equal, 0, 1, _CLONE3),
        (give, 0, 0, unknown),
    ]
    for numbers in _DENIED.values():
        code += [(jump_equal, 0, 1, numbers[column]), (give, 0, 0, refuse)]
    if spawn != "processes":
        for number in (*([_CLONE[column]] if spawn == "nothing" else ()), *(_X86_FORKS if column == 0 else ())):
            code += [(jump_equal, 0, 1, number), (give, 0, 0, refuse)]
    code += [(jump_equal, 1, 0, _CLONE[column]), (give, 0, 0, allow), (load, 0, 0, 16)]  # low half of the flags
    if spawn == "threads":
        code += [(jump_any_bit, 1, 0, _CLONE_THREAD), (give, 0, 0, refuse)]
    code += [
        (jump_any_bit, 0, 1, _ALL_NEW),
        (give, 0, 0, refuse),
        (give, 0, 0, allow),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in code)


def forbid_syscalls(prepared: bytes | str) -> str:
    """Load the filter: the calls above fail with EPERM, as does clone with a namespace flag; foreign ABIs kill."""
    if isinstance(prepared, str):
        return prepared
    instructions = ctypes.create_string_buffer(prepared, len(prepared))
    program = struct.pack("HxxxxxxP", len(prepared) // 8, ctypes.addressof(instructions))
    if not _call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
        return _missing("prctl")
    return ACTIVE
