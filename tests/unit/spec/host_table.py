"""Good and bad hosts and aliases with the sentence of each refusal, for `spec` and for the CRD."""

from __future__ import annotations

from localregistry.spec import hosts

_LABEL = "a" * 63
# 3 x 64 + 61 = 253 characters
_LONGEST = ".".join([_LABEL, _LABEL, _LABEL, "b" * 61])

GOOD_HOSTS = (
    "registry.example.internal",
    "registry.example.com:5000",
    "a.b",
    "a.b:1",
    "a.b:80",
    "a.b:9999",
    "a.b:10000",
    "a.b:59999",
    "a.b:65535",
    "1.2.3.4.example.com",
    "10.example",
    "xn--bcher-kva.example",
    "a--b.example.com",
    "docker.io.example.com",
    "notdocker.io",
    "mydocker.com.example",
    "localhosts.example.com",
    "my-localhost.example.com",
    "default.example.com",
    f"{_LABEL}.example.com",
    _LONGEST,
    f"{_LONGEST}:65535",
)

_SCHEME = "must be without a scheme"
_USER = "must be without user information"
_WILDCARD = "must be one name: a wildcard"
_ADDRESS = "must be a DNS name, not an IP address"
_PATH = "must be without a path"
_UPPER = "must be lower case"
_PORT = "must have a port from 1 to 65535"
_DOT = "must have at least one dot"
_LOCAL = "must not be localhost"
_GENERAL = "must be a DNS name with an optional port, such as"
_PUBLIC = hosts.PUBLIC_FAULT

BAD_HOSTS = {
    # public registries and their aliases
    **dict.fromkeys(hosts.PUBLIC_REGISTRIES, _PUBLIC),
    "index.docker.io": _PUBLIC,
    "registry-1.docker.io": _PUBLIC,
    "registry.hub.docker.com": _PUBLIC,
    "docker.io:443": _PUBLIC,
    "eu.gcr.io": _PUBLIC,
    "k8s.gcr.io": _PUBLIC,
    "europe-docker.pkg.dev": _PUBLIC,
    "my.azurecr.io": _PUBLIC,
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com": _PUBLIC,
    # more than one registry, or another machine
    "_default": "must not be _default",
    "_default:5000": "must not be _default",
    "*": _WILDCARD,
    "*.example.com": _WILDCARD,
    "localhost": _LOCAL,
    "localhost:5000": _LOCAL,
    "a.localhost": _LOCAL,
    "localhost.localdomain": _LOCAL,
    # addresses and networks
    "10.0.0.1": _ADDRESS,
    "10.0.0.1:5000": _ADDRESS,
    "127.0.0.1": _ADDRESS,
    "169.254.169.254": _ADDRESS,
    "127.1": _ADDRESS,
    "2130706433": _ADDRESS,
    "0.0.0.0/0": _ADDRESS,
    "10.0.0.0/8": _ADDRESS,
    "::1": _ADDRESS,
    "::/0": _ADDRESS,
    "[::1]:5000": _ADDRESS,
    "fd00::1:5000": _ADDRESS,
    "example.123": _ADDRESS,
    "127.0.0.0x1": _ADDRESS,
    "x.0x": _ADDRESS,
    # what is not a name
    "http://x": _SCHEME,
    "https://registry.example.com/": _SCHEME,
    "u:p@x": _USER,
    "user@registry.example.com": _USER,
    "x/y": _PATH,
    "registry.example.com/": _PATH,
    "../../etc/cron.d/x": _PATH,
    "registry.example.com?x=1": _PATH,
    "registry.example.com#x": _PATH,
    "UPPER.case": _UPPER,
    "registry": _DOT,
    "registry:5000": _DOT,
    ".": _GENERAL,
    "..": _GENERAL,
    "a..b": _GENERAL,
    "%2e%2e": _GENERAL,
    "registry.example.com.": _GENERAL,
    ".example.com": _GENERAL,
    "-a.example.com": _GENERAL,
    "a-.example.com": _GENERAL,
    "r_x.example.com": _GENERAL,
    " registry.example.com": _GENERAL,
    "registry.example.com ": _GENERAL,
    "registry.example.com\n": _GENERAL,
    "registry.example.com\n5000": _GENERAL,
    "bücher.example": _GENERAL,
    "reg\u0456stry.example.com": _GENERAL,
    f"{'a' * 64}.example.com": _GENERAL,
    f"{_LONGEST}c": "must have a name of at most 253 characters",
    # ports
    "registry.example.com:": _PORT,
    "registry.example.com:0": _PORT,
    "registry.example.com:080": _PORT,
    "registry.example.com:65536": _PORT,
    "registry.example.com:70000": _PORT,
    "registry.example.com:100000": _PORT,
    "registry.example.com:-1": _PORT,
    "registry.example.com:5000x": _PORT,
    "registry.example.com:5000:5000": _PORT,
    # text that means something to a program further on
    'x"]\n[host."http://evil"]\ncapabilities=["pull"]': _SCHEME,
    'x","0.0.0.0/0': _PATH,
    "x.y\nlua_code_cache off": _GENERAL,
    "x.y\0": _GENERAL,
    'x.y"]\n[host."http-evil"]\ncapabilities=["pull"]': _GENERAL,
    'x.y","0.0.0.0': _ADDRESS,
    'x.y","z': _GENERAL,
    "x.y;return 200": _GENERAL,
    "x.y{}": _GENERAL,
    "x.y$host": _GENERAL,
    "{{ .Host }}.example.com": _UPPER,
    "$(reboot).example.com": _GENERAL,
    "`reboot`.example.com": _GENERAL,
    "x.y\\z": _GENERAL,
}

GOOD_ADDRESSES = (
    "10.0.0.1",
    "10.0.0.1:5000",
    "10.100.0.1",
    "10.100.0.1:30500",
    "192.0.2.255:65535",
    "1.0.0.0:1",
    "223.255.255.255:5000",
    "[fd00::1]:30500",
    "[2001:db8::a00:1]:80",
    "[fd00:1:2:3:4:5:6:7]:5000",
)
GOOD_ALIASES = (*GOOD_HOSTS, *GOOD_ADDRESSES)

_FORM = "must be one address in its shortest form"
_MACHINE = "must be the address of a machine that each node means the same by"

BAD_ALIASES = {
    **{host: why for host, why in BAD_HOSTS.items() if host not in GOOD_ALIASES},
    # networks, and what is no address or not its usual text
    **dict.fromkeys(
        (
            *("0.0.0.0/0", "10.0.0.0/8", "::/0", "fd00::/8", "[fd00::]/8", "10.0.0.1/32"),
            *("127.1", "2130706433", "010.0.0.1", "10.0.0.256", "10.0.0", "1.2.3.4.5", "10.0.0.1."),
            *(
                "10.0.0.1:",
                "10.0.0.1:0",
                "10.0.0.1:080",
                "10.0.0.1:65536",
            ),
            *("::1", "fd00::1", "fd00::1:5000", "[fd00::1]", "[fd00::1]:", "[fd00::1]:0"),
            *("[fd00::1]:70000", "[fd00::1", "[]", "[]:80", "[::]", "[FD00::1]:80", "["),
            *("[fd00:0:0:0:0:0:0:1]:80", "[fd00::0001]:80", "[fd00::1%eth0]:80", "[10.0.0.1]:80"),
            *("[::ffff:10.0.0.1]:80", "[::ffff:a00:1]:80", "[fd00:::1]:80", "[1::2::3]:80"),
            "[fd00::1]x:80",
        ),
        _FORM,
    ),
    # one text, another machine on each node
    **dict.fromkeys(
        (
            *("127.0.0.1", "127.0.0.1:5000", "127.255.255.254", "0.0.0.0", "0.0.0.0:80"),
            *("169.254.169.254", "169.254.169.254:80", "224.0.0.1", "239.255.255.255:1"),
            *("255.255.255.255", "[::1]:5000", "[::]:80", "[fe80::1]:80", "[ff02::1]:80"),
        ),
        _MACHINE,
    ),
    "10.0.0.1:1:2": _PORT,
    # where a line ends is told by two programs in two ways
    "[fd00::1]:80\n": "must be ",
    "example.123": _ADDRESS,
}
