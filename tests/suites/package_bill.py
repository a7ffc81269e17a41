"""Holds a program's bill of materials against CycloneDX's own schema and against the list in the program.

Usage: package_bill.py PROGRAM BILL. Needs cyclonedx-python-lib[json-validation] of PyPI.
"""

import json
import struct
import sys
import zlib

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def section(program, wanted):
    """The bytes of a section of a 64-bit little-endian ELF file."""
    with open(program, "rb") as file:
        elf = file.read()
    (start,), (size, count, names) = struct.unpack_from("<Q", elf, 0x28), struct.unpack_from("<HHH", elf, 0x3A)
    heads = [struct.unpack_from("<IIQQQQ", elf, start + number * size) for number in range(count)]
    strings = heads[names][4]
    for name, _, _, _, offset, length in heads:
        begin = strings + name
        if elf[begin : elf.index(b"\0", begin)] == wanted:
            return elf[offset : offset + length]
    sys.exit(f"{program} has no section {wanted.decode()}")


def crates(pairs):
    return sorted(f"{name} {version} {scope}" for name, version, scope in pairs)


program, bill_file = sys.argv[1:]
with open(bill_file, encoding="utf-8") as file:
    text = file.read()
errors = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
if errors:
    sys.exit(f"{bill_file} is not CycloneDX 1.5: {errors}")

bill = json.loads(text)
billed = crates((part["name"], part["version"], part["scope"]) for part in bill["components"])
told = json.loads(zlib.decompress(section(program, b".dep-v0")))["packages"]
scopes = {"runtime": "required", "build": "excluded"}
embedded = crates(
    (crate["name"], crate["version"], scopes[crate.get("kind", "runtime")]) for crate in told if not crate.get("root")
)
if billed != embedded:
    sys.exit(f"only in the bill: {sorted(set(billed) - set(embedded))}; only in the program: {sorted(set(embedded) - set(billed))}")
unlicensed = [part["name"] for part in bill["components"] if not part.get("licenses")]
if unlicensed or len(billed) < 100:
    sys.exit(f"{len(billed)} crates; without a licence: {unlicensed}")
print(f"{len(billed)} crates, {sum(line.endswith(' required') for line in billed)} of them in the program")
