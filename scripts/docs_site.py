"""What mkdocs asks while it builds the site: the pages of folders, links that lead out of docs/, diagrams, languages.

Diagrams are drawn by mermaid, which npm brings once, checked, into the user's cache; the site carries it and asks
nobody.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
VERSION = "11.9.0"
SHA512 = "YdPXn9slEwO0omQfQIsW6vS84weVQftIyyTGAZCwM//MGhPzL1+l6vO6bkf0wnP4tHigH1alZ5Ooy3HXI2gOag=="
"""Of the package as npm names it, in Base64."""
SCRIPT = "assets/mermaid.min.js"
SECONDS = 300
DECISIONS = "adr"
DIAGRAM = re.compile(r'<pre class="mermaid">.*?</pre>', re.DOTALL)
NUMBERED = re.compile(r"^# (?=\d)")
LINK = re.compile(r"(?<!!)\[([^\]\n]+(?:\n[^\]\n]+)?)\]\((?!https?://|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """Write out the folders of the navigation, so that a new decision or runbook is in it by itself."""
    config["nav"] = _expanded(config["nav"])
    config["extra_javascript"].append(SCRIPT)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Put the script that draws into the site."""
    files.append(File.generated(config, SCRIPT, content=mermaid()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """A link to code, or to a folder, says its text alone: the site has the documents and nothing else."""
    del config
    known = {file.src_uri for file in files if file.inclusion.is_included()}
    folder = PurePosixPath(page.file.src_uri).parent

    def kept(link: re.Match[str]) -> str:
        target = os.path.normpath(folder / link[2])
        index = f"{target}/README.md"
        return link[0] if target in known else f"[{link[1]}]({link[2]}/README.md)" if index in known else link[1]

    if page.file.src_uri == f"{DECISIONS}/README.md":
        markdown += _listed(DOCS / DECISIONS)
    return LINK.sub(kept, markdown)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """A diagram lies in a box of its own: on a phone it is moved there, and stays readable."""
    del page, config, files
    return DIAGRAM.sub(r'<div class="diagram" tabindex="0">\g<0></div>', html)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """A page says its language, and loads what draws only where there is something to draw."""
    del config
    if page.file.src_uri.startswith("de/"):
        output = output.replace('<html lang="en"', '<html lang="de"', 1)
    return output if 'class="mermaid"' in output else re.sub(rf'<script src="[^"]*{SCRIPT}"></script>', "", output)


def _listed(folder: Path) -> str:
    """The decisions by their titles, which the folder shows in the repository."""
    lines = []
    for path in sorted(folder.glob("0*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0]
        lines.append(f"- [{NUMBERED.sub('', title)}]({path.name})\n")
    return "\n" + "".join(lines)


def _expanded(nav: Any) -> Any:
    """`adr/` becomes its README and its pages in order."""
    if isinstance(nav, list):
        return [_expanded(one) for one in nav]
    if isinstance(nav, dict):
        return {name: _expanded(one) for name, one in nav.items()}
    if not str(nav).endswith("/"):
        return nav
    pages = sorted(path.name for path in (DOCS / nav).glob("*.md") if path.name not in ("README.md", "template.md"))
    return [f"{nav}{name}" for name in ("README.md", *pages)]


def mermaid() -> bytes:
    """The script, from the cache or by npm. Raises PluginError with a plain sentence."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "connect" / "programs"
    script = cache / f"mermaid-{VERSION}.js"
    cache.mkdir(parents=True, exist_ok=True)
    with script.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not script.exists():
            unfinished = script.with_suffix(".unfinished")
            unfinished.write_bytes(_fetched())
            unfinished.rename(script)
    return script.read_bytes()


def _fetched() -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise PluginError("The diagrams need mermaid, and npm, which brings it, is missing: install it (Debian: npm).")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", f"mermaid@{VERSION}"]
        packed = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL
        )
        found = list(Path(folder).glob("*.tgz"))
        if packed.returncode != 0 or not found:
            raise PluginError(f"npm could not bring mermaid: {(packed.stderr or packed.stdout).strip()[-200:]}")
        digest = base64.b64encode(hashlib.sha512(found[0].read_bytes()).digest()).decode()
        if digest != SHA512:
            raise PluginError(f"What npm brought as mermaid {VERSION} is another file than before ({digest}).")
        with tarfile.open(found[0]) as package:
            member = package.extractfile("package/dist/mermaid.min.js")
            assert member is not None
            return member.read()
