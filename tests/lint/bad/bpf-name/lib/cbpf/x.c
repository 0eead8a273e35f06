// SPDX-License-Identifier: BSD-3-Clause
int
bpf_run(void)
{
	return cbpf_run() + bpf_filter();
}

struct bpf_thing {
	int a;
};
