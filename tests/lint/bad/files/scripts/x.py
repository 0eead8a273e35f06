# SPDX-License-Identifier: BSD-3-Clause
def broken(:
	pass
