# SPDX-License-Identifier: GPL-3.0-or-later
# qemu_tree.py FILE: the device tree of a migration stream by its description, read independently of the library: a line for each section and
# each number or byte string in it. Fails where the description's arithmetic is not exact.
import json
import struct
import sys


def get(pairs, key, default=None):
    """The first value of a key; objects are kept as lists of pairs, since keys repeat."""
    return next((value for name, value in pairs if name == key), default)


def find_description(data):
    at = len(data)
    while True:
        at = data.rfind(b"\x00\x06", 0, at)
        if at < 0:
            sys.exit("no description")
        if struct.unpack(">I", data[at + 2 : at + 6])[0] == len(data) - at - 6 and data[at + 6 : at + 7] == b"{":
            return at, json.loads(data[at + 6 :], object_pairs_hook=list)


def own_size(pairs):
    return sum(get(field, "size") * get(field, "array_len", 1) for field in get(pairs, "fields", []))


def size(pairs):
    subsections = get(pairs, "subsections", [])
    return own_size(pairs) + sum(6 + len(get(each, "vmsd_name")) + size(each) for each in subsections)


def elements(field):
    """What a field consists of: its structure, or those that stand in it one after the other."""
    if get(field, "struct") is not None:
        return [get(field, "struct")]
    found = []
    for key, value in field:
        if key == "vmsd_name":
            found.append([])
        if found and key in ("vmsd_name", "version", "fields", "subsections"):
            found[-1].append((key, value))
    return found


def walk(pairs, prefix, at, out):
    for field in get(pairs, "fields", []):
        name, count, width, inner = prefix + get(field, "name"), get(field, "array_len", 1), get(field, "size"), elements(field)
        if len(inner) == 1 and size(inner[0]) == width:
            for index in range(count):
                walk(inner[0], name + (f"[{index}]" if count > 1 else "") + ".", at + index * width, out)
        elif inner and count == 1 and sum(1 + size(each) for each in inner) + 1 == width:
            place = at
            for index, each in enumerate(inner):
                walk(each, f"{name}[{index}].", place + 1, out)
                place += 1 + size(each)
        else:
            for index in range(count if width else 0):
                out(name + (f"[{index}]" if count > 1 else ""), get(field, "type"), at + index * width, width)
        at += count * width
    for each in get(pairs, "subsections", []):
        at += 6 + len(get(each, "vmsd_name"))
        walk(each, prefix + get(each, "vmsd_name") + ":", at, out)
        at += size(each)


def main():
    data = open(sys.argv[1], "rb").read()
    end, description = find_description(data)
    sections = []
    for device in reversed(get(description, "devices")):
        name, instance = get(device, "name"), get(device, "instance_id")
        footer = 5 if data[end - 5] == 0x7E and size(device) + 5 < end else 0
        head = struct.pack(">B", len(name)) + name.encode() + struct.pack(">I", instance)
        start = end - footer - size(device) - 5 - len(head) - 4
        if data[start] != 4 or data[start + 5 : start + 5 + len(head)] != head:
            sys.exit(f"{name}/{instance} is not where its size says")
        payload = start + 5 + len(head) + 4
        sections.append((name, instance, struct.unpack(">I", data[payload - 4 : payload])[0], device, payload))
        end = start
    seen = {}
    for name, instance, version, device, payload in reversed(sections):
        order = seen.get((name, instance), 0)
        seen[(name, instance)] = order + 1
        print(f"device {name} {instance} {order} {version} {size(device)}")

        def out(path, kind, at, width):
            number = kind.startswith(("uint", "int", "bool", "timer")) and width <= 8
            value = data[at : at + width].hex()
            print(f"  {path} {kind}", f"0x{int(value, 16):x}" if number else "-" + value)

        walk(device, "", payload, out)


main()
