"""A port scanner in a terminal: the prompt, what was typed, tables of ports with banners, and what scripts found.

`draw` fills a canvas; what stands on it comes from the canvas's random source.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TypeAlias

from headstart.demo.screens import content
from headstart.demo.screens.canvas import Box, Canvas
from headstart.demo.screens.frames import draw_frame
from headstart.demo.screens.tables import bar_of_words

_Part: TypeAlias = tuple[str, str]
"""Words, and the name of their colour in the theme."""

_TOOL = ("portsweep", "netprobe", "sweepr", "hostscan")
_PORTS = (
    (21, "ftp", "ftpd {v} (anonymous login)"),
    (22, "ssh", "sshd {v} (protocol 2.0)"),
    (23, "telnet", "router console"),
    (25, "smtp", "ESMTP gateway {v}"),
    (53, "domain", "named {v}"),
    (80, "http", "httpd {v} (unix)"),
    (88, "kerberos-sec", "kdc (server time: {d})"),
    (110, "pop3", "maildrop pop3d"),
    (111, "rpcbind", "2-4 (RPC #100000)"),
    (135, "rpc", "RPC endpoint mapper"),
    (139, "netbios-ssn", "smbd {v} (workgroup: LAB)"),
    (143, "imap", "maildrop imapd"),
    (389, "ldap", "directory service {v}"),
    (443, "ssl/http", "httpd {v} (unix)"),
    (445, "file-share", "smbd {v} (workgroup: LAB)"),
    (502, "modbus", "plc gateway"),
    (1433, "sql", "database server {v}"),
    (3306, "sql", "database {v}-log"),
    (3389, "rdp", "remote desktop"),
    (5432, "sql", "database {v}"),
    (5900, "vnc", "VNC (protocol 3.8)"),
    (6379, "kv-store", "key-value store {v}"),
    (8080, "http-proxy", "proxy {v}"),
    (8443, "ssl/http", "application server {v}"),
    (9200, "http", "search node {v}"),
    (27017, "docstore", "document store {v}"),
)


def draw(canvas: Canvas) -> None:
    """Draw a terminal with port scans over the whole canvas."""
    random, u = canvas.random, canvas.size
    who = f"{content.user(random)}@{content.short_host(random)}"
    box = draw_frame(canvas, random.choice((f"{who}: ~", "Terminal", f"{who}: ~/scans", "Shell")))
    if random.random() < 0.3:
        bar = Box(box.left, box.top, box.right, box.top + round(1.8 * u))
        bar_of_words(
            canvas, bar, random.choice((("File", "Edit", "View", "Search", "Terminal", "Help"), (who, "logs", "notes")))
        )
        box = Box(box.left, bar.bottom, box.right, box.bottom)
    if random.random() < 0.25:
        box = _status(canvas, box, who)
    target = round(box.width / random.uniform(42, 72))  # windows are about that many font sizes wide
    size = min(22, max(11, target))
    with canvas.pane(box, random.choice((canvas.theme.page, canvas.theme.panel)), size=size) as pane:
        _scroll(pane, who)


def _status(canvas: Canvas, box: Box, who: str) -> Box:
    """The line of a terminal multiplexer at the bottom; returns the box above."""
    u, random = canvas.size, canvas.random
    bar = Box(box.left, box.bottom - round(1.5 * u), box.right, box.bottom)
    canvas.rect(bar, canvas.theme.selected)
    canvas.cells(
        (u // 2, bar.top + u // 10), f"[0] 0:scan* 1:{content.word(random)}- 2:shell"[: bar.width // canvas.cell]
    )
    return Box(box.left, box.top, box.right, bar.top)


def _scroll(pane: Canvas, who: str) -> None:
    """Write lines until the pane is full; a last prompt waits where there is room."""
    random, u = pane.random, pane.size
    step = round(random.choice((1.25, 1.35, 1.5)) * u)
    coloured = random.random() < 0.7
    y, rows = u // 3, max(4, (pane.box.height - u // 2) // step)
    room = pane.box.width // pane.cell - 2
    lines = [part for line in _session(random, who, rows) for part in _broken(line, room)]
    start = 0 if random.random() < 0.5 else max(0, len(lines) - rows)  # scrolled to the end, or not yet
    for parts in lines[start : start + rows]:
        x = pane.cell
        for words, colour in parts:
            ink = getattr(pane.theme, colour) if coloured else pane.theme.text
            x += pane.cells((x, y), words, ink, bold=colour == "accent")
        y += step


def _broken(line: list[_Part], room: int) -> list[list[_Part]]:
    """A line as lines of at most `room` characters."""
    lines: list[list[_Part]] = [[]]
    used = 0
    for words, colour in line:
        while used + len(words) > room:
            lines[-1].append((words[: room - used], colour))
            words, used = words[room - used :], 0
            lines.append([])
        lines[-1].append((words, colour))
        used += len(words)
    return lines


def _session(random: Random, who: str, rows: int) -> list[list[_Part]]:
    lines: list[list[_Part]] = []
    prompt = random.choice(("$ ", "# ", "> "))
    while len(lines) < rows + 6:
        lines += _scan(random, who, prompt)
        if random.random() < 0.35:
            break
    lines.append([(f"{who}", "good"), (":", "text"), ("~", "notice"), (prompt, "text"), ("_", "accent")])
    return lines


def _scan(random: Random, who: str, prompt: str) -> Iterator[list[_Part]]:
    tool = random.choice(_TOOL)
    target = random.choice(
        (content.private_address(random), content.host(random), content.private_address(random) + "/28")
    )
    flags = " ".join(
        random.sample(("-sV", "-sS", "-p-", "-A", "-O", "-T4", "-Pn", "--open", "--script vuln"), random.randint(1, 4))
    )
    yield [(f"{who}", "good"), (":", "text"), ("~", "notice"), (prompt, "text"), (f"{tool} {flags} {target}", "text")]
    yield [(f"Starting {tool} {content.version(random)} at {content.moment(random):%Y-%m-%d %H:%M} UTC", "text")]
    for _ in range(random.choice((1, 1, 2, 3))):
        yield from _host(random, tool)
    seconds = random.uniform(2, 400)
    yield [(f"{tool} done: {random.randint(1, 16)} IP addresses scanned in {seconds:.2f} seconds", "text")]
    yield []


def _host(random: Random, tool: str) -> Iterator[list[_Part]]:
    yield [(f"Scan report for {content.host(random)} ({content.private_address(random)})", "accent")]
    yield [(f"Host is up ({random.uniform(0.0002, 0.3):.4f}s latency).", "text")]
    yield [
        (f"Not shown: {random.randint(900, 65000)} {random.choice(('closed', 'filtered'))} tcp ports (reset)", "muted")
    ]
    yield [("PORT      STATE     SERVICE       VERSION", "text")]
    ports = sorted(random.sample(_PORTS, random.randint(3, 11)))
    for port, service, banner in ports:
        yield from _port(random, port, service, banner)
    if random.random() < 0.6:
        yield [(f"MAC Address: {content.mac(random).upper()} (Example Devices)", "text")]
    if random.random() < 0.5:
        system = random.choice(("Unix", "Embedded", "Server"))
        yield [(f"Service Info: Host: {content.short_host(random)}; OS: {system}", "text")]
    if random.random() < 0.3:
        yield from _route(random)
    yield []


def _port(random: Random, port: int, service: str, banner: str) -> Iterator[list[_Part]]:
    state = random.choice(("open", "open", "open", "filtered", "closed"))
    colour = {"open": "good", "filtered": "caution", "closed": "alarm"}[state]
    words = banner.format(v=content.version(random), d=f"{content.moment(random):%H:%M:%S}") if state == "open" else ""
    yield [(f"{f'{port}/tcp':<10}", "text"), (f"{state:<10}", colour), (f"{service:<14}", "notice"), (words, "text")]
    if state == "open" and random.random() < 0.35:
        yield from _script(random)


def _script(random: Random) -> Iterator[list[_Part]]:
    """What a script adds below a port."""
    name = f"{content.word(random)}-{random.choice(('enum', 'info', 'title', 'hostkey', 'vuln'))}"
    yield [(f"| {name}:", "text")]
    for _ in range(random.randint(0, 3)):
        yield [(f"|   {random.choice((_key, _weak, _page))(random)}", "text")]
    yield [(f"|_  {_key(random)}", "text")]


def _key(random: Random) -> str:
    digits = content.hexadecimal(random, 32)
    return f"{random.choice((256, 2048, 3072))} " + ":".join(digits[i : i + 2] for i in range(0, 32, 2))


def _weak(random: Random) -> str:
    return f"VULNERABLE: {content.cve(random)}  {random.uniform(4, 10):.1f}"


def _page(random: Random) -> str:
    return f"{content.path(random)} ({random.choice((200, 301, 401, 403))})"


def _route(random: Random) -> Iterator[list[_Part]]:
    yield []
    yield [("TRACEROUTE", "text")]
    yield [("HOP RTT       ADDRESS", "text")]
    for hop in range(1, random.randint(3, 7)):
        yield [(f"{hop:<3} {random.uniform(0.3, 90):6.2f} ms {content.address(random)}", "text")]
