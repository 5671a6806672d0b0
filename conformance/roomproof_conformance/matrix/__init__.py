"""Several servers judged and laid side by side: `roomproof matrix servers.yaml`.

`servers` reads the file, `program` starts what it describes (with `environments` and `launcher`), `column` judges one
server in a process of its own, `running` runs those, `model` makes one matrix of the columns, `page` and `markdown`
draw it.
"""

from __future__ import annotations

from .model import Matrix
from .servers import Server, ServerFile, ServersError, load

__all__ = ["Matrix", "Server", "ServerFile", "ServersError", "load"]
