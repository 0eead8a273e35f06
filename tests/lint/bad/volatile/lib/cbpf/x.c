// SPDX-License-Identifier: BSD-3-Clause
static volatile int stop;
/* volatile in a comment is fine, and so is "volatile" in a string */
