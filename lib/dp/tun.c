// SPDX-License-Identifier: BSD-3-Clause
#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/diag.h"
#include "claim.h"

int
tun_carrier_set(int fd, bool up)
{
	const int on = up;

	return ioctl(fd, TUNSETCARRIER, &on) < 0 ? -errno : 0;
}

static int
explain_attach(const struct tun_conf *conf, int err, struct diag *diag)
{
	switch (-err) {
	case EBUSY:
		return diag_fail(diag, err, "TAP '%s' is in use by another process", conf->name);
	case EPERM:
	case EACCES:
		return diag_fail(diag, -EPERM,
			"may not attach to TAP '%s': needs CAP_NET_ADMIN, or a TAP that was made for "
			"this user (ip tuntap add dev %s mode tap user NAME)",
			conf->name, conf->name);
	case EINVAL:
		return diag_fail(diag, err,
			"'%s' is not a TAP with %s: remove it (ip link del %s) and it will be made anew",
			conf->name, conf->queues > 1 ? "several queues (multi_queue)" : "one queue",
			conf->name);
	case E2BIG:
		return diag_fail(
			diag, err, "TAP '%s' has no room for %zu queues", conf->name, conf->queues);
	default:
		return diag_fail(
			diag, err, "cannot attach to TAP '%s': %s", conf->name, strerror(-err));
	}
}

/* One queue: a descriptor attached to the TAP. Returns it or -errno. */
static int
attach(const struct tun_conf *conf, short flags)
{
	struct ifreq ifr;
	int fd, err;

	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_flags = flags;
	memcpy(ifr.ifr_name, conf->name, strlen(conf->name));
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int
attach_all(const struct tun_conf *conf, int *fds, struct diag *diag)
{
	short flags = IFF_TAP | IFF_NO_PI;
	int fd;

	if (conf->queues > 1)
		flags |= IFF_MULTI_QUEUE;
	for (size_t i = 0; i < conf->queues; i++) {
		fd = attach(conf, flags);
		/* One that was made with several queues may serve as one. */
		if (fd == -EINVAL && conf->queues == 1)
			fd = attach(conf, flags | IFF_MULTI_QUEUE);
		if (fd == -ENOENT || fd == -ENODEV)
			return diag_fail(diag, -ENOENT, "/dev/net/tun is missing: modprobe tun");
		if (fd < 0)
			return explain_attach(conf, fd, diag);
		fds[i] = fd;
	}
	return 0;
}

/* Owner, persistence, MAC, MTU, up. */
static int
set_up(const struct tun_conf *conf, int fd, struct diag *diag)
{
	const char *what = "make it persistent";
	struct ifreq ifr;
	int sock, r = 0;

	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return diag_fail(diag, -errno, "cannot open a socket: %s", strerror(errno));
	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, conf->name, strlen(conf->name));

	(void)tun_carrier_set(fd, false);
	if (ioctl(fd, TUNSETPERSIST, 1) < 0)
		goto fail;
	if (conf->uid != (uid_t)-1) {
		what = "set its owner";
		if (ioctl(fd, TUNSETOWNER, (unsigned long)conf->uid) < 0)
			goto fail;
	}
	if (conf->mac != NULL) {
		what = "set its MAC address";
		ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
		memcpy(ifr.ifr_hwaddr.sa_data, conf->mac, 6);
		if (ioctl(fd, SIOCSIFHWADDR, &ifr) < 0)
			goto fail;
	}
	if (conf->mtu != 0) {
		what = "set its MTU";
		ifr.ifr_mtu = (int)conf->mtu;
		if (ioctl(sock, SIOCSIFMTU, &ifr) < 0)
			goto fail;
	}
	what = "bring it up";
	if (ioctl(sock, SIOCGIFFLAGS, &ifr) < 0)
		goto fail;
	if ((ifr.ifr_flags & IFF_UP) == 0) {
		ifr.ifr_flags |= IFF_UP;
		if (ioctl(sock, SIOCSIFFLAGS, &ifr) < 0)
			goto fail;
	}
	close(sock);
	return 0;
fail:
	r = diag_fail(diag, -errno, "TAP '%s': cannot %s: %s", conf->name, what, strerror(errno));
	close(sock);
	return r;
}

static int
open_here(const struct tun_conf *conf, int *fds, int *claim, struct diag *diag)
{
	int r;

	/* The kernel lets anybody with the right join a TAP of several queues. */
	r = claim_take("tap", conf->name, claim, diag);
	if (r == 0)
		r = attach_all(conf, fds, diag);
	if (r == 0)
		r = set_up(conf, fds[0], diag);
	return r;
}

struct visit {
	const struct tun_conf *conf;
	int *fds, *claim;
	struct diag *diag;
	int result;
};

/* Body of the thread that enters the namespace and ends in it. */
static void *
open_there(void *arg)
{
	struct visit *v = arg;
	const char *ns = v->conf->netns;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s%s", strchr(ns, '/') != NULL ? "" : "/run/netns/", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		v->result = diag_fail(v->diag, -errno, "no network namespace '%s': %s", ns,
			errno == ENOENT ? "make it with ip netns add" : strerror(errno));
		return NULL;
	}
	if (setns(fd, CLONE_NEWNET) < 0)
		v->result = diag_fail(v->diag, -errno, "cannot enter network namespace '%s': %s",
			ns, errno == EPERM ? "needs CAP_SYS_ADMIN" : strerror(errno));
	else
		v->result = open_here(v->conf, v->fds, v->claim, v->diag);
	close(fd);
	return NULL;
}

int
tun_open(const struct tun_conf *conf, int *ret_fds, int *ret_claim, struct diag *diag)
{
	const size_t len = strlen(conf->name);
	int fds[256], claim = -1, r;
	struct visit v = {conf, fds, &claim, diag, 0};
	pthread_t thread;

	if (len == 0 || len >= IFNAMSIZ || strpbrk(conf->name, "/% ") != NULL)
		return diag_fail(diag, -EINVAL, "'%s' is no interface name", conf->name);
	if (conf->queues == 0 || conf->queues > sizeof(fds) / sizeof(fds[0]))
		return diag_fail(diag, -EINVAL, "%zu queues", conf->queues);
	memset(fds, 0xff, sizeof(fds));

	if (conf->netns == NULL || conf->netns[0] == '\0') {
		r = open_here(conf, fds, &claim, diag);
	} else {
		/* A thread of its own, so that no other ever leaves our namespace. */
		r = -pthread_create(&thread, NULL, open_there, &v);
		if (r < 0)
			return diag_fail(diag, r, "cannot start a thread: %s", strerror(-r));
		pthread_join(thread, NULL);
		r = v.result;
	}
	if (r == 0) {
		memcpy(ret_fds, fds, conf->queues * sizeof(fds[0]));
		*ret_claim = claim;
		return 0;
	}
	for (size_t i = 0; i < conf->queues; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (claim >= 0)
		close(claim);
	return r;
}
