#!/usr/bin/env python3
"""Packs the projects beside it for the build stages of specs/images.

    pack.py              writes the packages and requirements.txt beside the specs
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
import pathlib
import struct
import sys
import tarfile
import tomllib
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
IMAGES = HERE.parents[2] / "specs" / "images"

# The application of each spec, and the projects that it needs, each after what it needs.
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
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, data in {**files, "PKG-INFO": metadata(project)}.items():
            entry = tarfile.TarInfo(f"{top}/{path}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return f"{top}.tar.gz", gzip(out.getvalue())


def gzip(data: bytes) -> bytes:
    """data in the form of gzip (RFC 1952), in stored blocks (RFC 1951, 3.2.4)."""
    blocks = [data[i : i + 0xFFFF] for i in range(0, len(data), 0xFFFF)] or [b""]
    head = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
    body = b"".join(
        struct.pack("<BHH", i == len(blocks), len(block), len(block) ^ 0xFFFF) + block for i, block in enumerate(blocks, 1)
    )
    return head + body + struct.pack("<II", binascii.crc32(data), len(data) & 0xFFFFFFFF)


def pack(project_dir: str) -> tuple[dict, str, bytes]:
    directory = HERE / project_dir
    toml = (directory / "pyproject.toml").read_bytes()
    project = tomllib.loads(toml.decode())["project"]
    name = project["name"].replace("-", "_")
    if (directory / "setup.py").exists():
        files = {"pyproject.toml": toml, "setup.py": (directory / "setup.py").read_bytes()}
        return project, *sdist(name, project, files | sources(directory, ["src"]))
    return project, *wheel(name, project, sources(directory, [name]))


def outputs() -> dict[pathlib.Path, bytes]:
    """All that this program writes."""
    written = {}
    for spec, projects in SPECS.items():
        requirements = ["# Written by testdata/apps/python/pack.py.\n"]
        for directory in projects:
            project, file, data = pack(directory)
            written[IMAGES / spec / "python" / file] = data
            digest = hashlib.sha256(data).hexdigest()
            requirements.append(f"{project['name']}=={project['version']} --hash=sha256:{digest}\n")
        written[IMAGES / spec / "python" / "requirements.txt"] = "".join(requirements).encode()
    return written


def main() -> None:
    written = outputs()
    there = {f for spec in SPECS for f in (IMAGES / spec / "python").glob("*")}
    stale = sorted(there - set(written)) + [f for f, data in written.items() if f not in there or f.read_bytes() != data]
    if sys.argv[1:] == ["--check"]:
        if stale:
            sys.exit("not as pack.py writes them: " + ", ".join(f.relative_to(IMAGES).as_posix() for f in stale))
        return
    for f in there - set(written):
        f.unlink()
    for f, data in written.items():
        f.parent.mkdir(parents=True, exist_ok=True)
        f.write_bytes(data)


if __name__ == "__main__":
    main()
