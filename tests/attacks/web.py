# SPDX-License-Identifier: Apache-2.0
"""A web server with two holes, for the acts: it joins a request to its folder
as it came, and /cgi hands its query to a shell. The acts run it with a copy of
python that is called nginx."""

import http.server
import os
import subprocess
import sys
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        query = urllib.parse.unquote(query)
        try:
            if path == "/cgi":
                body = subprocess.run(query, shell=True, stdin=subprocess.DEVNULL, capture_output=True).stdout
            elif path == "/run":
                body = subprocess.run(query.split(), stdin=subprocess.DEVNULL, capture_output=True).stdout
            elif path == "/fork":  # runs a file of python as a child that keeps the server's name
                pid = os.fork()
                if pid == 0:
                    exec(compile(open(query).read(), query, "exec"), {})
                    os._exit(0)
                os.waitpid(pid, 0)
                body = b""
            elif path == "/file":
                body = open(query, "rb").read()
            else:
                with open("/srv/www" + path, "rb") as f:
                    body = f.read()
        except OSError as e:
            self.send_error(404, str(e))
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
