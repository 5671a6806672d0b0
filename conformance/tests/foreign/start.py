"""The kit's start hook for a packaged server: a scratch copy of its configuration on a free port, then become it.

    ROOMPROOF_PORT=8123 ROOMPROOF_STATE=/tmp/scratch python start.py FOLDER PORT

FOLDER holds a configuration that names PORT, and a `start.sh` that runs the server in the foreground with its state in
`STATE_DIR`. Knows no server: what is told apart is the folder.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path


def main(folder: Path, port: str) -> None:
    state = Path(os.environ["ROOMPROOF_STATE"]).resolve()
    copy = state / "configuration"
    shutil.rmtree(copy, ignore_errors=True)  # the kit may start a server again
    shutil.copytree(folder, copy)
    for file in copy.iterdir():
        file.chmod(0o755)
        if file.suffix != ".sh":
            file.write_text(file.read_text().replace(port, os.environ["ROOMPROOF_PORT"]))
    asked = json.loads(os.environ.get("ROOMPROOF_SETTINGS") or "{}")
    print(json.dumps({"cannot_set": sorted(asked)}), flush=True)
    os.environ["STATE_DIR"] = str(state / "state")
    os.execv(copy / "start.sh", [str(copy / "start.sh")])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
