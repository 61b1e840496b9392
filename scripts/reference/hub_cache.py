"""A cache as Python's client of the hub leaves it, and whether that client takes ours for its own.

    python scripts/reference/hub_cache.py          # writes tests/fixtures/hub/python-cache.json
    python scripts/reference/hub_cache.py --check  # needs `npm run build`; writes nothing

Both talk to the server of tests/hub, which is compiled for it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ID = "org/tiny"
NEEDED = ["config.json", "generation_config.json", "tokenizer.json", "vocab.json", "merges.txt", "model.safetensors"]
ABSENT = ["added_tokens.json", "special_tokens_map.json"]


class Server:
    """The test server in a process of its own."""

    def __init__(self, folder: Path):
        compiler = ["npx", "tsc", "--ignoreConfig", "tests/hub/server.ts", "--outDir", str(folder)]
        options = ["--target", "es2022", "--module", "nodenext", "--types", "node", "--skipLibCheck"]
        (folder / "package.json").write_text('{"type": "module"}')
        subprocess.run([*compiler, *options], cwd=ROOT, check=True)
        command = ["node", str(ROOT / "tests/hub/serve.mjs"), str(folder / "server.js")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def asked(self, slow: int = 0) -> list[str]:
        """What was asked since the last call; the next large file comes with pauses of so many milliseconds."""
        self.process.stdin.write(f"{slow}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def python(cache: Path, url: str, code: str, **environment: str) -> subprocess.Popen:
    """Runs code with the client in a process of its own, since it reads its settings once."""
    variables = {"HF_HUB_CACHE": str(cache), "HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1", **environment}
    before = f"from huggingface_hub import *\nID, NEEDED, ABSENT = {ID!r}, {NEEDED!r}, {ABSENT!r}\n"
    return subprocess.Popen(
        [sys.executable, "-c", before + code], env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
    )


def ours(cache: Path, url: str, **options: object) -> subprocess.Popen:
    settings = json.dumps({"cacheDir": str(cache), "endpoint": url, **options})
    return subprocess.Popen(
        ["node", str(ROOT / "tests/hub/fetch.mjs"), ID, settings], stdout=subprocess.PIPE, text=True
    )


def output(process: subprocess.Popen) -> str:
    text = process.communicate()[0].strip()
    assert process.returncode == 0, text
    return text


DOWNLOAD = """
from huggingface_hub.utils import EntryNotFoundError
for name in NEEDED:
    print(hf_hub_download(ID, name))
for name in ABSENT:
    try:
        hf_hub_download(ID, name)
    except EntryNotFoundError:
        pass
"""

# What the cache must answer without a server, and what a scan of it says.
INSPECT = """
from huggingface_hub.file_download import _CACHED_NO_EXIST
for name in NEEDED:
    print(hf_hub_download(ID, name, local_files_only=True))
for name in ABSENT:
    assert try_to_load_from_cache(ID, name) is _CACHED_NO_EXIST, name
found = scan_cache_dir()
assert not found.warnings, found.warnings
[repo] = found.repos
[revision] = repo.revisions
assert (repo.repo_id, repo.repo_type, revision.refs) == (ID, 'model', {'main'}), repo
assert {file.file_name for file in revision.files} == set(NEEDED), revision.files
"""


def describe(cache: Path) -> dict[str, dict[str, str]]:
    """Each file of a cache: where a link leads, or its text; of a blob, the file it is the content of."""
    names = {}
    for pointer in cache.glob("models--*/snapshots/*/*"):
        names[pointer.resolve()] = pointer.name
    entries = {}
    for path in sorted(cache.rglob("*")):
        name = path.relative_to(cache).as_posix()
        if path.is_symlink():
            entries[name] = {"link": os.readlink(path)}
        elif path.is_file():
            entries[name] = {"of": names[path.resolve()]} if path.parent.name == "blobs" else {"text": path.read_text()}
    return entries


def write(folder: Path, server: Server) -> None:
    output(python(folder / "python", server.url, DOWNLOAD))
    target = ROOT / "tests/fixtures/hub/python-cache.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(describe(folder / "python"), indent=1) + "\n")


def check(folder: Path, server: Server) -> None:
    cache = folder / "ours"
    place = Path(output(ours(cache, server.url)))
    offline = output(python(cache, server.url, INSPECT, HF_HUB_OFFLINE="1")).splitlines()
    assert offline == [str(place / name) for name in NEEDED], offline
    server.asked()
    online = output(python(cache, server.url, DOWNLOAD)).splitlines()
    asked = server.asked()
    assert online == offline and not [each for each in asked if each.startswith("GET")], asked
    print(f"our cache: Python finds {len(online)} files without the server, and with it downloads none")

    made, known = describe(cache), describe_fixture()
    different = {name for name in made.keys() | known.keys() if made.get(name) != known.get(name)}
    extra = {name for name in different if "/.no_exist/" in name}
    assert different == extra, different - extra
    print(f"the two caches: the same but for {len(extra)} notes of absent files")

    for round_ in range(4):
        both = folder / f"both-{round_}"
        server.asked(slow=100)
        processes = [python(both, server.url, DOWNLOAD)]
        # Ours starts much faster: in every second round it waits until Python is in the middle of the large file.
        while round_ % 2 and not list(both.glob("models--*/blobs/*.incomplete")) and processes[0].poll() is None:
            time.sleep(0.01)
        processes.append(ours(both, server.url))
        for process in processes:
            output(process)
        large = [each for each in server.asked() if each.startswith("GET cdn")]
        assert len(large) == 1, large
        output(python(both, server.url, INSPECT, HF_HUB_OFFLINE="1"))
    print("Python and ours at once, four times: each large file came once, and both found all")


def describe_fixture() -> dict[str, dict[str, str]]:
    return json.loads((ROOT / "tests/fixtures/hub/python-cache.json").read_text())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        running = Server(Path(name))
        try:
            (check if "--check" in sys.argv else write)(Path(name), running)
        finally:
            running.stop()
