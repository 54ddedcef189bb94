// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a shell cannot do or say: one write(2) of exactly the bytes of standard
 * input, at an offset, over and over; the name of an errno; a VFIO device that
 * is held open.
 *
 *   sysio write FILE [-a] [-o OFFSET] [-r TIMES]	one write each time
 *   sysio read FILE [-o OFFSET]
 *   sysio open FILE r|w|rw		only open it
 *   sysio keep FILE			open it, and read and write it later:
 *					a line "read" or "write TEXT" each
 *   sysio hold UUID			open the device until standard input
 *					ends; says "open", and "req" each time
 *					that it is asked to close
 *
 * Prints what the call returned: a number, or the name of the errno. The exit
 * status is 0 if it succeeded, 1 if it failed, 2 for misuse.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vfio_client.h"

#define MAX_INPUT	(2u << 20)

static int report(ssize_t ret)
{
	if (ret < 0)
		printf("%s\n", strerrorname_np(errno) ?: "unknown errno");
	else
		printf("%zd\n", ret);
	fflush(stdout);
	return ret < 0;
}

static size_t read_input(char *buf)
{
	size_t n = 0;
	ssize_t got;

	while (n < MAX_INPUT) {
		got = read(STDIN_FILENO, buf + n, MAX_INPUT - n);
		if (got <= 0)
			break;
		n += got;
	}
	return n;
}

static int do_write(const char *path, int argc, char **argv)
{
	int flags = O_WRONLY, opt, fd, ret = 0;
	char *buf = malloc(MAX_INPUT);
	long times = 1;
	off_t off = 0;
	size_t n;

	while ((opt = getopt(argc, argv, "ao:r:")) != -1) {
		if (opt == 'a')
			flags |= O_APPEND;
		else if (opt == 'o')
			off = strtoll(optarg, NULL, 0);
		else if (opt == 'r')
			times = strtol(optarg, NULL, 0);
		else
			return 2;
	}
	if (!buf)
		return 2;
	n = read_input(buf);
	fd = open(path, flags);
	if (fd < 0)
		return report(-1);
	/* The last one is what is reported. */
	for (; times > 1; times--)
		if (pwrite(fd, buf, n, off) < 0)
			continue;
	if (off)
		ret = report(pwrite(fd, buf, n, off));
	else
		ret = report(lseek(fd, 0, SEEK_SET) ?: write(fd, buf, n));
	close(fd);
	free(buf);
	return ret;
}

static int do_read(const char *path, off_t off)
{
	char buf[65536];
	ssize_t n;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return report(-1);
	n = pread(fd, buf, sizeof(buf), off);
	close(fd);
	if (n < 0)
		return report(n);
	fwrite(buf, 1, n, stdout);
	return 0;
}

static int do_open(const char *path, const char *how)
{
	int flags = O_RDONLY, fd;

	if (!strcmp(how, "w"))
		flags = O_WRONLY;
	else if (!strcmp(how, "rw"))
		flags = O_RDWR;
	fd = open(path, flags);
	if (fd < 0)
		return report(-1);
	close(fd);
	return report(0);
}

static int do_keep(const char *path)
{
	int fd = open(path, O_RDWR);
	char line[8192];
	ssize_t n;

	if (fd < 0)
		return report(-1);
	report(0);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "write ", 6)) {
			report(pwrite(fd, line + 6, strlen(line + 6), 0));
		} else {
			n = pread(fd, line, sizeof(line), 0);
			report(n);
		}
	}
	close(fd);
	return 0;
}

static int do_hold(const char *uuid)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN } };
	struct vfc_dev d;
	char c;
	int ret, req;

	ret = vfc_open(&d, uuid);
	if (ret < 0) {
		errno = -ret;
		return report(-1);
	}
	req = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = vfc_irq_set(&d, VFIO_PCI_REQ_IRQ_INDEX, 0, 1, &req);
	if (ret < 0) {
		errno = -ret;
		return report(-1);
	}
	puts("open");
	fflush(stdout);
	fds[1] = (struct pollfd){ .fd = req, .events = POLLIN };
	while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
		if (fds[1].revents && vfc_event_take(req)) {
			puts("req");
			fflush(stdout);
		}
		if (fds[0].revents && read(STDIN_FILENO, &c, 1) <= 0)
			break;
	}
	vfc_close(&d);
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";

	if (!strcmp(verb, "write"))
		return do_write(argv[2], argc - 2, argv + 2);
	if (!strcmp(verb, "read"))
		return do_read(argv[2], argc > 4 ? strtoll(argv[4], NULL, 0) : 0);
	if (!strcmp(verb, "open") && argc == 4)
		return do_open(argv[2], argv[3]);
	if (!strcmp(verb, "keep"))
		return do_keep(argv[2]);
	if (!strcmp(verb, "hold"))
		return do_hold(argv[2]);
	fprintf(stderr, "usage: %s write|read|open|keep|hold ...\n", argv[0]);
	return 2;
}
