"""The words at the end of a start: where to go, how to log in, what is worth a look. Called by `run.py`."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def summary(up: Mapping[str, Any], data: Path, demo: Mapping[str, Any] | None) -> str:
    """A friendly text; `demo` is the content of demo.toml where the demo runs."""
    journal, login = up["journal"], up["login"]
    lines = [
        "",
        f"Connect is running:  {journal}",
        f"Log in as            {login['user']}",
        f"with the password    {login['password'] or '(the one that was set in this database)'}",
    ]
    if demo:
        lines += ["", *_tour(journal, up["sandbox"], demo)]
        if up.get("mails"):
            lines.append(f"  mails of alarms       {up['mails']}          nothing leaves this machine")
        lines += ["", "Stand-ins, for interfaces of your own (the first is in docs/tutorial.md):"]
        lines += [f"  {key:<21} {address}" for key, address in up["sandbox"].items()]
    lines += ["", f"Data and logs are in {data}. Ctrl-C stops it; the next start goes on where this one ended.", ""]
    return "\n".join(lines)


def _tour(journal: str, sandbox: Mapping[str, str], demo: Mapping[str, Any]) -> list[str]:
    sku = demo["tour"]["erp_lacks"]
    erp = sandbox[demo["erp"]["connector"]]
    body = shlex.quote(f'[{{"sku": "{sku}", "name": "New article", "price": "9.90"}}]')
    return [
        f"Worth a look ({demo['title']}, a new order every {demo['place_every_seconds']} seconds):",
        f"  orders on their way   {journal}/orders",
        f"  parcels on their way  {journal}/exports          the ERP ships each order within some seconds",
        f"  stock going out       {journal}/articles         it sells, counts anew, and buys in",
        f"  what needs a person   {journal}/orders?filter=state:failed",
        f"  one way to mend it    let the ERP know the article {sku}; its orders go on by themselves within a minute:",
        f"      curl -H 'Content-Type: application/json' -d {body} {erp}/_sandbox/products",
    ]
