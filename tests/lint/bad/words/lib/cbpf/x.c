// SPDX-License-Identifier: BSD-3-Clause
/* TODO: the rest */
int x_placeholder_is_a_name;
/* a stub for now */
/* not yet implemented */
