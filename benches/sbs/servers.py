"""The servers that are loaded: nginx with one worker, and our own that writes down what it did."""

import contextlib
import http.client
import json
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from . import process

# 128 bytes, as performance measurements of this project have always used.
BODY = "x" * 128

ITEMS = {"items": [{"id": 4710 + i, "name": name, "price": 10 + i, "tags": ["a", "b"],
                    "text": "what one would say of it in a shop " * 3}
                   for i, name in enumerate(["anvil", "bellows", "chisel", "drill", "edge"])]}

JOURNEY = {
    "= /login": (200, {"token": "t-4711", "user": {"id": 7, "name": "ann", "roles": ["buyer"]}}),
    "= /items": (200, ITEMS),
    "= /orders": (201, {"id": 815, "state": "taken"}),
    "/orders/": (200, {"id": 815, "state": "taken", "total": 42, "lines": [{"item": 4711, "count": 2}]}),
}

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log warn;
worker_rlimit_nofile 20000;
events {{ worker_connections 16000; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  default_type text/plain;
  server {{
    listen 127.0.0.1:{port} backlog=16384;
    listen 127.0.0.1:{tls_port} ssl backlog=16384;
    ssl_certificate {directory}/certificate.pem;
    ssl_certificate_key {directory}/key.pem;
    ssl_protocols TLSv1.3;
    location / {{ return 200 "{body}"; }}
    location = /bench-status {{ stub_status; }}
{journey}
  }}
}}
"""


def free_ports(count):
    """Ports that nobody has at the moment, held together so that they differ."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in socks]


def configuration(directory, port, tls_port):
    """nginx's configuration."""
    journey = "\n".join(
        f"    location {path} {{ default_type application/json; return {status} '{json.dumps(body)}'; }}"
        for path, (status, body) in JOURNEY.items())
    return CONFIGURATION.format(directory=directory, port=port, tls_port=tls_port, body=BODY,
                                journey=journey)


class Nginx:
    """nginx with one worker, on a core of its own or on the generator's."""

    def __init__(self, core):
        self.directory = tempfile.TemporaryDirectory()
        self.port, self.tls_port = free_ports(2)
        self.asked = 0
        self.url = f"http://127.0.0.1:{self.port}/"
        self.tls_url = f"https://127.0.0.1:{self.tls_port}/"
        place = Path(self.directory.name)
        place.chmod(0o755)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-keyout", place / "key.pem", "-out", place / "certificate.pem", "-days", "2",
             "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        file = place / "nginx.conf"
        file.write_text(configuration(place, self.port, self.tls_port))
        nginx = process.which("nginx", "/usr/sbin/nginx")
        self.process = subprocess.Popen(process.pinned(core, [nginx, "-c", str(file)]),
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.await_ready()

    def await_ready(self):
        """Waits until it answers."""
        for _ in range(200):
            try:
                self.requests()
                return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(self.process.stderr.read().decode()) from None
                time.sleep(0.05)
        raise RuntimeError("nginx does not answer")

    def requests(self):
        """Requests that it has counted so far, without those for this count."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/bench-status")
        text = connection.getresponse().read().decode()
        connection.close()
        self.asked += 1
        return int(text.splitlines()[2].split()[2]) - self.asked

    def stop(self):
        """Ends it."""
        self.process.terminate()
        self.process.wait()
        self.directory.cleanup()


class Counterpart:
    """Our own server; `stop` returns what it has written down."""

    def __init__(self, program, mode, core, records=True):
        self.directory = tempfile.TemporaryDirectory()
        self.file = Path(self.directory.name) / "record" if records else "-"
        command = process.pinned(core, [program, "serve", mode, str(self.file)])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/"

    def stop(self):
        """Ends it; the text of its record."""
        self.process.stdin.close()
        self.process.wait()
        text = "" if self.file == "-" else self.file.read_text()
        self.process.stdout.close()
        self.directory.cleanup()
        return text
