"""S3 servers of others, each a process of its own on a port of the system's choosing.

Every server has an `endpoint`, keys that open it, and can be killed and started again. Leaving
`running(...)` ends all its processes.
"""

import contextlib
import functools
import http.client
import http.server
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import boto3
from botocore.config import Config

# Buckets are made here; moto takes no other region for them than the one that is asked.
REGION = "us-east-1"


def free_ports(count):
    """Ports without a listener. Bound all at once, so that none comes twice."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for(what, ready, seconds=60, alive=lambda: True):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end or not alive():
            raise RuntimeError(f"{what} did not start")
        time.sleep(0.1)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


class Server:
    """What all of them share."""

    key, secret = "AKLAKEAKLAKEAKLAKE00", "lakelakelakelakelakelakelakelakelakelake"
    # Whether a wrong secret is refused, and whether a restart finds the objects again.
    checks_signatures = keeps_objects = False

    def environment(self, secret=None):
        """The variables by which everybody finds an S3 server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": secret or self.secret,
            "AWS_REGION": REGION,
        }

    # Making one costs more than most of what is asked with it.
    @functools.cache
    def client(self):
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name=REGION,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2}),
        )

    def kill(self):
        """As a power cut does it."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


class Moto(Server):
    """moto's server: objects in memory, every condition honoured, any key taken."""

    name = "moto"

    def __init__(self, folder):
        [self.port] = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.log = folder / "moto.log"
        self.start()

    def start(self):
        program = Path(sys.executable).with_name("moto_server")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [program, "-H", "127.0.0.1", "-p", str(self.port)], stdout=log, stderr=log
            )
        wait_for(self.name, lambda: answers(self.endpoint), alive=lambda: self.process.poll() is None)


CEPH_CONF = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 2000
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
osd max object name len = 256
osd max object namespace len = 64
run dir = {folder}
crash dir = {folder}
admin socket = {folder}/$name.asok
pid file =
log file = {folder}/$name.log
mon data = {folder}/mon
osd data = {folder}/osd
keyring = {folder}/keyring
[client.rgw]
# Without it the gateway hangs while daemons need no key.
ms mon client mode = crc
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw data = {folder}
rgw enable ops log = false
rgw thread pool size = 32
"""


class Ceph(Server):
    """Ceph's gateway over one monitor and one store in memory: real signatures, atomic creation."""

    name = "ceph"
    checks_signatures = keeps_objects = True

    def __init__(self, folder):
        # Socket paths have to be short, and the daemons' files are private.
        self.folder = folder / "ceph"
        for part in ("mon", "osd"):
            (self.folder / part).mkdir(parents=True)
        self.port, mon = free_ports(2)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        fsid = str(uuid.uuid4())
        self.conf = self.folder / "ceph.conf"
        self.conf.write_text(
            CEPH_CONF.format(fsid=fsid, mon=mon, port=self.port, folder=self.folder)
        )
        self.daemons = []
        try:
            self.cluster(fsid, mon)
            self.start()
        except BaseException:
            self.stop()
            raise

    def cluster(self, fsid, mon):
        monmap, keyring = self.folder / "monmap", self.folder / "keyring"
        self.do("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{mon}]", "--fsid", fsid, monmap)
        self.do("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self.do("ceph-mon", "-c", self.conf, "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self.daemon("ceph-mon", "-i", "a")
        store = str(uuid.uuid4())
        self.do("ceph", "-c", self.conf, "osd", "new", store)
        self.do("ceph-osd", "-c", self.conf, "-i", "0", "--mkfs", "--osd-uuid", store)
        self.daemon("ceph-osd", "-i", "0")
        self.do("ceph", "-c", self.conf, "osd", "crush", "add", "osd.0", "1.0", "host=localhost", "root=default")
        self.do(
            "radosgw-admin", "-c", self.conf, "-n", "client.rgw", "user", "create", "--uid=lake",
            "--display-name=lake", f"--access-key={self.key}", f"--secret-key={self.secret}",
        )

    def do(self, *command, seconds=90):
        done = subprocess.run(
            list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=seconds,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")

    def daemon(self, program, *arguments):
        """In the foreground, so that it is our child and no other checkout's."""
        with (self.folder / f"{program}.out").open("ab") as out:
            process = subprocess.Popen(
                [program, "-f", "-c", self.conf, *arguments], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out,
            )
        self.daemons.append(process)
        return process

    def start(self):
        self.process = self.daemon("radosgw", "-n", "client.rgw")
        wait_for(self.name, lambda: answers(self.endpoint), alive=lambda: self.process.poll() is None)

    def stop(self):
        # Nothing of it is wanted any more, and an orderly end takes long.
        for process in reversed(self.daemons):
            if process.poll() is None:
                process.kill()
            process.wait()


class Weak(Server):
    """A server before another one that answers conditional writes as many S3 servers do: it takes
    them and ignores the condition. Bytes pass as they are, so signatures stay what they were."""

    name = "moto, conditions ignored"

    def __init__(self, behind):
        self.behind, self.dropped, self.written = behind, 0, []
        weak, address = self, (behind.endpoint.removeprefix("http://"))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = dict(self.headers)
                if self.command == "PUT":
                    weak.written.append(self.path)
                    for name in list(headers):
                        if name.lower() in ("if-none-match", "if-match"):
                            weak.dropped += 1
                            del headers[name]
                there = http.client.HTTPConnection(address, timeout=30)
                with contextlib.closing(there):
                    there.request(self.command, self.path, body, headers)
                    answer = there.getresponse()
                    content = answer.read()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(name, value)
                length = answer.getheader("content-length") if self.command == "HEAD" else len(content)
                self.send_header("Content-Length", str(length or 0))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def running(make, *arguments):
    server = make(*arguments)
    try:
        yield server
    finally:
        server.stop()
