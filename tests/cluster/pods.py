"""Workers of a cluster in processes of their own: as much of Kubernetes as Sail asks for, each pod a process here.

Only so has Sail workers outside of its server, so that one of them can be killed.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from bench.sail import processor_seconds

HEARTBEAT_SECONDS = 1
LOST_AFTER_SECONDS = 3


class Pods:
    """Answers what makes and removes pods; a worker is a process of the command that serves Sail."""

    def __init__(self, folder: Path, sail: Path) -> None:
        self.workers: list[subprocess.Popen[bytes]] = []
        self._folder = folder
        self._sail = sail
        pods = self

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                pod = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                pods.start_worker(pod["spec"]["containers"][0]["env"])
                self._answer(201, pod)

            def do_DELETE(self) -> None:
                self._answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _answer(self, code: int, value: Mapping[str, Any]) -> None:
                body = json.dumps(value).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> Mapping[str, str]:
        """What Sail's server must be told."""
        known = self._folder / "kubernetes.json"
        named = {"cluster": "here", "user": "here"}
        known.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [
                        {"name": "here", "cluster": {"server": f"http://127.0.0.1:{self._server.server_port}"}}
                    ],
                    "users": [{"name": "here", "user": {}}],
                    "contexts": [{"name": "here", "context": named}],
                    "current-context": "here",
                }
            )
        )
        return {
            "KUBECONFIG": str(known),
            "SAIL_MODE": "kubernetes-cluster",
            "SAIL_CLUSTER__DRIVER_EXTERNAL_HOST": "127.0.0.1",
            "SAIL_CLUSTER__WORKER_HEARTBEAT_INTERVAL_SECS": str(HEARTBEAT_SECONDS),
            "SAIL_CLUSTER__WORKER_HEARTBEAT_TIMEOUT_SECS": str(LOST_AFTER_SECONDS),
        }

    def start_worker(self, variables: list[Mapping[str, str]]) -> None:
        """Start a pod's process; what it would be told of its own address is that of this machine."""
        told = {variable["name"]: variable.get("value", "127.0.0.1") for variable in variables}
        with (self._folder / "workers.log").open("ab") as log:
            self.workers.append(
                subprocess.Popen(
                    [str(self._sail), "worker"], env={**os.environ, **told}, stdout=log, stderr=subprocess.STDOUT
                )
            )

    @property
    def processor_seconds(self) -> float:
        """What those that live have worked."""
        return sum(processor_seconds(worker) for worker in self.workers if worker.poll() is None)

    def end(self) -> None:
        """End all workers."""
        self._server.shutdown()
        self._server.server_close()
        for worker in self.workers:
            worker.kill()
            worker.wait()
