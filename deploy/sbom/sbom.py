"""What is in the image, as a CycloneDX document (JSON, schema 1.6).

The crates that are linked into the program come from `cargo metadata` and Cargo.lock; the packages
that the image's libraries are from come from what deploy/image-root noted. The document is validated
against the published schema before it is written.

    python deploy/sbom/sbom.py --root FOLDER --output sbom.cdx.json
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tomllib

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = "headcount"


def metadata() -> dict:
    """The resolved dependencies for this machine's platform."""
    host = next(
        line.removeprefix("host: ")
        for line in subprocess.check_output(["rustc", "-vV"], text=True).splitlines()
        if line.startswith("host: ")
    )
    command = ["cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={host}"]
    return json.loads(subprocess.check_output(command, cwd=REPOSITORY, text=True))


def built() -> set[tuple[str, str]]:
    """Names and versions of what the program alone is built from, without build scripts and tests.
    `cargo metadata` knows the features of the whole workspace only, which are more."""
    command = ["cargo", "tree", "--locked", "--package", PROGRAM, "--edges", "normal"]
    tree = subprocess.check_output([*command, "--prefix", "none"], cwd=REPOSITORY, text=True)
    words = (line.split() for line in tree.splitlines() if line)
    return {(name, version.removeprefix("v")) for name, version, *_ in words}


def linked(resolved: dict) -> dict[str, list[str]]:
    """What each package of the program links, by ids."""
    wanted = built()
    versions = {package["id"]: (package["name"], package["version"]) for package in resolved["packages"]}
    nodes = {node["id"]: node for node in resolved["resolve"]["nodes"]}
    waiting = [id for id in resolved["workspace_members"] if versions[id][0] == PROGRAM]
    found: dict[str, list[str]] = {}
    while waiting:
        id = waiting.pop()
        if id in found:
            continue
        found[id] = [
            dep["pkg"]
            for dep in nodes[id]["deps"]
            if any(kind["kind"] is None for kind in dep["dep_kinds"]) and versions[dep["pkg"]] in wanted
        ]
        waiting.extend(found[id])
    return found


def crate(package: dict, checksums: dict, licenses: LicenseFactory) -> Component:
    name, version = package["name"], package["version"]
    checksum = checksums.get((name, version))
    # `MIT/Apache-2.0` is how it was written before SPDX expressions.
    license = (package["license"] or "").replace("/", " OR ")
    return Component(
        type=ComponentType.APPLICATION if name == PROGRAM else ComponentType.LIBRARY,
        name=name,
        version=version,
        bom_ref=f"cargo:{name}@{version}",
        purl=PackageURL("cargo", None, name, version),
        licenses=[licenses.make_from_string(license)] if license else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
        description=package["description"],
    )


def distribution(root: pathlib.Path) -> list[Component]:
    """Debian's packages of which a file is in the image."""
    noted = sorted((root / "var/lib/dpkg/status.d").glob("*"))
    components = []
    for path in noted:
        lines = [line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line]
        fields = {name: value for name, value in lines if not name.startswith(" ")}
        name, version = fields["Package"], fields["Version"]
        purl = PackageURL("deb", "debian", name, version, {"arch": fields["Architecture"]})
        components.append(
            Component(
                type=ComponentType.LIBRARY,
                name=name,
                version=version,
                bom_ref=f"deb:{name}@{version}",
                purl=purl,
            )
        )
    return components


def document(root: pathlib.Path | None) -> str:
    resolved = metadata()
    lock = tomllib.loads((REPOSITORY / "Cargo.lock").read_text())
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in lock["package"]}
    licenses = LicenseFactory()
    edges = linked(resolved)
    packages = {package["id"]: package for package in resolved["packages"]}
    crates = {id: crate(packages[id], checksums, licenses) for id in edges}
    bom = Bom()
    for id, component in crates.items():
        if component.name == PROGRAM:
            bom.metadata.component = component
        else:
            bom.components.add(component)
    for id, component in crates.items():
        bom.register_dependency(component, [crates[other] for other in edges[id]])
    for component in distribution(root) if root else []:
        bom.components.add(component)
        bom.register_dependency(bom.metadata.component, [component])
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"the document does not follow its schema: {fault}")
    return text + "\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--root", type=pathlib.Path, help="a folder that image-root made")
    arguments.add_argument("--output", type=pathlib.Path, required=True)
    given = arguments.parse_args()
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(document(given.root))


if __name__ == "__main__":
    main()
