/* SPDX-License-Identifier: MIT
 * main.c -- vboard-linux, a virtual board that runs Linux: the firmware is a program for the board's
 * processor, run by qemu's user-mode emulation, and this is the wire between it and a pty.
 *
 * A client that opens the port starts the program, one that closes it ends it, as ssh does on the
 * desk. The program's stdin and stdout are one end of a socket pair; when this process goes, so does
 * that, and so does the program. No time is emulated: nothing here counts cycles. */
#include "../common/host.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLOCK_HZ 1200000000u    /* of the Raspberry Pi 3's processor; for `status` only */
#define CHUNK 4096
#define WAIT_US 100000
#define FAULT_WORDS 96
#define END_MS 1000             /* for the program to end once its input has */

typedef struct {
    host *h;
    const char *emulator;       /* qemu-aarch64 */
    const char *program;        /* the firmware; whoever flashes it puts it there */
    pid_t pid;                  /* 0: does not run */
    int wire;                   /* to its stdin and stdout */
    uint8_t out[CHUNK];         /* bytes on their way to it: 0 .. pending - 1 */
    size_t pending;
    uint64_t rx_bytes, tx_bytes, resets;
    char fault[FAULT_WORDS];    /* how the program ended by itself; empty: it did not */
} board;

/* ---- the program ---- */

static _Noreturn void become_program(const board *b, int wire)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);              /* stop() ends it with whatever it has started */
    dup2(wire, STDIN_FILENO);
    dup2(wire, STDOUT_FILENO);
    execl(b->emulator, b->emulator, b->program, (char *)NULL);
    fprintf(stderr, "%s: %s\n", b->emulator, strerror(errno));
    _exit(127);
}

static void start(board *b)
{
    int ends[2];
    b->fault[0] = '\0';
    b->pending = 0;
    host_mcu_reset(b->h);
    if (access(b->program, R_OK) != 0 || host_refuses_start(b->h))
        return;                 /* nothing was flashed yet, or it is to stay stuck */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0)
        become_program(b, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return;
    }
    b->pid = pid;
    b->wire = ends[0];
    fcntl(b->wire, F_SETFL, O_NONBLOCK);
    host_watch(b->h, b->wire);
    host_stage(b->h, false);
}

/* Ends the program: its input ends, and by force if that does not do. Its wait status. */
static int stop(board *b)
{
    int status = 0;
    if (!b->pid)
        return 0;
    host_watch(b->h, -1);
    close(b->wire);
    for (int ms = 0; waitpid(b->pid, &status, WNOHANG) == 0; ms++) {
        if (ms == END_MS)
            kill(-b->pid, SIGKILL);
        usleep(1000);
    }
    b->pid = 0;
    return status;
}

/* The program has closed its output, and nobody has asked it to. */
static void note_end(board *b)
{
    int status = stop(b);
    if (WIFSIGNALED(status))
        snprintf(b->fault, sizeof b->fault, "the program was ended by signal %d", WTERMSIG(status));
    else
        snprintf(b->fault, sizeof b->fault, "the program ended with status %d", WEXITSTATUS(status));
    host_event(b->h, "fault", "\"reason\":\"%s\"", b->fault);
}

static void restart(board *b)
{
    stop(b);
    b->resets++;
    if (host_is_open(b->h))
        start(b);
}

/* ---- bytes ---- */

static void feed(board *b)
{
    for (int byte; b->pending < CHUNK && (byte = host_rx_pop(b->h)) >= 0; b->rx_bytes++)
        b->out[b->pending++] = (uint8_t)byte;
    if (!b->pid) {
        b->pending = 0;         /* nobody listens */
        return;
    }
    ssize_t n = write(b->wire, b->out, b->pending);
    if (n > 0) {
        b->pending -= (size_t)n;
        memmove(b->out, b->out + n, b->pending);
    }
}

static void drain(board *b)
{
    uint8_t bytes[CHUNK];
    ssize_t n;
    while (b->pid && (n = read(b->wire, bytes, sizeof bytes)) != 0) {
        if (n < 0)
            return;
        for (ssize_t i = 0; i < n; i++)
            host_tx(b->h, bytes[i]);
        b->tx_bytes += (uint64_t)n;
    }
    if (b->pid)
        note_end(b);
}

/* ---- the control socket ---- */

static const char *state_name(const board *b)
{
    if (b->fault[0])
        return "fault";
    if (b->pid)
        return "running";
    return access(b->program, R_OK) == 0 ? "sleeping" : "bootloader";
}

static void write_status(const board *b, char *out, size_t size)
{
    char name[64], reason[2 * FAULT_WORDS], fault[3 * FAULT_WORDS] = "null";
    if (b->fault[0])
        snprintf(fault, sizeof fault, "{\"reason\":%s,\"pc\":0,\"address\":0}",
                 host_json_string(reason, sizeof reason, b->fault));
    snprintf(out, size,
             "{\"board\":%s,\"state\":\"%s\",\"cycles\":0,\"instructions\":0,\"clock_hz\":%u"
             ",\"resets\":%" PRIu64 ",\"rx_bytes\":%" PRIu64 ",\"tx_bytes\":%" PRIu64
             ",\"rx_overruns\":0,\"min_sp\":0,\"marks_count\":0,\"marks_cycles\":0"
             ",\"marks_first_cycles\":0,\"marks_last_cycles\":0,\"fault\":%s}",
             host_json_string(name, sizeof name, host_board(b->h)), state_name(b), CLOCK_HZ,
             b->resets, b->rx_bytes, b->tx_bytes, fault);
}

static bool request(void *context, const char *word, char *answer, size_t size)
{
    board *b = context;
    if (strcmp(word, "status") == 0) {
        write_status(b, answer, size);
        return true;
    }
    if (strcmp(word, "reset") == 0) {
        restart(b);
        snprintf(answer, size, "{\"ok\":true}");
        return true;
    }
    return false;
}

/* ---- life ---- */

static void live(board *b)
{
    for (unsigned events = 0; !(events & HOST_QUIT);) {
        if (events & (HOST_OPENED | HOST_CLOSED))
            restart(b);
        feed(b);
        drain(b);
        events = host_service(b->h, WAIT_US);
    }
}

int main(int argc, char **argv)
{
    static board b;
    const host_option options[] = {{"--emulator", "qemu-aarch64", &b.emulator, true},
                                   {"--program", "ELF", &b.program, true}};
    const host_config config = {
        .program = "vboard-linux", .board = "linux", .clock_hz = CLOCK_HZ,
        .options = options, .n_options = 2, .request = request, .context = &b,
    };
    int status = host_open(&b.h, &config, argc, argv);
    if (status != HOST_READY)
        return status;
    status = 1;
    if (host_announce(b.h) == 0) {
        live(&b);
        status = 0;
    }
    stop(&b);
    host_close(b.h);
    return status;
}
