# SPDX-License-Identifier: GPL-3.0-or-later
"""The binding on the samples; GIMSTATE_SAMPLES is their folder."""
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import gimstate

SAMPLES = pathlib.Path(os.environ["GIMSTATE_SAMPLES"])


class Reading(unittest.TestCase):
    def test_json_is_that_of_the_command(self):
        for sample in sorted(SAMPLES.glob("*.sav")):
            with gimstate.open(sample) as state:
                found = state.json()
            printed = json.loads(subprocess.run([os.environ["GIMSTATE"], "dump", "--json", sample], capture_output=True, check=True).stdout)
            for record in ("gim", "hyperv", "kvm"):
                self.assertEqual(found.get(record), printed.get(record), f"{sample.name}: {record}")

    def test_units(self):
        with gimstate.open(SAMPLES / "hyperv-4.sav") as state:
            units = list(state.units())
            self.assertIn("GIM", [unit.name for unit in units])
            unit = next(unit for unit in units if unit.name == "GIM")
            self.assertEqual(len(state.payload("GIM")), unit.payload_bytes)
            self.assertEqual((unit.instance, unit.version, unit.pass_), (0, 1, gimstate.FINAL))

    def test_closed(self):
        state = gimstate.open(SAMPLES / "kvm.sav")
        state.close()
        state.close()
        self.assertRaises(ValueError, state.json)


class Errors(unittest.TestCase):
    def test_absent_file(self):
        with self.assertRaises(gimstate.Error) as raised:
            gimstate.open(SAMPLES / "nothing")
        self.assertEqual(raised.exception.code, "io")

    def test_cut(self):
        with tempfile.NamedTemporaryFile() as cut:
            cut.write((SAMPLES / "hyperv-4.sav").read_bytes()[:600])
            cut.flush()
            findings = gimstate.verify(cut.name)
        self.assertIn("SSM-END-OF-FILE", [finding.rule for finding in findings if finding.severity == "error"])
        self.assertTrue(any(finding.offset is not None for finding in findings))

    def test_field(self):
        with gimstate.open(SAMPLES / "kvm.sav") as state:
            with self.assertRaises(gimstate.Error) as raised:
                state.set("kvm.nothing", "1")
            self.assertEqual(raised.exception.code, "path")
            with self.assertRaises(gimstate.Error) as raised:
                state.set("kvm.wall_clock", "many")
            self.assertEqual(raised.exception.code, "value")
            self.assertIn("kvm.wall_clock", raised.exception.path or str(raised.exception))
            with self.assertRaises(gimstate.Error) as raised:
                state.payload("nothing")
            self.assertEqual(raised.exception.code, "no-unit")


    def test_text_is_taken_whole(self):
        """C would end it at its first zero, and do another thing than it was told."""
        sample = os.fspath(SAMPLES / "kvm.sav")
        with gimstate.open(sample) as state, tempfile.TemporaryDirectory() as folder:
            for call in (
                lambda: gimstate.open(sample + "\0x"),
                lambda: gimstate.verify(sample + "\0x"),
                lambda: gimstate.check(sample, "vbox:7.2\0x"),
                lambda: state.payload("GIM\0x"),
                lambda: state.set("kvm.wall_clock", "7\0" + "8"),
                lambda: state.set("kvm.wall_clock\0x", "7"),
                lambda: state.convert("vbox-kvm-1\0x"),
                lambda: state.write(os.path.join(folder, "out\0x")),
            ):
                self.assertRaises(ValueError, call)
            self.assertRaises(TypeError, state.set, "kvm.wall_clock", 7)
            self.assertEqual(os.listdir(folder), [])

    def test_write_of_a_closed_one(self):
        state = gimstate.open(SAMPLES / "kvm.sav")
        state.close()
        with tempfile.TemporaryDirectory() as folder:
            before = len(os.listdir("/proc/self/fd"))
            self.assertRaises(ValueError, state.write, os.path.join(folder, "out"))
            self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class Layouts(unittest.TestCase):
    def test_structs_are_those_of_the_header(self):
        """The compiler says where the header has each member; with a member the binding would read beside it."""
        if not shutil.which("cc"):
            self.skipTest("there is no compiler")
        structs = {"gim_error": gimstate._Error, "gim_finding": gimstate._Finding, "gim_unit": gimstate._Unit}
        lines, expected = [], []
        for name, struct in structs.items():
            lines.append(f'printf("%zu\\n", sizeof(struct {name}));')
            expected.append(ctypes.sizeof(struct))
            for member, _ in struct._fields_:
                lines.append(f'printf("%zu\\n", offsetof(struct {name}, {member.rstrip("_")}));')
                expected.append(getattr(struct, member).offset)
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "sizes"
            source = '#include "gimstate.h"\n#include <stdio.h>\nint main(void){' + "".join(lines) + "}"
            subprocess.run(["cc", "-x", "c", "-", "-Ilibgimstate", "-o", program], input=source, text=True, check=True)
            found = subprocess.run([program], capture_output=True, text=True, check=True).stdout
        self.assertEqual([int(line) for line in found.split()], expected)


class Judging(unittest.TestCase):
    def test_whole(self):
        self.assertEqual(gimstate.verify(SAMPLES / "kvm.sav"), [])

    def test_check(self):
        self.assertTrue(gimstate.check(SAMPLES / "kvm.sav", "vbox:7.2").fits)
        verdict = gimstate.check(SAMPLES / "hyperv-4.sav", "vbox:5.2")
        self.assertFalse(verdict.fits)
        self.assertIn("GIM-VER-001", [finding.rule for finding in verdict.findings])
        self.assertRaises(gimstate.Error, gimstate.check, SAMPLES / "kvm.sav", "vbox:9.9")


class Writing(unittest.TestCase):
    def test_change_and_convert(self):
        with tempfile.TemporaryDirectory() as folder:
            new = pathlib.Path(folder) / "new.sav"
            with gimstate.open(SAMPLES / "hyperv-4.sav") as state:
                state.set("hyperv.tsc_sequence", "7")
                findings = state.convert("vbox:5.2")
                self.assertTrue(any(finding.path == "hyperv.debug.udp_guest_dst_port" for finding in findings))
                state.write(new)
                with self.assertRaises(gimstate.Error):
                    state.write(new)
                state.write(new, replace=True)
            self.assertEqual(gimstate.verify(new), [])
            with gimstate.open(new) as state:
                found = state.json()
            self.assertEqual(found["gim"]["layout"], "vbox-hyperv-3")
            self.assertEqual(found["hyperv"]["tsc_sequence"], 7)

    def test_copy(self):
        with tempfile.TemporaryDirectory() as folder, gimstate.open(SAMPLES / "kvm.sav") as state:
            state.write(pathlib.Path(folder) / "copy")
            self.assertEqual((pathlib.Path(folder) / "copy").read_bytes(), (SAMPLES / "kvm.sav").read_bytes())


if __name__ == "__main__":
    unittest.main()
