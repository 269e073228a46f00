/* SPDX-License-Identifier: MIT
 *
 * hal_posix.c -- the firmware as a program of Linux: it speaks the link on stdin and stdout, or on
 * a tty whose path is its only argument. For boards that run Linux, and for tests of everything
 * above the HAL, without an emulator.
 *
 * Counter   the board's clock (timer 4): "cycles" are nanoseconds of CLOCK_MONOTONIC_RAW, which no
 *           time server slews. Exact to the clock's own tick, up to 2^32 - 2 ns (4.29 s). Other programs
 *           and interrupts run meanwhile, so the host repeats each window.
 * Stack     painted in hal_init from a little below the stack in use, PAINT_BYTES down; the peak
 *           counts from main() on. 0 where it went deeper than the paint.
 * Reset     the program is a child of itself: the parent starts another when it asks for that.
 * End       when its input ends: nothing is left running once the line is closed. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE         /* cfmakeraw */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "hal.h"
#include "messages.h"

#define WRITE_PATIENCE_MS 1000
#ifndef POSIX_WINDOW                /* a test may want the window of a small board */
#define POSIX_WINDOW 2048u          /* half of what a tty's queue takes */
#endif
#define RESET_STATUS 75             /* of a child that wants to be started again */

static int in = STDIN_FILENO, out = STDOUT_FILENO;
static uint8_t ring[4096];
static size_t head, tail;           /* bytes tail .. head - 1 of `ring` wait */
static struct timespec began;

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* ---- stack ---- */

#define PAINT 0xC5C5C5C5u
#define PAINT_BYTES 32768u
#define PAINT_MARGIN 512u           /* below the frame of paint_stack: its own and its red zone */

static uintptr_t stack_top, paint_start;

static __attribute__((noinline)) void paint_stack(void)
{
    uintptr_t end = ((uintptr_t)__builtin_frame_address(0) - PAINT_MARGIN) & ~(uintptr_t)3;
    paint_start = end - PAINT_BYTES;
    for (uintptr_t at = end; at > paint_start;) {       /* downwards: the kernel lets it grow */
        at -= sizeof(uint32_t);
        *(volatile uint32_t *)at = PAINT;
    }
}

uint16_t hal_stack_peak(void)
{
    uintptr_t at = paint_start;
    while (at < stack_top && *(volatile uint32_t *)at == PAINT)
        at += sizeof(uint32_t);
    uintptr_t peak = stack_top - at;
    return at > paint_start && peak <= UINT16_MAX ? (uint16_t)peak : 0;
}

/* ---- bytes ---- */

void hal_init(void)
{
    paint_stack();
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

uint16_t hal_waiting(const uint8_t **bytes)
{
    *bytes = ring + tail;
    return (uint16_t)(head - tail);
}

void hal_drop(uint16_t count)
{
    tail += count;
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

/* The kernel takes them. That costs time, which is what the clock measures: who times windows sends
 * none meanwhile. */
uint16_t hal_window(void)
{
    return POSIX_WINDOW;
}

/* ---- baud rate, of a tty ---- */

static const speed_t speeds[] = {
    [BAUD_BASE] = B115200,   [BAUD_230400] = B230400,   [BAUD_460800] = B460800,
    [BAUD_500000] = B500000, [BAUD_921600] = B921600,   [BAUD_1000000] = B1000000,
    [BAUD_2000000] = B2000000,                          /* 250000 has no name in POSIX */
};

uint8_t hal_bauds(void)
{
    uint8_t mask = 0;
    for (uint8_t rate = BAUD_230400; isatty(in) && rate <= BAUD_2000000; rate++)
        if (speeds[rate])
            mask |= BAUD_BIT(rate);
    return mask;
}

void hal_set_baud(uint8_t rate)
{
    struct termios settings;
    if (tcgetattr(in, &settings) < 0 || cfsetspeed(&settings, speeds[rate]) < 0)
        return;
    tcsetattr(in, TCSADRAIN, &settings);
}

/* ---- clock ---- */

void hal_stretch_begin(void)
{
    clock_gettime(CLOCK_MONOTONIC_RAW, &began);
}

uint32_t hal_stretch_end(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    int64_t ns = (int64_t)(now.tv_sec - began.tv_sec) * 1000000000 + (now.tv_nsec - began.tv_nsec);
    return ns < (int64_t)CYCLES_UNKNOWN ? (uint32_t)ns : CYCLES_UNKNOWN;
}

uint8_t hal_timer(void)
{
    return TIMER_CLOCK_NS;
}

/* ---- start and reset ---- */

void hal_reset(void)
{
    _exit(RESET_STATUS);
}

static _Noreturn void run(void)
{
    stack_top = (uintptr_t)__builtin_frame_address(0);
    hal_set_baud(BAUD_BASE);        /* also after a reset */
    app_start();
    for (;;)
        app_poll();
}

/* The status of a child that ran the firmware to its end. It ends with the input, as we do. */
static int run_once(void)
{
    int status;
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run();
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            fail("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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
    if (count > 2) {
        fprintf(stderr, "usage: %s [TTY]\n", given[0]);
        return EXIT_FAILURE;
    }
    if (count == 2)
        open_tty(given[1]);
    int status;
    do
        status = run_once();
    while (status == RESET_STATUS);
    return status;
}
