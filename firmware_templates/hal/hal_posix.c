/* SPDX-License-Identifier: MIT
 *
 * hal_posix.c -- the firmware as a process: it speaks the link on stdin and stdout, or on a tty
 * whose path is its only argument. For tests of everything above the HAL, without an emulator.
 *
 * Counter   none (timer 0): "cycles" are nanoseconds of CLOCK_MONOTONIC, so RNN_CLOCK_HZ is 10^9.
 *           They show that stretches are summed; they time nothing.
 * Stack     not measured.
 * Reset     the process executes itself again. It ends when its input does. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE         /* cfmakeraw */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "hal.h"
#include "messages.h"

#define WRITE_PATIENCE_MS 1000

static int in = STDIN_FILENO, out = STDOUT_FILENO;
static char **arguments;
static uint8_t ring[4096];
static size_t head, tail;           /* bytes tail .. head - 1 of `ring` wait */
static struct timespec began;

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

void hal_init(void)
{
}

static void fill(void)
{
    ssize_t got = read(in, ring, sizeof ring);
    if (got == 0)
        exit(EXIT_SUCCESS);
    if (got < 0 && errno == EIO)    /* a pty whose other end has closed */
        exit(EXIT_SUCCESS);
    if (got < 0 && errno != EINTR && errno != EAGAIN)
        fail("read");
    tail = 0;
    head = got > 0 ? (size_t)got : 0;
}

int16_t hal_read(void)
{
    return tail < head ? ring[tail++] : -1;
}

void hal_idle(void)
{
    if (tail < head)
        return;
    struct pollfd ready = {.fd = in, .events = POLLIN};
    if (poll(&ready, 1, -1) > 0)
        fill();
}

void hal_write(const uint8_t *bytes, uint16_t size)
{
    while (size) {
        struct pollfd ready = {.fd = out, .events = POLLOUT};
        if (poll(&ready, 1, WRITE_PATIENCE_MS) == 0)
            return;
        ssize_t put = write(out, bytes, size);
        if (put < 0 && errno != EINTR && errno != EAGAIN)
            fail("write");
        if (put > 0) {
            bytes += put;
            size = (uint16_t)(size - put);
        }
    }
}

uint32_t hal_overruns(void)
{
    return 0;
}

void hal_stretch_begin(void)
{
    clock_gettime(CLOCK_MONOTONIC, &began);
}

uint32_t hal_stretch_end(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ns = (int64_t)(now.tv_sec - began.tv_sec) * 1000000000 + (now.tv_nsec - began.tv_nsec);
    return ns < (int64_t)CYCLES_UNKNOWN ? (uint32_t)ns : CYCLES_UNKNOWN;
}

uint8_t hal_timer(void)
{
    return TIMER_NONE;
}

uint16_t hal_stack_peak(void)
{
    return 0;
}

void hal_reset(void)
{
    execv("/proc/self/exe", arguments);
    fail("execv");
}

static void open_tty(const char *path)
{
    struct termios settings;
    in = out = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (in < 0)
        fail(path);
    if (tcgetattr(in, &settings) == 0) {
        cfmakeraw(&settings);
        tcsetattr(in, TCSANOW, &settings);
    }
}

int main(int count, char **given)
{
    arguments = given;
    if (count > 2) {
        fprintf(stderr, "usage: %s [TTY]\n", given[0]);
        return EXIT_FAILURE;
    }
    if (count == 2)
        open_tty(given[1]);
    app_start();
    for (;;)
        app_poll();
}
