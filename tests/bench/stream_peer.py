# SPDX-License-Identifier: GPL-3.0-or-later
# stream_peer.py FILE: reads a migration stream as scripts do, to be measured beside: the description from the end, then the stream from its beginning,
# a read and a seek for each page of RAM; prints all devices as JSON. Plain RAM alone: no compression, no mapped RAM.
import json
import os
import struct
import sys

TAIL_BYTES = 10 << 20
ZERO, SIZES, RAW, EOS, CONTINUE = 2, 4, 8, 16, 32


def description(file):
    file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
    tail = file.read()
    at = len(tail)
    while (at := tail.rfind(b"\x06", 0, at)) >= 0:
        if tail[at + 5 : at + 6] == b"{" and struct.unpack(">I", tail[at + 1 : at + 5])[0] == len(tail) - at - 5:
            return json.loads(tail[at + 5 :])
    sys.exit("no description")


class Stream:
    def __init__(self, file):
        self.file = file

    def number(self, size):
        return int.from_bytes(self.file.read(size), "big")

    def name(self):
        return self.file.read(self.number(1)).decode()

    def ram(self):
        while True:
            word = self.number(8)
            flags = word & 0xFFF
            if flags & EOS:
                return
            if flags & SIZES:
                left = word & ~0xFFF
                while left > 0:
                    self.name()
                    left -= self.number(8)
                continue
            if not flags & CONTINUE:
                self.name()
            if flags & ZERO:
                self.number(1)
            elif flags & RAW:
                self.file.seek(4096, os.SEEK_CUR)
            else:
                sys.exit(f"RAM flags {flags:#x} are not read here")

    def device(self, described):
        fields = {}
        for field in described["fields"]:
            for _ in range(field.get("array_len", 1)):
                fields[field["name"]] = self.file.read(field["size"]).hex()
        return fields


def main():
    with open(sys.argv[1], "rb") as file:
        devices = description(file)["devices"]
        stream, found, kinds = Stream(file), {}, {}
        file.seek(8)
        while (kind := stream.number(1)) != 0:
            if kind == 7:
                file.seek(stream.number(4), os.SEEK_CUR)
                continue
            if kind == 0x7E:
                stream.number(4)
                continue
            section = stream.number(4)
            if kind in (1, 4):
                kinds[section] = (stream.name(), stream.number(4), stream.number(4))
            name, instance, _ = kinds[section]
            if name == "ram":
                stream.ram()
            else:
                found[f"{name} ({section})"] = stream.device(next(d for d in devices if (d["name"], d["instance_id"]) == (name, instance)))
    print(json.dumps(found, indent=1))


main()
