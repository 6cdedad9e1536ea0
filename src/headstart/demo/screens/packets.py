"""A packet capture: menu and filter, the coloured list of packets, the tree of one packet's fields, and its bytes.

`draw` fills a canvas; what stands on it comes from the canvas's random source.
"""

from __future__ import annotations

from dataclasses import dataclass

from headstart.demo.screens import content
from headstart.demo.screens.canvas import Box, Canvas
from headstart.demo.screens.frames import draw_frame
from headstart.demo.screens.tables import bar_of_words, head_row, table_row
from headstart.demo.screens.themes import Colour, on

_MENU = ("File", "Edit", "View", "Go", "Capture", "Analyse", "Statistics", "Telephony", "Tools", "Help")
_FILTERS = ("tcp.port == 443", "dns", "http.request", "ip.addr == {}", "tcp.flags.syn == 1", "arp or icmp", "")
_PROTOCOLS = ("TCP", "TCP", "TCP", "TLSv1.2", "TLSv1.3", "DNS", "HTTP", "UDP", "ARP", "ICMP", "SMB2", "DHCP", "QUIC")


@dataclass(frozen=True)
class _Packet:
    protocol: str
    source: str
    target: str
    length: int
    info: str


def draw(canvas: Canvas) -> None:
    """Draw a packet capture over the whole canvas."""
    random, u = canvas.random, canvas.size
    name = f"{content.short_host(random)}-{random.randint(1, 999):03d}.pcap"
    box = draw_frame(
        canvas, random.choice((name, f"{name} - Packet view", f"Capturing from eth{random.randint(0, 3)}"))
    )
    box = _bars(canvas, box)
    status = Box(box.left, box.bottom - round(1.7 * u), box.right, box.bottom)
    body = Box(box.left, box.top, box.right, status.top)
    chosen = _packet(canvas)
    share = random.uniform(0.42, 0.58)
    upper, lower = body.rows(share, 1 - share)
    with canvas.pane(upper) as pane:
        _list(pane, chosen)
    _details(canvas, lower, chosen)
    canvas.rect(status, canvas.theme.chrome)
    canvas.across(status.top)
    count = random.randint(400, 90000)
    canvas.text(
        (u, status.top + round(0.3 * u)),
        f"{name}      Packets: {count:,}   Displayed: {count // random.randint(1, 9):,}   Profile: Default",
        width=box.width - 2 * u,
    )


def _bars(canvas: Canvas, box: Box) -> Box:
    """The menu, the tools and the filter; returns the box below."""
    random, u, theme = canvas.random, canvas.size, canvas.theme
    y = box.top
    if random.random() < 0.8:
        bar_of_words(canvas, Box(box.left, y, box.right, y + round(1.8 * u)), _MENU)
        y += round(1.8 * u)
    if random.random() < 0.75:
        canvas.rect(Box(box.left, y, box.right, y + 2 * u), theme.chrome)
        for i in range(min(random.randint(9, 16), box.width // (2 * u))):
            _tool(canvas, Box(u // 2 + 2 * i * u, y + u // 2, u // 2 + 2 * i * u + u, y + u // 2 + u), i)
        y += 2 * u
    words = random.choice(_FILTERS).format(content.private_address(random))
    fill = theme.tint(random.choice((theme.good, theme.good, theme.alarm)), 0.25) if words else theme.panel
    canvas.rect(Box(box.left, y, box.right, y + round(2.1 * u)), theme.chrome)
    field = Box(box.left + u // 2, y + round(0.2 * u), box.right - u // 2, y + round(1.9 * u))
    canvas.rect(field, fill, theme.line)
    canvas.text(
        (field.left + u // 2, field.top + round(0.25 * u)),
        words or "Apply a display filter ...",
        theme.text if words else theme.muted,
        width=field.width - u,
    )
    return Box(box.left, y + round(2.1 * u), box.right, box.bottom)


def _tool(canvas: Canvas, box: Box, place: int) -> None:
    """A small sign on the tool bar."""
    ink = canvas.random.choice((*canvas.theme.series, canvas.theme.muted))
    shape = place % 4
    if shape == 0:
        canvas.rect(box, ink, radius=2)
    elif shape == 1:
        canvas.draw.ellipse((box.left, box.top, box.right - 1, box.bottom - 1), outline=ink, width=2)
    elif shape == 2:
        canvas.draw.polygon(
            [(box.left, box.top), (box.right, (box.top + box.bottom) // 2), (box.left, box.bottom)], ink
        )
    else:
        for i in range(3):
            y = box.top + round(box.height * (i + 0.5) / 3)
            canvas.draw.line((box.left, y, box.right, y), ink, 2)


def _packet(canvas: Canvas) -> _Packet:
    random = canvas.random
    protocol = random.choice(_PROTOCOLS)
    source, target = content.address(random), content.address(random)
    near, far = random.randint(1024, 65535), random.choice((22, 53, 80, 443, 445, 3389, 8080))
    number, name = random.getrandbits(16), content.host(random)
    info = {
        "DNS": f"Standard query 0x{number:04x} {random.choice(('A', 'AAAA', 'MX', 'TXT'))} {name}",
        "HTTP": f"{random.choice(('GET', 'POST'))} {content.path(random)} HTTP/1.1",
        "ARP": f"Who has {content.private_address(random)}? Tell {source}",
        "ICMP": f"Echo (ping) request  id=0x{number:04x}, seq={random.randint(1, 900)}, ttl=64",
        "DHCP": f"DHCP Discover - Transaction ID 0x{random.getrandbits(32):08x}",
        "SMB2": f"Tree Connect Request Tree: \\\\{name}\\{content.word(random)}$",
        "UDP": f"{near} > {far} Len={random.randint(8, 1400)}",
        "QUIC": f"Protected Payload (KP0), DCID={content.hexadecimal(random, 16)}",
    }.get(protocol)
    if protocol.startswith("TLS"):
        info = random.choice(
            ("Application Data", f"Client Hello (SNI={name})", "Server Hello, Certificate", "Change Cipher Spec")
        )
    if info is None:
        flags = random.choice(("ACK", "SYN", "SYN, ACK", "FIN, ACK", "PSH, ACK", "RST"))
        sequence, acknowledged = random.randint(0, 99999), random.randint(0, 99999)
        info = f"{near} > {far} [{flags}] Seq={sequence} Ack={acknowledged} Win=64240 Len={random.choice((0, 0, 1448))}"
    return _Packet(protocol, source, target, random.choice((54, 60, 66, 74, 102, 342, 583, 1514)), info)


def _colours(canvas: Canvas, strength: float) -> dict[str, Colour]:
    """A row's background by protocol: as saturated as `strength` says."""
    theme = canvas.theme
    by = {"DNS": theme.notice, "UDP": theme.notice, "HTTP": theme.good, "ARP": theme.caution, "ICMP": theme.series[3]}
    by |= {"TCP": theme.series[1], "SMB2": theme.caution, "QUIC": theme.series[4], "DHCP": theme.series[5]}
    by |= {"TLSv1.2": theme.series[1], "TLSv1.3": theme.series[1]}
    return {protocol: theme.tint(colour, strength) for protocol, colour in by.items()}


def _list(pane: Canvas, chosen: _Packet) -> None:
    random, theme = pane.random, pane.theme
    colours = _colours(pane, random.choice((0.15, 0.25, 0.4)))
    widths = [round(part * pane.size) for part in (4, 6, 8.5, 8.5, 5, 4.2)]
    widths.append(max(12 * pane.size, pane.box.width - sum(widths)))  # what does not fit has to be scrolled to
    y = head_row(pane, widths, ("No.", "Time", "Source", "Destination", "Protocol", "Length", "Info"), 0)
    rows = max(3, (pane.box.height - y) // pane.row)
    number, time, at = random.randint(1, 9000), random.uniform(0, 400), random.randrange(1, rows)
    for i in range(rows + 1):
        packet = chosen if i == at else _packet(pane)
        fill = colours[packet.protocol]
        if random.random() < 0.07:
            fill = theme.tint(theme.alarm, 0.75)  # a packet that the tool calls bad
        fill = theme.accent if i == at else fill
        pane.rect(Box(0, y, pane.box.right, y + pane.row), fill)
        words = (
            str(number + i),
            f"{time:.6f}",
            packet.source,
            packet.target,
            packet.protocol,
            str(packet.length),
            packet.info,
        )
        y = table_row(pane, widths, words, y, on(fill))
        time += random.expovariate(20)


def _details(canvas: Canvas, box: Box, chosen: _Packet) -> None:
    """The tree and the bytes, above one another or side by side."""
    share = canvas.random.uniform(0.45, 0.6)
    beside = box.width > 55 * canvas.size and canvas.random.random() < 0.6
    tree, dump = (box.columns if beside else box.rows)(share, 1 - share)
    with canvas.pane(tree) as pane:
        _tree(pane, chosen)
    with canvas.pane(dump) as pane:
        _bytes(pane)
    for part in (tree, dump):
        canvas.rect(part, outline=canvas.theme.line)


def _tree(pane: Canvas, chosen: _Packet) -> None:
    random, u = pane.random, pane.size
    y, lines = u // 4, _fields(pane, chosen)
    marked = random.randrange(len(lines))
    for i, (depth, opened, words) in enumerate(lines):
        if i == marked:
            pane.rect(Box(0, y, pane.box.right, y + round(1.45 * u)), pane.theme.selected)
        x = round((0.6 + 1.3 * depth) * u)
        if opened is not None:
            _triangle(pane, x, y + round(0.75 * u), opened)
        pane.text((x + u, y + round(0.1 * u)), words, width=pane.box.width - x - u)
        y += round(1.45 * u)


def _triangle(pane: Canvas, x: int, y: int, opened: bool) -> None:
    s = max(2, round(0.3 * pane.size))
    down, right = (
        [(x - s, y - s // 2), (x + s, y - s // 2), (x, y + s)],
        [(x - s // 2, y - s), (x - s // 2, y + s), (x + s, y)],
    )
    pane.draw.polygon(down if opened else right, pane.theme.muted)


def _fields(pane: Canvas, chosen: _Packet) -> list[tuple[int, bool | None, str]]:
    """Lines of the tree: depth, whether it is opened (None where nothing can be), words."""
    random, size = pane.random, chosen.length
    near, far = random.randint(1024, 65535), random.choice((53, 80, 443, 445))
    opened = [random.random() < 0.5 for _ in range(3)]
    lines: list[tuple[int, bool | None, str]] = [
        (0, False, f"Frame {random.randint(1, 9000)}: {size} bytes on wire ({8 * size} bits), {size} bytes captured"),
        (0, opened[0], f"Ethernet II, Src: {content.mac(random)}, Dst: {content.mac(random)}"),
    ]
    if opened[0]:
        lines += [(1, None, f"Destination: {content.mac(random)}"), (1, None, "Type: IPv4 (0x0800)")]
    lines.append((0, opened[1], f"Internet Protocol Version 4, Src: {chosen.source}, Dst: {chosen.target}"))
    if opened[1]:
        lines += [
            (1, None, "0100 .... = Version: 4"),
            (1, None, ".... 0101 = Header Length: 20 bytes (5)"),
            (1, None, f"Total Length: {size - 14}"),
            (1, None, f"Identification: 0x{random.getrandbits(16):04x} ({random.getrandbits(15)})"),
            (1, False, "Flags: 0x40, Don't fragment"),
            (1, None, f"Time to Live: {random.choice((64, 128, 255))}"),
        ]
    layer = "User Datagram" if chosen.protocol in ("DNS", "UDP", "QUIC", "DHCP") else "Transmission Control"
    lines += [
        (0, True, f"{layer} Protocol, Src Port: {near}, Dst Port: {far}"),
        (1, None, f"Source Port: {near}"),
        (1, None, f"Destination Port: {far}"),
        (1, None, f"[Stream index: {random.randint(0, 500)}]"),
        (1, False, f"Flags: 0x{random.randrange(64):03x} (ACK)"),
        (1, None, f"Checksum: 0x{random.getrandbits(16):04x} [unverified]"),
        (0, opened[2], f"{chosen.protocol} payload ({random.randint(8, 1400)} bytes)"),
    ]
    return lines + [(1, None, f"{content.word(random).title()}: {content.hexadecimal(random, 12)}")] * opened[2]


def _bytes(pane: Canvas) -> None:
    random, cell = pane.random, pane.cell
    y, offset = pane.size // 4, 0
    marked = range(random.randint(0, 30), random.randint(34, 90))
    plain = pane.box.width < 74 * cell  # too narrow for sixteen bytes a line
    count = 8 if plain else 16
    while y < pane.box.bottom:
        row = [random.choice((random.randrange(256), random.randint(97, 122), 0)) for _ in range(count)]
        pane.cells((cell, y), f"{offset:04x}", pane.theme.muted)
        for i, byte in enumerate(row):
            x = (7 + 3 * i + (i >= 8)) * cell
            if offset + i in marked:
                pane.rect(
                    Box(x - cell // 2, y, x + round(2.5 * cell), y + round(1.35 * pane.size)), pane.theme.selected
                )
            pane.cells((x, y), f"{byte:02x}")
        characters = "".join(chr(byte) if 32 < byte < 127 else "." for byte in row)
        pane.cells(((10 + 3 * count) * cell, y), characters)
        y, offset = y + round(1.35 * pane.size), offset + count
