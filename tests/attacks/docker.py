# SPDX-License-Identifier: Apache-2.0
"""As much of docker's API as the daemon asks: it tells of the containers whose
control groups the acts make. Ids that begin with f are privileged."""

import http.server
import json
import os
import socketserver
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "unix"

    def answer(self, code, what):
        body = json.dumps(what).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        path = self.path.partition("?")[0]
        parts = path.strip("/").split("/")
        if parts and parts[0].startswith("v1."):
            parts = parts[1:]
        if parts == ["_ping"] or parts == ["version"]:
            self.answer(200, {"ApiVersion": "1.41", "MinAPIVersion": "1.24"})
        elif parts[:1] == ["events"]:
            self.send_response(200)
            self.end_headers()
            while True:
                self.rfile.read(1) or sys.exit(0)
        elif parts == ["containers", "json"]:
            self.answer(200, [])
        elif len(parts) == 3 and parts[0] == "containers":
            self.answer(200, {
                "Id": parts[1], "Name": "/staged", "Image": "sha256:" + "ab" * 32, "Created": "2026-01-01T00:00:00Z",
                "Config": {"Image": "docker.io/library/staged:1", "Labels": {}, "Env": [], "User": ""},
                "HostConfig": {"Privileged": parts[1].startswith("f")},
                "State": {"Running": True, "Pid": 1, "StartedAt": "2026-01-01T00:00:00Z"},
                "NetworkSettings": {"IPAddress": "", "Ports": {}}, "Mounts": [],
            })
        elif len(parts) == 3 and parts[0] == "images":
            self.answer(200, {"Id": "sha256:" + "ab" * 32, "RepoTags": ["docker.io/library/staged:1"], "RepoDigests": []})
        else:
            self.answer(404, {"message": "no such thing"})

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


os.makedirs("/var/run", exist_ok=True)
Server("/var/run/docker.sock", Handler).serve_forever()
