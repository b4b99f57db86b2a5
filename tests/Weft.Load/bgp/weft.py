"""weft as a device under test of a BGP bench that takes adapters from $BENCH_DUTS.

WEFT_EXECUTABLE names the executable; without it the one that "build.sh publish" leaves in artifacts/publish is measured.
"""
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Weft:
    kernel = True

    def __init__(self, env=None):
        self.env = env or {}

    @property
    def executable(self):
        return pathlib.Path(os.environ.get("WEFT_EXECUTABLE", ROOT / "artifacts/publish/weft"))

    def version(self):
        if not self.executable.exists():
            return None
        return subprocess.run([self.executable, "version"], capture_output=True, text=True).stdout.split("\n")[0].strip()

    def setup(self, spec):
        lines = ["[router]", f"router-id = {spec.router_id}", f"local-as = {spec.asn}", f"listen = 0.0.0.0:{spec.port}, [::]:{spec.port}",
                 f"install-routes = {'yes' if spec.kernel else 'no'}", f"run-dir = {spec.dir}"]
        for peer in spec.peers:
            lines += [f"[neighbor:{peer.name}]", f"address = {peer.addr}", f"source-address = {peer.local}", f"remote-as = {peer.asn}",
                      f"families = {peer.family}", "passive = yes", "next-hop-self = yes", "import = all",
                      f"export = {'all' if peer.export else 'none'}"]
        (spec.dir / "weft.ini").write_text("\n".join(lines) + "\n")
        return [[self.executable, "router", "--config", spec.dir / "weft.ini"]]


DUTS = {"weft": Weft()}
