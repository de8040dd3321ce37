"""Wraps a function's program, so that it runs under an emulator: emulated.py FUNCTIONS_ZIP EMULATOR."""

import stat
import sys
import zipfile

MODE = (stat.S_IFREG | 0o755) << 16


def main(path, emulator):
    with zipfile.ZipFile(path) as archive:
        program = archive.read("bootstrap")
    files = {"functions": program, "bootstrap": f'#!/bin/sh\nexec {emulator} "${{0%/*}}/functions"\n'}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = MODE
            archive.writestr(entry, content)


main(*sys.argv[1:])
