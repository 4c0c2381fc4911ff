# SPDX-License-Identifier: GPL-3.0-or-later
try help
try --help
try --version
try help extract
try extract --help
try help nosuch
