// SPDX-License-Identifier: BSD-3-Clause
#include "dev.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/util.h"

#include "eal.h"

/* Defaults of net_af_packet, and what of a slot of its ring is not the frame. */
#define AFP_FRAME_BYTES 2048
#define AFP_FRAME_COUNT 512
#define AFP_SLOT_HEAD (TPACKET2_HDRLEN - sizeof(struct sockaddr_ll))
#define AFP_BLOCK_BYTES (1u << 20)

bool
dev_copies(const struct dev_spec *spec)
{
	return spec->iface[0] != '\0';
}

/* The value of argument @key in "name,key=value,...", cut at @size. */
static bool
arg_get(const char *text, const char *key, char *buf, size_t size)
{
	const size_t key_len = strlen(key);

	for (const char *p = strchr(text, ','); p != NULL; p = strchr(p, ',')) {
		p++;
		if (strncmp(p, key, key_len) != 0 || p[key_len] != '=')
			continue;
		p += key_len + 1;
		snprintf(buf, size, "%.*s", (int)strcspn(p, ","), p);
		return true;
	}
	return false;
}

static uint32_t
arg_u32(const char *text, const char *key, uint32_t absent)
{
	char buf[16];

	uint32_t v = absent;

	/* What is no number is left to the driver, which says so. */
	if (arg_get(text, key, buf, sizeof(buf)))
		(void)parse_u32(buf, 0, UINT32_MAX, &v, NULL);
	return v;
}

static int
arg_append(struct dev_spec *s, const char *key, uint32_t value, struct diag *diag)
{
	const size_t len = strlen(s->args);
	const int n = snprintf(s->args + len, sizeof(s->args) - len, ",%s=%u", key, value);

	if (n < 0 || (size_t)n >= sizeof(s->args) - len)
		return diag_fail(diag, -EINVAL, "device: longer than %zu bytes", sizeof(s->args));
	return 0;
}

/* That the interface is there and that we may listen on it. */
static int
check_iface(const struct dev_spec *s, struct diag *diag)
{
	int fd;

	if (s->iface[0] == '\0')
		return diag_fail(
			diag, -EINVAL, "device '%s': no interface; expected iface=NAME", s->args);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		const int err = -errno;

		if (err == -EPERM || err == -EACCES)
			return diag_fail(diag, -EPERM,
				"may not open packet sockets for '%s': needs CAP_NET_RAW; start as root",
				s->iface);
		return diag_fail(diag, err, "cannot open a packet socket for '%s': %s", s->iface,
			strerror(-err));
	}
	close(fd);
	if (if_nametoindex(s->iface) == 0)
		return diag_fail(diag, -ENODEV, "there is no interface '%s'", s->iface);
	return 0;
}

/*
 * Its driver wants the number of queues and the size of the ring as arguments,
 * and its own default ring holds half a millisecond of a flood.
 */
static int
fill_af_packet(struct dev_spec *s, uint16_t queues, uint32_t rx_ring, struct diag *diag)
{
	const uint32_t qpairs = arg_u32(s->args, "qpairs", 0);
	const uint32_t slot = arg_u32(s->args, "framesz", AFP_FRAME_BYTES);
	char unused[8];
	int r;

	if (qpairs != 0 && qpairs < queues)
		return diag_fail(diag, -EINVAL, "device '%s' has %u queues, but queues = %u",
			s->args, qpairs, queues);
	if (qpairs == 0) {
		r = arg_append(s, "qpairs", queues, diag);
		if (r < 0)
			return r;
	}

	s->ring_frames = arg_u32(s->args, "framecnt", 0);
	if (s->ring_frames == 0 && rx_ring == 0) {
		s->ring_frames = AFP_FRAME_COUNT;
	} else if (s->ring_frames == 0) {
		s->ring_frames = rx_ring;
		r = arg_append(s, "framecnt", rx_ring, diag);
		if (r < 0)
			return r;
		if ((uint64_t)rx_ring * slot >= AFP_BLOCK_BYTES &&
			!arg_get(s->args, "blocksz", unused, sizeof(unused))) {
			r = arg_append(s, "blocksz", AFP_BLOCK_BYTES, diag);
			if (r < 0)
				return r;
		}
	}
	s->frame_bytes = slot > AFP_SLOT_HEAD ? slot - (uint32_t)AFP_SLOT_HEAD : 1;
	return check_iface(s, diag);
}

static int
fill_pcap(struct dev_spec *s, struct diag *diag)
{
	char file[DEV_TEXT_MAX];

	if (arg_get(s->args, "iface", s->iface, sizeof(s->iface)) ||
		arg_get(s->args, "rx_iface", s->iface, sizeof(s->iface)) ||
		arg_get(s->args, "rx_iface_in", s->iface, sizeof(s->iface))) {
		s->kind = DEV_PCAP_IFACE;
		return check_iface(s, diag);
	}
	s->kind = DEV_PCAP_FILE;
	s->loops = arg_u32(s->args, "infinite_rx", 0) != 0;
	if (arg_get(s->args, "rx_pcap", file, sizeof(file)) && access(file, R_OK) < 0)
		return diag_fail(diag, errno == EACCES ? -EACCES : -ENOENT, "cannot read '%s': %s",
			file, strerror(errno));
	return 0;
}

int
dev_parse(const char *device, uint16_t queues, uint32_t rx_ring, struct dev_spec *ret_spec,
	struct diag *diag)
{
	const size_t name_len = strcspn(device, ",");
	struct dev_spec s = {.kind = DEV_OTHER};
	int r = 0;

	if (name_len == 0)
		return diag_fail(diag, -EINVAL,
			"device '%s': expected a PCI address or a DPDK device", device);
	if (strlen(device) >= sizeof(s.args) || name_len >= sizeof(s.name))
		return diag_fail(diag, -EINVAL, "device '%.40s...': too long", device);
	memcpy(s.name, device, name_len);
	memcpy(s.args, device, strlen(device) + 1);

	s.pci = eal_is_pci(device);
	if (strncmp(s.name, "net_af_packet", 13) == 0 ||
		strncmp(s.name, "eth_af_packet", 13) == 0) {
		s.kind = DEV_AF_PACKET;
		(void)arg_get(s.args, "iface", s.iface, sizeof(s.iface));
		r = fill_af_packet(&s, queues, rx_ring, diag);
	} else if (strncmp(s.name, "net_pcap", 8) == 0 || strncmp(s.name, "eth_pcap", 8) == 0) {
		r = fill_pcap(&s, diag);
	}
	if (r < 0)
		return r;
	*ret_spec = s;
	return 0;
}
