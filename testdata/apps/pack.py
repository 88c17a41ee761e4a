#!/usr/bin/env python3
"""Packs the projects beside it for build stages to install.

    pack.py              writes the packages, and the files that lock them, beside the specs
    pack.py --check      compares what is there with what it would write

A project with C sources becomes an sdist (PEP 625), which a build stage compiles;
one without becomes a wheel (PEP 427). The same sources give the same bytes on any
machine and with any version of Python and zlib: nothing has a time or an owner, and
nothing is compressed.
"""

import base64
import binascii
import hashlib
import io
import json
import pathlib
import struct
import sys
import tarfile
import tomllib
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON, NODE = HERE / "python", HERE / "node"

# The Python projects of each spec of specs/images, each after what it needs.
SPECS = {
    "xorb-api": ["plainserve", "xorbit", "xorb-api"],
    "samo-dl-api": ["plainserve", "samo-dl-api"],
}


def metadata(project: dict) -> bytes:
    """Core metadata, version 2.1, of a project table."""
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        *(f"Author: {a['name']}" for a in project.get("authors", [])),
        f"License: {project['license']['text']}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {d}" for d in project.get("dependencies", [])),
    ]
    return "\n".join(lines).encode() + b"\n"


def sources(directory: pathlib.Path, names: list[str]) -> dict[str, bytes]:
    """The files of a project that are packed, by their paths, sorted."""
    files = [f for name in names for f in sorted((directory / name).rglob("*.[pc]*")) if f.suffix in (".py", ".c")]
    return {f.relative_to(directory).as_posix(): f.read_bytes() for f in files}


def wheel(name: str, project: dict, files: dict[str, bytes]) -> tuple[str, bytes]:
    info = f"{name}-{project['version']}.dist-info"
    tags = "Wheel-Version: 1.0\nGenerator: pack.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {**files, f"{info}/METADATA": metadata(project), f"{info}/WHEEL": tags.encode()}
    record = [f"{path},sha256={urlsafe(data)},{len(data)}\n" for path, data in files.items()]
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path)  # of 1980, the first year that zip knows
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            z.writestr(entry, data)
    return f"{name}-{project['version']}-py3-none-any.whl", out.getvalue()


def urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def sdist(name: str, project: dict, files: dict[str, bytes]) -> tuple[str, bytes]:
    top = f"{name}-{project['version']}"
    return f"{top}.tar.gz", tar_gz(top, {**files, "PKG-INFO": metadata(project)})


def tar_gz(top: str, files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, data in files.items():
            entry = tarfile.TarInfo(f"{top}/{path}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return gzip(out.getvalue())


def gzip(data: bytes) -> bytes:
    """data in the form of gzip (RFC 1952), in stored blocks (RFC 1951, 3.2.4)."""
    blocks = [data[i : i + 0xFFFF] for i in range(0, len(data), 0xFFFF)] or [b""]
    head = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
    body = b"".join(
        struct.pack("<BHH", i == len(blocks), len(block), len(block) ^ 0xFFFF) + block for i, block in enumerate(blocks, 1)
    )
    return head + body + struct.pack("<II", binascii.crc32(data), len(data) & 0xFFFFFFFF)


def pack(name: str) -> tuple[dict, str, bytes]:
    """Pack a Python project."""
    directory = PYTHON / name
    toml = (directory / "pyproject.toml").read_bytes()
    project = tomllib.loads(toml.decode())["project"]
    name = project["name"].replace("-", "_")
    if (directory / "setup.py").exists():
        files = {"pyproject.toml": toml, "setup.py": (directory / "setup.py").read_bytes()}
        return project, *sdist(name, project, files | sources(directory, ["src"]))
    return project, *wheel(name, project, sources(directory, [name]))


def python_outputs(spec: str, projects: list[str]) -> dict[pathlib.Path, bytes]:
    directory = ROOT / "specs" / "images" / spec / "python"
    written, requirements = {}, ["# Written by testdata/apps/pack.py.\n"]
    for name in projects:
        project, file, data = pack(name)
        written[directory / file] = data
        digest = hashlib.sha256(data).hexdigest()
        requirements.append(f"{project['name']}=={project['version']} --hash=sha256:{digest}\n")
    return {**written, directory / "requirements.txt": "".join(requirements).encode()}


def node_outputs() -> dict[pathlib.Path, bytes]:
    """The tarball that npm installs (npm-pack(1)), and the lock that names its digest
    (package-lock.json(5))."""
    files = {name: (NODE / "numerals" / name).read_bytes() for name in ("package.json", "index.js")}
    tarball = tar_gz("package", files)
    package, dependency = json.loads((NODE / "package.json").read_text()), json.loads(files["package.json"])
    file = f"{dependency['name']}-{dependency['version']}.tgz"
    root = {k: package[k] for k in ("name", "version", "dependencies")}
    locked = {
        "version": dependency["version"],
        "resolved": f"file:{file}",
        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode(),
    }
    lock = {
        "name": package["name"],
        "version": package["version"],
        "lockfileVersion": 3,
        "requires": True,
        "packages": {"": root, "node_modules/numerals": locked},
    }
    return {NODE / file: tarball, NODE / "package-lock.json": json.dumps(lock, indent=2).encode() + b"\n"}


def main() -> None:
    written = node_outputs()
    for spec, projects in SPECS.items():
        written |= python_outputs(spec, projects)
    there = set(NODE.glob("*.tgz")).union(*(f.parent.glob("*") for f in written if f.parent.name == "python"))
    stale = sorted(there - set(written)) + [f for f, data in written.items() if not f.exists() or f.read_bytes() != data]
    if sys.argv[1:] == ["--check"]:
        if stale:
            sys.exit("not as pack.py writes them: " + ", ".join(f.relative_to(ROOT).as_posix() for f in stale))
        return
    for f in there - set(written):
        f.unlink()
    for f, data in written.items():
        f.parent.mkdir(parents=True, exist_ok=True)
        f.write_bytes(data)


if __name__ == "__main__":
    main()
