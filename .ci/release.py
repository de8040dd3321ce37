"""Makes a folder of what a release deploys: release.py ARCHITECTURE FOLDER TEMPLATE.

In the folder is `bootstrap`. It becomes `functions.zip`, and the template's copy deploys that instead of building.
"""

import stat
import sys
import zipfile
from pathlib import Path


def replaced(text, what, by):
    if what not in text:
        sys.exit(f"the template does not say {what!r} any more")
    return text.replace(what, by)


def main(architecture, folder, template):
    binary = Path(folder) / "bootstrap"
    # With no time of its own, so that the same binary makes the same file, and a deployment of it changes nothing.
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = (stat.S_IFREG | 0o755) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(Path(folder) / "functions.zip", "w", compresslevel=9) as archive:
        archive.writestr(entry, binary.read_bytes())
    binary.unlink()
    text = replaced(Path(template).read_text(), "CodeUri: functions\n", "CodeUri: functions.zip\n")
    default = "  Architecture:\n    Type: String\n    Default: {}\n"
    text = replaced(text, default.format("arm64"), default.format(architecture))
    (Path(folder) / "template.yaml").write_text(text)


main(*sys.argv[1:])
