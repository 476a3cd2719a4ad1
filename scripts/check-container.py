"""The parts of scripts/check-container that are no command line.

check-container.py image INSPECTED OCI_DIR SIZE_MAX   what the image says, and what is in it
check-container.py process PID MEMORY                 what the kernel lets the program do
check-container.py port                               a port that nobody uses
check-container.py serve PORT_FILE                    a name server at 127.0.0.77, and the provider registry's page
"""

import http.server
import json
import pathlib
import socket
import struct
import sys
import tarfile
import threading

NAMES = ("database.clinic.test", "registry.clinic.test")
ARCHIVE = "NPPES_Data_Dissemination_010526_011126_Weekly_V2.zip"
MONTH = "NPPES_Data_Dissemination_December_2025_V2.zip"


def image(inspected, oci, size_max):
    problems = []

    def equal(what, found, wanted):
        if found != wanted:
            problems.append(f"{what} is {found!r}, not {wanted!r}")

    (said,) = json.loads(inspected.read_text())
    config = said["Config"]
    equal("the user", config["User"], "65532:65532")
    equal("the entry point", config["Entrypoint"], ["/rounds"])
    equal("the command", config.get("Cmd"), None)
    equal("the volumes", list(config["Volumes"]), ["/tmp"])
    for label in ("title", "description", "licenses", "version", "revision"):
        if not config["Labels"].get(f"org.opencontainers.image.{label}"):
            problems.append(f"there is no label {label}")
    if said["Size"] > size_max:
        problems.append(f"{said['Size']} bytes are more than {size_max}")

    def blob(digest):
        return oci / "blobs" / digest.replace(":", "/")

    index = json.loads((oci / "index.json").read_text())
    manifest = json.loads(blob(index["manifests"][0]["digest"]).read_text())
    files = {}
    for layer in manifest["layers"]:
        with tarfile.open(blob(layer["digest"])) as archive:
            for member in archive:
                path = "/" + member.name.strip("./")
                files[path] = (oct(member.mode & 0o7777), member.uid)
                if path == "/rounds":
                    linked_by = interpreter(archive.extractfile(member).read())
                    equal("what links the program", linked_by, None)
    files.pop("/", None)
    equal("the files", files, {"/rounds": ("0o755", 0), "/tmp": ("0o1777", 0)})
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


def interpreter(program):
    """The dynamic linker that an ELF program asks for; None: it is static."""
    assert program[:5] == b"\x7fELF\x02", "a program of 64 bits"
    (start,) = struct.unpack_from("<Q", program, 0x20)
    size, count = struct.unpack_from("<HH", program, 0x36)
    for at in range(start, start + size * count, size):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", program, at)
        if kind == 3:  # PT_INTERP
            return program[offset : offset + length].decode()
    return None


def process(pid, memory):
    problems = []
    lines = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    for field, wanted in (("Uid", "65532\t" * 4), ("CapEff", "0" * 16), ("CapBnd", "0" * 16), ("NoNewPrivs", "1"), ("Seccomp", "2")):
        if lines[field].strip() != wanted.strip():
            problems.append(f"{field} is {lines[field]!r}, not {wanted!r}")
    # The two versions of cgroups, and where each has the limit.
    groups = [line.split(":", 2) for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    limits = [pathlib.Path("/sys/fs/cgroup/memory" + path, "memory.limit_in_bytes") for _, kinds, path in groups if "memory" in kinds.split(",")]
    limits += [pathlib.Path("/sys/fs/cgroup" + path, "memory.max") for number, _, path in groups if number == "0"]
    found = [limit.read_text().strip() for limit in limits if limit.exists()]
    if str(memory) not in found:
        problems.append(f"the limits of memory are {found}, not {memory}")
    mounts = [line.split() for line in pathlib.Path(f"/proc/{pid}/mounts").read_text().splitlines()]
    if not any(where == "/" and "ro" in options.split(",") for _, where, _, options, *_ in mounts):
        problems.append("the root can be written")
    peak = [line.split()[1] for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(f"resident at most {peak[0]} kB", file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        print(listener.getsockname()[1])


class Registry(http.server.BaseHTTPRequestHandler):
    """A page with files that hold nothing."""

    def do_GET(self):
        if self.path.endswith(".html"):
            body = f"<a href='./{MONTH}'>month</a> <a href='./{ARCHIVE}'>week</a>".encode()
        else:
            body = b"this is no archive" * 100000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def answer(question):
    """An A record of 127.0.0.1 for the known names, nothing for other kinds of them, and no such name for others."""
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode().lower())
        at += question[at] + 1
    (kind,) = struct.unpack_from(">H", question, at + 1)
    known = ".".join(labels) in NAMES
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1]) if known and kind == 1 else b""
    flags = 0x8580 if known else 0x8583
    return question[:2] + struct.pack(">HHHHH", flags, 1, 1 if record else 0, 0, 0) + question[12 : at + 5] + record


def serve(port_file):
    registry = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # An address of its own: the machine's name server may be at the usual one.
    names.bind(("127.0.0.77", 53))
    part = port_file.with_suffix(".part")
    part.write_text(str(registry.server_address[1]))
    part.rename(port_file)
    while True:
        question, asker = names.recvfrom(512)
        names.sendto(answer(question), asker)


def main():
    command, *arguments = sys.argv[1:]
    if command == "image":
        image(pathlib.Path(arguments[0]), pathlib.Path(arguments[1]), int(arguments[2]))
    elif command == "process":
        process(int(arguments[0]), int(arguments[1]))
    elif command == "port":
        port()
    elif command == "serve":
        serve(pathlib.Path(arguments[0]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
