# SPDX-License-Identifier: BSD-3-Clause
import time
time.sleep(1)
run("sleep", "5")
# no sleep in a comment does harm
