"""`llms-install.md`: what an agent that sets up servers (Cline, for one) reads before it sets up this one."""

from __future__ import annotations

import json

from blikk_mcp.commands.clients import CLIENTS, KEY_FILE, NAME
from blikk_packages.product import Product, default

USUAL_KEY_FILE = "~/.blikk-key"
"""Where `config` puts the key for clients that fill in no variables."""

TEXT = """\
# Setting up {name}, for agents

You are setting up a server that moves a person's money, with their approval. Do these steps, and no others.

1. **Do not ask for the API key, and do not accept it in the chat.** If it is offered, it belongs in a file.
2. {install}
3. Try it without a key: `{command} demo` must end with a payment that is paid, once. Nothing is real there.
4. Ask the person to put their key into `{key_file}`, readable by them only. They do it, in their own terminal and editor:

       install -m 600 /dev/null {key_file}

   Do not open, print or copy that file. No key yet? `{command} config CLIENT --sandbox --write` sets a client up with
   a bank that is not real.
5. Let the program write the client's own file:

       {key_variable}={key_file} {command} config CLIENT --write

   CLIENT is one of {clients}.
   Another one needs this:

```json
{snippet}
```

6. Check what the client's own file gives the server: `{command} doctor CLIENT`. Do what it says until it exits with 0.
7. Tell the person what holds now, and that they decide about it: {limits}.
   These are environment variables beside `{key_variable}`; the README's table has the rest. Do not raise one unasked.
8. Ask them to restart the client. Do not call `create_payment` to try it out.

When a payment is asked for later, follow `next_step` of every result, and show `human_instruction` word for word. You never
open the link, approve, or ask for a code.
"""


def llms_install(product: Product) -> str:
    """The file."""
    limits = ", ".join(
        f"`{asked.setting.name}` {default(asked.setting)}"
        for asked in product.asked
        if asked.setting.name.endswith("_ISK") or asked.setting.name == "BLIKK_ALLOWED_CREDITORS"
    )
    snippet = {"mcpServers": {NAME: CLIENTS["other"].entry(product.server({KEY_FILE: USUAL_KEY_FILE}))}}
    # Not `uvx`, whose path `config` would write down and uv may clean up.
    install = (
        f"Install this version: `uv tool install {product.name}=={product.version}`, or the same with `pipx install`."
        if product.published
        else "Install it from this clone: `uv tool install .` or `pipx install .`. This version is **not on PyPI**:\n"
        f"   never install a package of the name `{product.name}` from there."
    )
    return TEXT.format(
        name=product.name,
        install=install,
        command=product.name,
        key_file=USUAL_KEY_FILE,
        key_variable=KEY_FILE,
        clients=", ".join(f"`{name}`" for name in CLIENTS if name != "other"),
        snippet=json.dumps(snippet, indent=2),
        limits=limits,
    )
