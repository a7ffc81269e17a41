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


program, bill_file = sys.argv[1:]
with open(bill_file, encoding="utf-8") as file:
    text = file.read()
errors = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
if errors:
    sys.exit(f"{bill_file} is not CycloneDX 1.5: {errors}")

bill = json.loads(text)
parts = {(part["name"], part["version"]): part for part in bill["components"]}
told = [crate for crate in json.loads(zlib.decompress(section(program, b".dep-v0")))["packages"] if not crate.get("root")]
embedded = {(crate["name"], crate["version"]): crate for crate in told}
if parts.keys() != embedded.keys():
    sys.exit(f"only in the bill: {parts.keys() - embedded.keys()}; only in the program: {embedded.keys() - parts.keys()}")
# The list takes macros, which run in the compiler, for parts of the program; the bill does not.
wrong = [name for name, crate in embedded.items() if crate.get("kind") == "build" and parts[name]["scope"] != "excluded"]
if wrong:
    sys.exit(f"for building alone, and in the bill as parts of the program: {wrong}")
unlicensed = [part["name"] for part in bill["components"] if not part.get("licenses")]
if unlicensed or len(parts) < 100:
    sys.exit(f"{len(parts)} crates; without a licence: {unlicensed}")
print(f"{len(parts)} crates, {sum(part['scope'] == 'required' for part in parts.values())} of them in the program")
