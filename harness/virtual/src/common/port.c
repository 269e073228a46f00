/* SPDX-License-Identifier: MIT
 * port.c -- the pty that stands for the board's USB serial port. See host_parts.h.
 *
 * Clients are followed from two sides. inotify on the slave tells every open and close, also a pair
 * between two looks, but merges equal events in a row. A hang-up on the master (POLLHUP) is exact
 * but only a state: it holds while no process has the slave open, which is why the board itself
 * keeps no slave open. The count from inotify is corrected by the hang-up. */
#include "host_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define DEFAULT_BAUD 115200
#define ADOPT_AFTER_NS (100 * 1000 * 1000)

static int say(const char *what, const char *why)
{
    fprintf(stderr, "serial port %s: %s\n", what, why);
    return -1;
}

/* ---- speed and mode ---- */

static const struct {
    unsigned long baud;
    speed_t code;
} SPEEDS[] = {
    {1200, B1200},     {2400, B2400},     {4800, B4800},     {9600, B9600},     {19200, B19200},
    {38400, B38400},   {57600, B57600},   {115200, B115200}, {230400, B230400}, {460800, B460800},
    {500000, B500000}, {921600, B921600}, {1000000, B1000000}, {2000000, B2000000},
};
#define N_SPEEDS (sizeof SPEEDS / sizeof SPEEDS[0])

unsigned long port_baud(const port *p)
{
    struct termios mode;
    if (tcgetattr(p->master, &mode) != 0)
        return 0;
    for (size_t i = 0; i < N_SPEEDS; i++)
        if (SPEEDS[i].code == cfgetospeed(&mode))
            return SPEEDS[i].baud;
    return 0;
}

/* On Linux the master's attributes are the slave's. */

void port_set_baud(port *p, unsigned long baud)
{
    struct termios mode;
    if (tcgetattr(p->master, &mode) != 0)
        return;
    for (size_t i = 0; i < N_SPEEDS; i++)
        if (SPEEDS[i].baud == baud)
            cfsetspeed(&mode, SPEEDS[i].code);
    tcsetattr(p->master, TCSANOW, &mode);
}

static bool is_raw(const struct termios *mode)
{
    return !(mode->c_lflag & (ECHO | ICANON | ISIG | IEXTEN)) && !(mode->c_oflag & OPOST) &&
           !(mode->c_iflag & (ICRNL | INLCR | IGNCR | ISTRIP | IXON | IXOFF));
}

/* Writes only if it must: a next client may be setting its speed at this moment. */
static void make_raw(const port *p)
{
    struct termios mode;
    if (tcgetattr(p->master, &mode) != 0 || is_raw(&mode))
        return;
    cfmakeraw(&mode);
    tcsetattr(p->master, TCSANOW, &mode);
}

/* ---- making and removing ---- */

static bool watch_slave(const port *p)
{
    return inotify_add_watch(p->watch, p->slave, IN_OPEN | IN_CLOSE) >= 0;
}

/* Opens and closes the slave: afterwards the master reports a hang-up until a client comes, and
 * what a former client left unread is gone. */
static bool cycle_slave(const port *p)
{
    tcflush(p->master, TCOFLUSH);   /* what is under way to the slave */
    int fd = open(p->slave, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    tcflush(fd, TCIFLUSH);          /* what has arrived there */
    close(fd);
    return true;
}

static int make_pty(port *p)
{
    p->watch = -1;
    p->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (p->master < 0)
        return say("/dev/ptmx", strerror(errno));
    if (grantpt(p->master) != 0 || unlockpt(p->master) != 0 ||
        ptsname_r(p->master, p->slave, sizeof p->slave) != 0)
        return say("/dev/ptmx", strerror(errno));
    make_raw(p);
    port_set_baud(p, DEFAULT_BAUD);
    p->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (p->watch < 0 || !cycle_slave(p) || !watch_slave(p))
        return say(p->slave, strerror(errno));
    return 0;
}

int port_open(port *p, const char *link)
{
    p->link = link;
    return make_pty(p);
}

int port_make_link(port *p)
{
    struct stat info;
    if (lstat(p->link, &info) == 0 && !S_ISLNK(info.st_mode))
        return say(p->link, "exists and is not a link");
    char temporary[512];
    int n = snprintf(temporary, sizeof temporary, "%s.%ld", p->link, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temporary)
        return say(p->link, "path too long");
    unlink(temporary);
    if (symlink(p->slave, temporary) != 0)
        return say(temporary, strerror(errno));
    if (rename(temporary, p->link) != 0) {
        say(p->link, strerror(errno));
        unlink(temporary);
        return -1;
    }
    p->linked = true;
    return 0;
}

/* Another board may have taken the link's name meanwhile: then it is not ours to remove. */
static void remove_link(const port *p)
{
    char target[sizeof p->slave];
    ssize_t n = readlink(p->link, target, sizeof target - 1);
    if (n < 0)
        return;
    target[n] = '\0';
    if (strcmp(target, p->slave) == 0)
        unlink(p->link);
}

void port_close(port *p)
{
    if (p->linked)
        remove_link(p);
    p->linked = false;
    if (p->watch >= 0)
        close(p->watch);
    if (p->master >= 0)
        close(p->master);
    p->watch = p->master = -1;
}

void port_vanish(port *p)
{
    port_close(p);
    p->clients = 0;
    p->unsettled = false;
    bytes_clear(&p->rx);
    bytes_clear(&p->tx);
}

int port_return(port *p) { return make_pty(p) < 0 ? -1 : port_make_link(p); }

/* ---- following clients ---- */

static bool hung_up(const port *p)
{
    struct pollfd fd = {.fd = p->master};
    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP);
}

static unsigned count_event(port *p, uint32_t mask)
{
    if (mask & IN_OPEN)
        return p->clients++ == 0 ? HOST_OPENED : 0;
    if ((mask & IN_CLOSE) && p->clients > 0)
        return --p->clients == 0 ? HOST_CLOSED : 0;
    return 0;
}

static unsigned read_watch(port *p, bool *saw_open)
{
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    unsigned events = 0;
    for (ssize_t n; (n = read(p->watch, buffer, sizeof buffer)) > 0;) {
        for (ssize_t at = 0; at < n;) {
            struct inotify_event head;
            memcpy(&head, buffer + at, sizeof head);
            at += (ssize_t)(sizeof head + head.len);
            *saw_open = *saw_open || (head.mask & IN_OPEN);
            events |= count_event(p, head.mask);
        }
    }
    return events;
}

/* The last client is gone for certain: leave a clean port to the next one, keeping the speed. The
 * watch is off meanwhile; whoever came in that moment shows by the missing hang-up. */
static unsigned settle(port *p)
{
    p->unsettled = false;
    make_raw(p);
    int old = inotify_add_watch(p->watch, p->slave, IN_OPEN | IN_CLOSE);
    if (old >= 0)
        inotify_rm_watch(p->watch, old);
    cycle_slave(p);
    watch_slave(p);
    if (hung_up(p))
        return 0;
    p->clients = 1;
    return HOST_OPENED;
}

/* Equal events in a row were merged and a client got lost: take it back, without an event. */
static void adopt_lost_client(port *p, bool hangup, int64_t now_ns)
{
    if (p->clients > 0 || hangup) {
        p->odd_since_ns = 0;
    } else if (p->odd_since_ns == 0) {
        p->odd_since_ns = now_ns;
    } else if (now_ns - p->odd_since_ns > ADOPT_AFTER_NS) {
        p->clients = 1;
        p->odd_since_ns = 0;
    }
}

static unsigned follow_clients(port *p, int64_t now_ns)
{
    bool hangup = hung_up(p);       /* before the events: a later open then shows among them */
    bool saw_open = false;
    unsigned events = read_watch(p, &saw_open);
    if (hangup && !saw_open && p->clients > 0) {
        p->clients = 0;
        events |= HOST_CLOSED;
    }
    if (events & HOST_CLOSED)
        p->unsettled = true;
    if (p->clients > 0)
        p->unsettled = false;
    if (p->unsettled && hung_up(p))
        events |= settle(p);
    adopt_lost_client(p, hangup, now_ns);
    return events;
}

/* ---- moving bytes ---- */

/* Bytes that may leave. Older ones than the head were cleared. */
static size_t to_send(const port *p)
{
    int32_t due = (int32_t)(p->tx_limit - p->tx.head);
    return due > 0 ? (size_t)due : 0;
}

bool port_wants_write(const port *p) { return p->clients > 0 && to_send(p) > 0; }

bool port_wants_read(const port *p) { return p->clients > 0 && bytes_room(&p->rx) > 0; }

/* While the queue is full nothing is read, and the client's write() blocks, as with an adaptor. */
static void receive(port *p, int64_t now_ns)
{
    while (bytes_room(&p->rx) > 0) {
        size_t size;
        uint8_t *to = bytes_free_run(&p->rx, &size);
        ssize_t n = read(p->master, to, size);
        if (n <= 0)
            return;
        p->rx.tail += (uint32_t)n;
        p->last_byte_ns = now_ns;
    }
}

static void transmit(port *p, int64_t now_ns)
{
    while (to_send(p) > 0) {
        size_t size;
        const uint8_t *from = bytes_used_run(&p->tx, &size);
        if (size > to_send(p))
            size = to_send(p);
        ssize_t n = write(p->master, from, size);
        if (n <= 0)
            return;
        p->tx.head += (uint32_t)n;
        p->last_byte_ns = now_ns;
    }
}

/* Bytes are taken before the events are: then no byte is seen without the opening that it came by,
 * and those that waited before belong to an earlier session, whose buffers the adaptor drops. */
unsigned port_service(port *p, int64_t now_ns, bool listens)
{
    if (p->master < 0)
        return 0;
    uint32_t earlier = p->rx.tail;
    if (listens)
        receive(p, now_ns);
    unsigned events = follow_clients(p, now_ns);
    if (events & HOST_OPENED) {
        p->rx.head = earlier;
        bytes_clear(&p->tx);
        p->last_byte_ns = now_ns;
    }
    if (p->clients > 0)
        transmit(p, now_ns);
    else
        bytes_clear(&p->tx);
    return events;
}
