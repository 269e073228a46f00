/* SPDX-License-Identifier: MIT
 * host.c -- ties the parts of the host together: start, waiting, serving, end. See host.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "host_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL
#define QUIET_NS NS_PER_S
#define FLASH_SETTLE_NS (300 * NS_PER_MS)
#define LOCK_PATIENCE_MS 3000
/* No wait is longer: flash is saved and an unsettled port looked after in time. */
#define LONGEST_WAIT_NS (100 * NS_PER_MS)
#define HELD_BYTES_WAIT_NS NS_PER_MS    /* bytes that trouble.c holds back leave in time */

int64_t host_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* ---- start and end ---- */

static int say(const host *h, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", h->config->program, what, why);
    return -1;
}

static int take_signals(host *h)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    h->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return h->signals < 0 ? say(h, "signalfd", strerror(errno)) : 0;
}

/* One board per state folder. A board that is just ending is waited for. */
static int lock_state(host *h)
{
    const char *dir = h->options.state_dir;
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return say(h, dir, strerror(errno));
    h->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (h->lock < 0)
        return say(h, dir, strerror(errno));
    for (int waited = 0; flock(h->lock, LOCK_EX | LOCK_NB) != 0; waited += 20) {
        if (waited >= LOCK_PATIENCE_MS)
            return say(h, dir, "another board has this state folder");
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    }
    return 0;
}

int host_open(host **out, const host_config *config, int argc, char **argv)
{
    options given;
    int status = options_parse(&given, config, argc, argv);
    if (status != HOST_READY)
        return status;
    host *h = calloc(1, sizeof *h);
    if (!h)
        return 1;
    h->config = config;
    h->options = given;
    h->pace.clock_hz = config->clock_hz;
    h->lock = h->signals = h->port.master = h->port.watch = h->control.listener = -1;
    h->watched = -1;
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        h->control.clients[i].fd = -1;
    if (trouble_parse(&h->trouble, given.fault) < 0) {
        free(h);
        return 2;
    }
    if (take_signals(h) < 0 || lock_state(h) < 0 || port_open(&h->port, given.port_link) < 0 ||
        control_open(&h->control, given.control) < 0) {
        host_close(h);
        return 1;
    }
    *out = h;
    return HOST_READY;
}

int host_announce(host *h)
{
    if (port_make_link(&h->port) < 0 || control_make_link(&h->control, h->port.link) < 0)
        return -1;
    char board[64], slave[128], link[1024];
    printf("{\"event\":\"ready\",\"board\":%s,\"port\":%s,\"link\":%s}\n",
           host_json_string(board, sizeof board, h->options.board),
           host_json_string(slave, sizeof slave, h->port.slave),
           host_json_string(link, sizeof link, h->port.link));
    fflush(stdout);
    return 0;
}

void host_close(host *h)
{
    if (!h)
        return;
    flash_service(&h->flash, host_now_ns(), 0);
    port_close(&h->port);
    control_close(&h->control);
    if (h->signals >= 0)
        close(h->signals);
    if (h->lock >= 0)
        close(h->lock);
    free(h->trouble.firmware);
    free(h->trouble.firmware_path);
    free(h);
}

bool host_realtime(const host *h) { return h->options.realtime; }

const char *host_board(const host *h) { return h->options.board; }

/* ---- waiting and serving ---- */

enum { FD_SIGNALS, FD_OWNER, FD_WATCH, FD_MASTER, FD_BOARD, FD_LISTENER, FD_CLIENTS,
       FD_COUNT = FD_CLIENTS + CONTROL_CLIENTS };

static void collect_fds(const host *h, struct pollfd fds[FD_COUNT])
{
    bool seat = false;
    for (int i = 0; i < CONTROL_CLIENTS; i++) {
        fds[FD_CLIENTS + i] = (struct pollfd){.fd = h->control.clients[i].fd, .events = POLLIN};
        seat = seat || h->control.clients[i].fd < 0;
    }
    short io = 0;
    if (port_wants_read(&h->port) && trouble_listens(&h->trouble))
        io |= POLLIN;
    if (port_wants_write(&h->port))
        io |= POLLOUT;
    bool watch_owner = h->options.owner_stdin && !h->owner_gone;
    fds[FD_SIGNALS] = (struct pollfd){.fd = h->signals, .events = POLLIN};
    fds[FD_OWNER] = (struct pollfd){.fd = watch_owner ? STDIN_FILENO : -1, .events = POLLIN};
    fds[FD_WATCH] = (struct pollfd){.fd = h->port.watch, .events = POLLIN};
    fds[FD_MASTER] = (struct pollfd){.fd = h->port.clients > 0 ? h->port.master : -1,
                                     .events = io};
    fds[FD_BOARD] = (struct pollfd){.fd = h->watched, .events = POLLIN};
    fds[FD_LISTENER] = (struct pollfd){.fd = seat ? h->control.listener : -1, .events = POLLIN};
}

/* Whatever the owner writes is ignored; only the end counts. */
static bool owner_has_gone(void)
{
    char unused[256];
    ssize_t n = read(STDIN_FILENO, unused, sizeof unused);
    return n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
}

/* Asks the board for something, as a client of the control socket would. */
static bool ask_board(host *h, const char *word)
{
    char answer[CONTROL_ANSWER];
    return h->config->request(h->config->context, word, answer, sizeof answer);
}

/* The moments of trouble.c that have come. */
static unsigned make_trouble(host *h)
{
    unsigned due = trouble_take_due(&h->trouble);
    if (due & 1u << TROUBLE_VANISH) {
        port_vanish(&h->port);
        h->trouble.returns_ns = host_now_ns() + h->trouble.absent_ns;
    }
    if (due & 1u << TROUBLE_RESET)
        ask_board(h, "reset");
    if ((due & 1u << TROUBLE_BROWN_OUT) && !ask_board(h, "brown-out"))
        ask_board(h, "reset");
    if (h->trouble.returns_ns && host_now_ns() >= h->trouble.returns_ns) {
        h->trouble.returns_ns = 0;
        if (port_return(&h->port) < 0)
            h->quit = true;
    }
    return due ? HOST_REQUEST : 0;
}

static unsigned serve_port(host *h)
{
    h->port.tx_limit = trouble_release(&h->trouble, &h->port.tx, host_now_ns());
    unsigned events = port_service(&h->port, host_now_ns(), trouble_listens(&h->trouble));
    if (events & HOST_OPENED)
        trouble_opened(&h->trouble);
    return events;
}

static unsigned serve_ready(host *h, const struct pollfd fds[FD_COUNT])
{
    unsigned events = serve_port(h) | make_trouble(h);
    bool asked = false;
    for (int i = FD_LISTENER; i < FD_COUNT; i++)
        asked = asked || fds[i].revents;
    if (asked)
        events |= control_service(&h->control, h->config);
    if (fds[FD_OWNER].revents)
        h->owner_gone = owner_has_gone();
    if (fds[FD_SIGNALS].revents || h->owner_gone || (events & HOST_QUIT))
        h->quit = true;
    flash_service(&h->flash, host_now_ns(), FLASH_SETTLE_NS);
    return h->quit ? events | HOST_QUIT : events;
}

static unsigned wait_and_serve(host *h, int64_t timeout_ns)
{
    struct pollfd fds[FD_COUNT];
    collect_fds(h, fds);
    int64_t longest_ns = bytes_count(&h->port.tx) ? HELD_BYTES_WAIT_NS : LONGEST_WAIT_NS;
    if (timeout_ns > longest_ns)
        timeout_ns = longest_ns;
    if (timeout_ns < 0)
        timeout_ns = 0;
    if (ppoll(fds, FD_COUNT, &(struct timespec){.tv_nsec = timeout_ns}, NULL) < 0)
        for (int i = 0; i < FD_COUNT; i++)
            fds[i].revents = 0;
    return serve_ready(h, fds);
}

unsigned host_service(host *h, int64_t timeout_us) { return wait_and_serve(h, timeout_us * 1000); }

void host_watch(host *h, int fd) { h->watched = fd; }

/* ---- time ---- */

bool host_quiet(const host *h) { return host_now_ns() - h->port.last_byte_ns > QUIET_NS; }

uint64_t host_slice(const host *h)
{
    uint32_t slices_per_second = host_quiet(h) ? 250 : 1000;
    return h->config->clock_hz / slices_per_second;
}

unsigned host_pace(host *h, uint64_t cycles, bool at_most_realtime)
{
    unsigned events = wait_and_serve(h, 0);
    while ((events & ~(unsigned)HOST_REQUEST) == 0) {
        if (!at_most_realtime && !h->options.realtime && !host_quiet(h)) {
            pace_forget(&h->pace);
            break;
        }
        int64_t ahead_ns = pace_ahead_ns(&h->pace, cycles, host_now_ns());
        if (ahead_ns <= 0)
            break;
        events |= wait_and_serve(h, ahead_ns);
    }
    return events;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

uint64_t host_sleep(host *h, uint64_t cycles, uint64_t until, unsigned *events)
{
    const uint64_t second = h->config->clock_hz;
    *events = wait_and_serve(h, 0);
    pace_ahead_ns(&h->pace, cycles, host_now_ns());     /* anchors */
    uint64_t reached = cycles;
    while (*events == 0 && reached < until && host_rx_count(h) == 0) {
        uint64_t target = until - reached > second ? reached + second : until;
        *events = wait_and_serve(h, pace_ahead_ns(&h->pace, target, host_now_ns()));
        reached = clamp(pace_reached(&h->pace, host_now_ns()), reached, until);
    }
    return reached;
}

/* ---- the serial line ---- */

bool host_is_open(const host *h) { return h->port.clients > 0; }

unsigned long host_baud(host *h) { return port_baud(&h->port); }

void host_set_baud(host *h, unsigned long baud) { port_set_baud(&h->port, baud); }

int host_rx_pop(host *h) { return trouble_receive(&h->trouble, &h->port.rx); }

size_t host_rx_count(const host *h) { return trouble_waiting(&h->trouble, &h->port.rx); }

void host_rx_clear(host *h) { bytes_clear(&h->port.rx); }

void host_tx(host *h, uint8_t byte)
{
    if (!host_is_open(h))
        return;
    if (!trouble_send(&h->trouble, &h->port.tx, byte))
        h->port.tx_dropped++;
}

uint64_t host_tx_dropped(const host *h) { return h->port.tx_dropped; }

/* ---- faults on request ---- */

bool host_mcu_reset(host *h)
{
    trouble_reset(&h->trouble);
    if (!h->trouble.firmware)
        return false;
    memcpy(h->flash.image, h->trouble.firmware, h->flash.size);
    return true;
}

void host_stage(host *h, bool bootloader)
{
    trouble_stage(&h->trouble, bootloader, host_now_ns());
}

void host_lose_memory(uint8_t *bytes, size_t size, uint64_t seed)
{
    uint32_t noise = (uint32_t)seed | 1u;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((noise = noise * 1664525u + 1013904223u) >> 24);
}

bool host_refuses_start(host *h) { return trouble_refuses_start(&h->trouble); }

/* ---- flash ---- */

/* The image that trouble.c puts into flash at every reset, whatever was uploaded. */
static int attach_other_firmware(host *h)
{
    const char *path = h->trouble.firmware_path;
    if (!path)
        return 0;
    h->trouble.firmware = malloc(h->flash.size);
    if (h->trouble.firmware && flash_read(path, h->trouble.firmware, h->flash.size) == 1)
        return 0;
    return say(h, path, "cannot be the board's firmware");
}

int host_flash_attach(host *h, uint8_t *image, size_t size)
{
    int loaded = flash_attach(&h->flash, h->options.state_dir, image, size);
    return loaded < 0 || attach_other_firmware(h) < 0 ? -1 : loaded;
}

void host_flash_changed(host *h) { h->flash.changed_ns = host_now_ns(); }

/* ---- words ---- */

void host_event(host *h, const char *name, const char *fields, ...)
{
    char text[CONTROL_ANSWER];
    char quoted[64];
    va_list arguments;
    va_start(arguments, fields);
    vsnprintf(text, sizeof text, fields, arguments);
    va_end(arguments);
    (void)h;
    fprintf(stderr, "{\"event\":%s,%s}\n", host_json_string(quoted, sizeof quoted, name), text);
}

char *host_json_string(char *out, size_t size, const char *text)
{
    size_t used = 0;
    out[used++] = '"';
    for (; *text && used + 8 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            out[used++] = '\\';
            out[used++] = (char)c;
        } else if (c < 0x20) {
            used += (size_t)snprintf(out + used, size - used, "\\u%04x", c);
        } else {
            out[used++] = (char)c;
        }
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}
