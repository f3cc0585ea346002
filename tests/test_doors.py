"""The local door on a real socket: a proxy in front, another account of the machine, a page elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from tests.hub import MANAGE, empty_database, environment
from tests.processes import wait_for

pytestmark = pytest.mark.slow

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
SETPRIV = shutil.which("setpriv")
AS_NOBODY = [SETPRIV, "--reuid=65534", "--regid=65534", "--clear-groups"]

# As Debian's own site with `proxy_pass` alone: no header is added, and the Host is 127.0.0.1.
DEFAULT_PROXY = """
daemon off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {address}; }} }}
}}
"""


@pytest.fixture
def hub(start_hub):
    return start_hub()


def curl(address, *arguments, before=()):
    command = [*before, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *arguments, address]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, cwd="/").stdout


@contextmanager
def proxy(folder, address, user):
    """A default nginx in front of the hub, its worker processes under another account."""
    port = 18_743
    folder.chmod(0o777)
    config = folder / "nginx.conf"
    config.write_text(f"user {user};" + DEFAULT_PROXY.format(folder=folder, port=port, address=address))
    with subprocess.Popen([NGINX, "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: curl(f"http://127.0.0.1:{port}/") != "000")
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


def test_a_program_of_this_account_is_let_in(hub):
    assert curl(f"{hub.address}api/tasks/") == "200"
    body = ["-H", "Content-Type: application/json", "-d", '{"task_type": "NOOP"}']
    assert curl(f"{hub.address}api/tasks/submit", *body) == "201"


@contextmanager
def development_server(folder):
    """`manage.py runserver` on a database of its own; gives its address."""
    port = 18_744
    with empty_database(folder) as database:
        variables = environment(folder, DATABASE_URL=database)
        subprocess.run([*MANAGE, "migrate", "--verbosity=0"], env=variables, check=True, timeout=120)
        command = [*MANAGE, "runserver", "--noreload", str(port)]
        with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                wait_for(lambda: curl(f"http://127.0.0.1:{port}/livez") == "200")
                yield f"http://127.0.0.1:{port}/"
            finally:
                process.terminate()


@pytest.mark.skipif(os.geteuid() != 0 or not SETPRIV, reason="only root can act as another account")
def test_the_development_server_tells_accounts_apart_too(tmp_path):
    with development_server(tmp_path) as address:
        assert curl(f"{address}api/tasks/") == "200"
        assert curl(f"{address}api/tasks/", before=AS_NOBODY) == "403"


FORGED = [
    "Host: evil.example",
    "X-Forwarded-For: 127.0.0.1",
    "Forwarded: for=127.0.0.1",
    "Via: 1.1 proxy",
    "X-Real-IP: 127.0.0.1",
]
ELSEWHERE = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://evil.example", "Origin: null"]


def test_forged_headers_foreign_hosts_and_forms_of_other_sites_are_refused(hub):
    for header in FORGED:
        assert curl(f"{hub.address}api/tasks/", "-H", header) == "403", header
    for header in ELSEWHERE:
        assert curl(f"{hub.address}api/tasks/submit", "-H", header, "-F", "task_type=NOOP") == "403", header


@pytest.mark.skipif(os.geteuid() != 0 or not SETPRIV, reason="only root can act as another account")
def test_another_account_of_the_machine_is_refused(hub):
    for _ in range(5):
        assert curl(f"{hub.address}api/tasks/", before=AS_NOBODY) == "403"
    assert curl(f"{hub.address}livez", before=AS_NOBODY) == "200"


@pytest.mark.skipif(os.geteuid() != 0 or not NGINX, reason="needs nginx, and root to start it as Debian does")
def test_what_comes_through_a_default_nginx_is_refused(hub, tmp_path):
    folder = tmp_path / "nginx"
    folder.mkdir()
    with proxy(folder, hub.address, "www-data") as address:
        assert curl(f"{address}api/tasks/") == "403"
        assert curl(f"{address}") == "403"
