"""Sets moksori up and starts it. Nothing is needed but Python 3.10 to 3.13.

  python3 start.py                 make .venv beside this file, install, then open moksori
  python3 start.py COMMAND [...]   the same, then any moksori command: convert in.wav out.wav
  python3 start.py test [...]      the same, then ruff, mypy and pytest (the rest goes to pytest)
  python3 start.py --help          this text; moksori's own: python3 start.py demo --help

On Windows write `py` for `python3`. The first run takes minutes, later ones start in seconds.
pip's settings (PIP_INDEX_URL, PIP_FIND_LINKS, a proxy) are respected. Delete .venv to begin anew.
"""

from __future__ import annotations

import ctypes.util
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "moksori-stamp.json"  # what is installed; there only when all of it is
UNFINISHED = VENV / "moksori-unfinished"  # there while files are being written; left by a crash
LOG = VENV / "install.log"
PYTHONS = ((3, 10), (3, 13))  # the oldest and the newest that will do; pyproject.toml agrees

SYSTEM_LIBRARIES = {  # library: what needs it, its Debian package, its usual name elsewhere
    "portaudio": ("microphone and speaker", "libportaudio2", "portaudio"),
    "sndfile": ("audio files", "libsndfile1", "libsndfile"),
}
INSTALLERS = {
    "apt-get": "apt-get install",
    "dnf": "dnf install",
    "pacman": "pacman -S",
    "zypper": "zypper install",
    "apk": "apk add",
}
CHECKS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
    "pytest": ["pytest"],
}
ADVICE = {  # what pip says: what it means and what to do; the first match speaks
    r"No space left|Errno 28|not enough space|Disk quota exceeded": (
        "The disk is full. Free 3 GB (8 GB with an NVIDIA GPU) here and in the temporary folder"
    ),
    r"CERTIFICATE_VERIFY_FAILED|SSLError": (
        "The connection is not trusted. Behind a company proxy, point PIP_CERT at its certificate"
    ),
    r"NewConnectionError|NameResolution|ConnectTimeout|ReadTimeout|ProxyError|ConnectionError"
    r"|Network is unreachable|getaddrinfo|Connection (refused|reset|aborted)|Name or service"
    r"|setuptools.*from versions: none": (
        "The package index cannot be reached. Check the network (or the proxy)"
    ),
    r"Permission denied|Access is denied|WinError (5|32)\b": (
        "A file cannot be written. Close programs that use .venv and check who owns this folder"
    ),
    r"No matching distribution|requires a different Python": (
        "A package has no build for this Python or computer. Install 64-bit Python 3.11 or 3.12"
    ),
    r"Failed (to build|building)|gcc|Microsoft Visual C\+\+|metadata-generation-failed": (
        "A package had to be compiled and could not be. Install Python 3.11 or 3.12, or a compiler"
        "\n(Debian, Ubuntu: sudo apt-get install build-essential python3-dev)"
    ),
}
# PyTorch of the public index, or what it brings along; a build somebody chose is "torch-2.9.0+cpu"
DRAGS_IN_CUDA = re.compile(
    r"(Collecting|Downloading|Using cached|Processing) .*\b(nvidia[-_]|torch-[\d.]+-)"
)
NO_PYWORLD = re.compile(r"(failed|could not) (to )?build.* .*pyworld", re.IGNORECASE)


class SetupError(Exception):
    """Set-up cannot go on; the message says why and what to do."""


def main(args: Sequence[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console that lacks a letter must not end us
            stream.reconfigure(errors="backslashreplace")
    if args and args[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    try:
        command = list(args) or ["gui" if has_screen(os.environ) else "demo"]
        installed_now = prepare(extras_for(command))
        testing = command[0] == "test"
        libraries = ["portaudio", "sndfile"] if testing else ["portaudio"]
        provide_libraries(libraries, may_install=installed_now or testing)
        if testing:
            return run_checks(command[1:])
        if installed_now:
            say(f"3/3 starting: moksori {' '.join(command)}")
        return run_moksori(command)
    except SetupError as error:
        say(f"\nmoksori could not be set up.\n{error}")
    except OSError as error:
        say(f"\nmoksori could not be set up.\n{advice(str(error))}")
    except KeyboardInterrupt:
        say(f"\nStopped. Go on with: {launcher()} start.py")
        return 130
    return 1


def say(words: str, stream: TextIO | None = None) -> None:
    """Words go to stderr, so that stdout holds nothing but a command's result."""
    print(words, file=stream or sys.stderr, flush=True)


def launcher(system: str = platform.system()) -> str:
    return "py" if system == "Windows" else "python3"


def has_screen(environ: Mapping[str, str], system: str = platform.system()) -> bool:
    return system != "Linux" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def extras_for(command: Sequence[str]) -> set[str]:
    """The optional dependencies of a command."""
    return {"test"} if command[0] == "test" else set()


# .venv


def venv_python(venv: Path = VENV, system: str = platform.system()) -> Path:
    return venv / "Scripts" / "python.exe" if system == "Windows" else venv / "bin" / "python"


def supported(version: Sequence[int]) -> bool:
    return PYTHONS[0] <= tuple(version[:2]) <= PYTHONS[1]


def prepare(extras: set[str]) -> bool:
    """Makes .venv hold this project and `extras`. False when it already did."""
    python, stamp = probe([str(venv_python())]), read_stamp()
    wanted = stamp_for(project_hash(), python, ROOT, extras)
    fault = venv_fault(python, stamp, VENV.exists(), UNFINISHED.exists())
    if fault is None and covers(stamp, wanted):
        return False
    if fault is None and quiet([str(venv_python()), "-m", "pip", "--version"]):
        fault = "its pip does not work"
    if fault is not None:
        python = make_venv(fault)
    began = time.monotonic()
    extras |= set(stamp["extras"].split()) if stamp and not fault else set()
    say(f"2/3 installing moksori and what it needs; the details go to {LOG}")
    STAMP.unlink(missing_ok=True)
    install(extras)
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps(stamp_for(project_hash(), python, ROOT, extras)), "ascii")
    fresh.replace(STAMP)
    say(f"    done in {time.monotonic() - began:.0f} s")
    return True


def probe(python: Sequence[str]) -> tuple[int, ...] | None:
    """The version of an interpreter, None when it does not run."""
    ask = [*python, "-I", "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=60).stdout
        return tuple(int(part) for part in answer.split()) or None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def project_hash(root: Path = ROOT) -> str:
    """Changes with pyproject.toml and with the set of packages an editable install points to."""
    names = sorted(p.relative_to(root).as_posix() for p in root.glob("*/__init__.py"))
    modules = sorted(p.name for p in root.glob("*.py"))
    return hashlib.sha256(
        (root / "pyproject.toml").read_bytes() + "\0".join(names + modules).encode()
    ).hexdigest()


def stamp_for(
    project: str, python: Sequence[int] | None, folder: Path, extras: set[str]
) -> dict[str, str]:
    version = ".".join(str(part) for part in python or ())
    named = " ".join(sorted(extras))
    return {"project": project, "python": version, "folder": str(folder), "extras": named}


def read_stamp(path: Path = STAMP) -> dict[str, str] | None:
    """What is installed, None when that is unknown."""
    try:
        stamp = json.loads(path.read_text("ascii"))
        return stamp if stamp.keys() == stamp_for("", None, ROOT, set()).keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def covers(stamp: Mapping[str, str] | None, wanted: Mapping[str, str]) -> bool:
    """Whether an install suffices: more extras than wanted do no harm, all else must agree."""
    if stamp is None or not set(wanted["extras"].split()) <= set(stamp["extras"].split()):
        return False
    return all(stamp[key] == wanted[key] for key in wanted if key != "extras")


def venv_fault(
    python: Sequence[int] | None, stamp: Mapping[str, str] | None, exists: bool, unfinished: bool
) -> str | None:
    """Why .venv must be made (anew), in words; None when it is sound."""
    if not exists:
        return ""
    if unfinished:
        return "an earlier install was cut short"
    if python is None:
        return "its Python does not run"
    version = ".".join(str(part) for part in python)
    if not supported(python):
        return f"its Python {version} is not supported"
    if stamp and stamp["folder"] != str(ROOT):
        return "the folder has moved"
    if stamp and stamp["python"] != version:
        return f"its Python was {stamp['python']} and is now {version}"
    return None


def make_venv(fault: str) -> tuple[int, ...]:
    base = base_python()
    version = probe(base) or PYTHONS[0]
    number = ".".join(str(part) for part in version)
    say(f"1/3 making .venv with Python {number}" + (f" again: {fault}" if fault else ""))
    if quiet([*base, "-I", "-c", "import ensurepip, venv"]):
        package = f"python{number}-venv"
        if not apt_install([package]):
            raise SetupError(
                "This Python cannot make environments: its venv or ensurepip module is missing."
                f"\nInstall it, on Debian and Ubuntu with: sudo apt-get install {package}"
                f"\nThen run again: {launcher()} start.py"
            )
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    elif VENV.exists():
        shutil.rmtree(VENV)
    VENV.mkdir()
    UNFINISHED.touch()
    if said := quiet([*base, "-m", "venv", str(VENV)]):
        raise SetupError(f"Python could not make .venv:\n{said}\n{advice(said)}")
    UNFINISHED.unlink()
    return version


def base_python(system: str = platform.system()) -> list[str]:
    """The interpreter to build on: the one we run in, else a suitable one that is installed."""
    if supported(sys.version_info[:2]):
        return [getattr(sys, "_base_executable", None) or sys.executable]
    for minor in range(PYTHONS[1][1], PYTHONS[0][1] - 1, -1):
        found = ["py", f"-3.{minor}"] if system == "Windows" else [f"python3.{minor}"]
        if probe(found) == (3, minor):
            return found
    raise SetupError(python_message(sys.version_info[:2], system))


def python_message(version: Sequence[int], system: str) -> str:
    age = "old" if tuple(version[:2]) < PYTHONS[0] else "new"
    again = "py -3.12 start.py" if system == "Windows" else "python3.12 start.py"
    return (
        f"Python {version[0]}.{version[1]} is too {age}: moksori needs 3.10 to 3.13, "
        f"and none was found.\nInstall Python 3.12, then run: {again}"
    )


# Installing


def environment() -> dict[str, str]:
    """Ours, less the settings that would lead Python or pip out of .venv."""
    strays = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "__PYVENV_LAUNCHER__")
    kept = {key: value for key, value in os.environ.items() if key not in strays}
    return {"PYTHONIOENCODING": ":backslashreplace", **kept, "PIP_USER": "0"}


def quiet(command: Sequence[str]) -> str:
    """Runs a command unseen. Empty when it went well, else what it said."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, capture_output=True
        )
    except OSError as error:
        return str(error)
    said = (done.stdout + done.stderr).decode(errors="replace").strip()
    return said or "it failed without a word" if done.returncode else ""


def install(extras: set[str]) -> None:
    """Installs the checkout itself, and pyworld ("world") if it can be had.

    pyworld comes ready-made for Windows alone and must be compiled elsewhere.
    """
    pip = [str(venv_python()), "-m", "pip", "install", "--progress-bar", "off"]
    whole = [*pip, "--editable", f"{ROOT}[{','.join(sorted(extras | {'world'}))}]"]
    without = [*pip, "--editable", f"{ROOT}[{','.join(sorted(extras))}]" if extras else str(ROOT)]
    no_gpu = platform.system() == "Linux" and not shutil.which("nvidia-smi")
    with LOG.open("w", encoding="utf-8") as log:
        code = follow(whole, log, stop_at=DRAGS_IN_CUDA if no_gpu else None)
        if code is None:
            say("    no NVIDIA GPU here: looking for PyTorch's small CPU build (by way of uv)")
            version = re.search(r'"(torch\b[^"]*)"', (ROOT / "pyproject.toml").read_text("utf-8"))
            small = ["-m", "uv", "pip", "install", "--python", str(venv_python())]
            small += ["--torch-backend", "cpu", version[1] if version else "torch"]
            if follow([*pip, "uv"], log) or follow([str(venv_python()), *small], log):
                say("    it cannot be had; taking the large one with CUDA, several gigabytes")
            code = follow(whole, log)
        if code and NO_PYWORLD.search(LOG.read_text("utf-8", "replace")):
            say(
                "    pyworld cannot be compiled here: without it (f0 by dio and harvest is lacking)"
            )
            code = follow(without, log)
    if code:
        said = LOG.read_text("utf-8", "replace")
        error = re.findall(r"^ *ERROR: (.*)", said, re.MULTILINE)[-1:]
        raise SetupError(
            "\n".join([f"pip says: {line[:300]}" for line in error])
            + f"\n{advice(said)},\nthen run again: {launcher()} start.py\nThe full log: {LOG}"
        )


def follow(
    command: Sequence[str], log: TextIO, stop_at: re.Pattern[str] | None = None
) -> int | None:
    """Runs pip or uv, retold in plain words, into the log. None: a line matched `stop_at`.

    Until packages are unpacked .venv is as it was and may be left at any moment; from then on
    UNFINISHED stands, unless the installer itself comes to an end and so has cleaned up.
    """
    env = {**environment(), "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            log.write(line + "\n")
            log.flush()
            if stop_at and stop_at.match(line.strip()):
                process.terminate()
                return None
            if line.startswith("Installing collected"):
                UNFINISHED.touch()
            if words := plain_words(line):
                say(f"    {words}")
    if process.returncode >= 0:
        UNFINISHED.unlink(missing_ok=True)
    return process.returncode


def plain_words(line: str) -> str:
    """What a line of pip's means to a user; empty when it is not worth a line."""
    if found := re.match(
        r" *Downloading (?:.*/)?([^-]+)-([^-]+)-.*\((\d{2,}\S* MB|\S+ GB)\)", line
    ):
        return f"downloading {found[1]} {found[2]} ({found[3]})"
    if found := re.match(r" *Building wheel for (\S+) .*started", line):
        return f"compiling {found[1]}" if found[1] != "moksori" else ""
    if line.startswith("Installing collected packages:") and "," in line:
        return f"unpacking {line.count(',') + 1} packages"
    return ""


def advice(said: str) -> str:
    for pattern, words in ADVICE.items():
        if re.search(pattern, said):
            return words
    return f"{said.strip()[-300:]}\nRead the log, or delete .venv"


# System libraries


def provide_libraries(
    names: Sequence[str],
    may_install: bool,
    find: Callable[[str], str | None] = ctypes.util.find_library,
) -> None:
    """Only Linux lacks them: elsewhere the packages bring their own."""
    missing = [name for name in names if platform.system() == "Linux" and not find(name)]
    tool = next((name for name in INSTALLERS if shutil.which(name)), "")
    if missing and not (may_install and tool == "apt-get" and apt_install(packages(missing, tool))):
        say(missing_message(missing, tool))


def packages(libraries: Sequence[str], tool: str) -> list[str]:
    return [SYSTEM_LIBRARIES[name][1 if tool == "apt-get" else 2] for name in libraries]


def missing_message(libraries: Sequence[str], tool: str) -> str:
    purposes = " and ".join(f"{name} ({SYSTEM_LIBRARIES[name][0]})" for name in libraries)
    way = f"sudo {INSTALLERS[tool]}" if tool else "install with your package manager:"
    return f"Missing: {purposes}. To mend: {way} {' '.join(packages(libraries, tool))}"


def apt_install(names: Sequence[str]) -> bool:
    """Installs Debian packages if we are root; whether that went well."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    say(f"    installing with apt-get: {' '.join(names)}")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    command = ["apt-get", "install", "-y", "--no-install-recommends", *names]
    if quiet(command) and (quiet(["apt-get", "update"]) or quiet(command)):
        say("    apt-get could not do it")
        return False
    return True


# Running


def moksori_command(args: Sequence[str], python: Path) -> list[str]:
    return [str(python), "-m", "moksori", *args]


def run_moksori(args: Sequence[str]) -> int:
    """Runs moksori where the user stands. A `core` folder there must not pass for ours."""
    env = {**environment(), "PYTHONSAFEPATH": "1"}
    with subprocess.Popen(moksori_command(args, venv_python()), env=env) as process:
        while process.poll() is None:
            try:
                process.wait()
            except KeyboardInterrupt:
                continue  # moksori was told as well and ends in order
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def run_checks(pytest_args: Sequence[str]) -> int:
    """Every check, whatever the one before it said; 1 when any failed."""
    lines, failed = [], False
    for name, command in CHECKS.items():
        say(f"\n== {name}", sys.stdout)
        extra = pytest_args if name == "pytest" else []
        began = time.monotonic()
        full = [str(venv_python()), "-m", *command, *extra]
        code = subprocess.run(full, cwd=ROOT, env=environment()).returncode
        failed |= code != 0
        result = "ok" if code == 0 else f"FAILED (exit code {code})"
        lines.append(f"{name:12} {time.monotonic() - began:6.1f} s  {result}")
    say("\n" + "\n".join(["== summary", *lines]), sys.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
