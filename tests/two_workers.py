"""Two workers of a run as two processes on this machine."""

import json
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path


def environments() -> list[dict[str, str]]:
    """The environment of each worker."""
    sockets = [socket.socket() for _ in range(2)]
    for free in sockets:
        free.bind(("127.0.0.1", 0))
    cluster = {"worker": [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]}
    for free in sockets:
        free.close()
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    configs = [json.dumps({"cluster": cluster, "task": task}) for task in tasks]
    return [{**os.environ, "TF_CONFIG": config} for config in configs]


def start(command: Sequence, output: str | Path) -> list[subprocess.Popen]:
    """Starts both; what they say goes into the files `{output}0` and `{output}1`."""
    processes = []
    for index, environment in enumerate(environments()):
        with open(f"{output}{index}", "w") as file:
            own = {"env": environment, "stdout": file, "stderr": file}
            processes.append(subprocess.Popen(command, **own))
    return processes


def end(command: Sequence, output: str | Path, seconds: float = 240) -> None:
    """Starts both and waits until they have ended; a failure shows what they said."""
    processes = start(command, output)
    try:
        codes = [process.wait(seconds) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0, 0], "".join(Path(f"{output}{i}").read_text() for i in range(2))
