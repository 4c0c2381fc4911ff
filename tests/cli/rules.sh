# SPDX-License-Identifier: GPL-3.0-or-later
"$GIMSTATE" rules | awk '{print $2}' | sort | uniq -c | awk '{print $2, ($1 > 3) ? "some" : $1}'
try rules GIM-PAGE-SIZE
try rules SSM-TERMINATOR-CRC
try rules CONVERT-LOST --json
try rules NO-RULE
try rules GIM-PAGE-SIZE GIM-TEXT
