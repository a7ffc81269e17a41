#!/usr/bin/env python3
"""Prints CHANGELOG.md in Debian's form: one stanza a version, dated SOURCE_DATE_EPOCH where the version has no date yet."""

import datetime
import email.utils
import os
import re
import sys
import textwrap

MAINTAINER = "studygate maintainers <maintainers@studygate.example>"


def stanza(version, dated, text):
    given = re.search(r"\d{4}-\d{2}-\d{2}", dated)
    if given:
        made_at = datetime.datetime.fromisoformat(given.group()).replace(tzinfo=datetime.timezone.utc)
    else:
        made_at = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    lines = [f"studygate ({version}) unstable; urgency=medium", ""]
    for paragraph in re.split(r"\n(?=- )|\n\n", text.strip()):
        words = " ".join(paragraph.removeprefix("- ").split())
        lines += textwrap.wrap(words, 78, initial_indent="  * ", subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join([*lines, "", f" -- {MAINTAINER}  {email.utils.format_datetime(made_at)}", ""])


_, *versions = re.split(r"^## ", sys.stdin.read(), flags=re.MULTILINE)
for version in versions:
    head, text = version.split("\n", 1)
    number, _, dated = head.partition(" ")
    print(stanza(number, dated, text))
