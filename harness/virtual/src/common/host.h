/* SPDX-License-Identifier: MIT
 *
 * host.h -- everything a virtual board needs from the machine it runs on, and nothing about MCUs.
 *
 * It implements the shared half of the process contract in docs/virtual-boards.md: arguments, pty
 * with its link, ready line, owner on stdin, signals, control socket, flash file, pacing. Build a
 * board with all of common/ (*.c). One `host` per process; no global state.
 *
 * A board's main loop:
 *
 *     host *h;
 *     int status = host_open(&h, &config, argc, argv);
 *     if (status != HOST_READY) return status;
 *     if (host_flash_attach(h, flash, sizeof flash) < 0) { host_close(h); return 1; }
 *     if (host_announce(h) < 0) { host_close(h); return 1; }
 *     for (unsigned events = 0; !(events & HOST_QUIT);) {
 *         act on events (HOST_OPENED, HOST_CLOSED);
 *         if (MCU sleeps)  cycles = host_sleep(h, cycles, next_event, &events);
 *         else           { run about host_slice(h) cycles;
 *                          events = host_pace(h, cycles, bootloader_in_control); }
 *     }
 *     host_close(h);                         saves flash, removes link and socket
 *
 * Bytes: take them from the host with host_rx_pop() at the line rate of the emulated UART; hand
 * finished characters over with host_tx(). Neither blocks. Time is CLOCK_MONOTONIC. */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct host host;

/* An argument of one board beyond the common ones: `--name VALUE`. */
typedef struct {
    const char *name;       /* with the dashes: "--boot" */
    const char *meta;       /* for the usage line: "optiboot.hex" */
    const char **value;     /* receives the argument; holds the default, or NULL, before */
    bool required;
} host_option;

/* Answers one control request (`status`, `reset`, ...; `quit` is answered by the host). Writes one
 * JSON object without newline to `answer` and returns true, or returns false for an unknown word.
 * Runs inside host_pace, host_sleep or host_service, hence between instructions of the MCU. */
typedef bool host_request_fn(void *board, const char *word, char *answer, size_t size);

typedef struct {
    const char *program;            /* "vboard-avr" */
    const char *board;              /* what it is called unless --board says otherwise */
    uint32_t clock_hz;              /* of the MCU; paces host_pace and host_sleep */
    const host_option *options;     /* may be NULL */
    size_t n_options;
    host_request_fn *request;
    void *context;                  /* first argument of `request` */
} host_config;

/* What happened during host_pace, host_sleep or host_service; bits. When OPENED and CLOSED come
 * together, host_is_open() tells which was last. QUIT stays set once it was. */
enum {
    HOST_OPENED = 1,    /* the first client opened the port: DTR is asserted */
    HOST_CLOSED = 2,    /* the last client closed it; host_baud() is the rate it leaves behind */
    HOST_REQUEST = 4,   /* a control request was answered (it may have reset the board) */
    HOST_QUIT = 8       /* signal, end of the owner's stdin, or the `quit` request */
};

#define HOST_READY (-1)

/* Parses the arguments and creates pty and control socket. The common arguments are --state-dir DIR
 * --port-link PATH --control PATH [--board NAME] [--owner-stdin] [--realtime] [--fault SPEC]. Returns HOST_READY, or the exit
 * status for main() after it has said on stderr what is wrong (--help: 0). The strings in argv and
 * `config` must outlive the host. */
int host_open(host **out, const host_config *config, int argc, char **argv);

/* Makes the link and prints the ready line. Call once the board is able to run. 0, or -1 after a
 * message. */
int host_announce(host *h);

/* Saves changed flash, removes the link and the socket (only if they are still ours), frees. */
void host_close(host *h);

bool host_realtime(const host *h);              /* was --realtime given */
const char *host_board(const host *h);          /* the board's name, for `status` */

/* ---- the serial line ---- */

bool host_is_open(const host *h);               /* has any client the port open */
unsigned long host_baud(host *h);               /* rate set by the client, bits/s; 0 if odd */
void host_set_baud(host *h, unsigned long baud);/* re-arm after a 1200-baud touch; 1200..921600 */
int host_rx_pop(host *h);                       /* next byte from the host, or -1 */
size_t host_rx_count(const host *h);            /* bytes waiting */
void host_rx_clear(host *h);                    /* forget them */
void host_tx(host *h, uint8_t byte);            /* dropped while nobody has the port open */
uint64_t host_tx_dropped(const host *h);        /* ... or while a client does not read at all */

/* ---- time ---- */

/* Emulated cycles worth running before the next host_pace: about 1 ms, more while quiet. */
uint64_t host_slice(const host *h);

/* True when no byte has passed in either direction for a second of wall time. */
bool host_quiet(const host *h);

/* The board has run up to `cycles`. Waits until it may go on: not at all when free-running, until
 * wall time has caught up when `at_most_realtime` (a bootloader), --realtime, or quiet. Serves
 * everything meanwhile. `cycles` may never decrease (it is not reset by a reset of the MCU). */
unsigned host_pace(host *h, uint64_t cycles, bool at_most_realtime);

/* The MCU sleeps at `cycles` and wakes by itself at `until` (UINT64_MAX: never). Waits in real time
 * until then, a byte from the host, or any event. Returns the cycle now reached, `cycles` <= it <=
 * `until`, and the events. A board with characters still on its line (host_rx_count() > 0, or the
 * transmitter busy) should rather jump to `until` and call host_pace: that is work. */
uint64_t host_sleep(host *h, uint64_t cycles, uint64_t until, unsigned *events);

/* Serve everything once without touching time; wait at most `timeout_us` for something to do. For a
 * board that stands still (fault, lockup). */
unsigned host_service(host *h, int64_t timeout_us);

/* Also stop waiting when `fd` can be read; -1 no longer. For a board with a wire of its own. */
void host_watch(host *h, int fd);

/* ---- faults on request (`--fault SPEC`, docs/faults.md) ----
 *
 * Whatever concerns bytes, time and the port is done by the host. It has to be told what the board
 * is doing, and asks it by a control request to `reset` or, with its memory lost, to `brown-out`. */

/* The MCU was reset just now, by whatever; before it runs its first instruction. True: there is
 * another program in flash now, and what the reset read from there is to be read again. */
bool host_mcu_reset(host *h);
/* Who has the port now. Call whenever it may have changed. */
void host_stage(host *h, bool bootloader);
/* What RAM holds after its supply failed: noise, the same for the same `seed`. */
void host_lose_memory(uint8_t *bytes, size_t size, uint64_t seed);
/* The program is about to start: must the board stay in its bootloader instead? */
bool host_refuses_start(host *h);

/* ---- flash that outlives the process: DIR/flash.bin ---- */

/* Loads the file into `image` if there is one of exactly `size` bytes. Returns 1 loaded, 0 no file
 * (image untouched), -1 unusable file after a message. `image` must live until host_close. */
int host_flash_attach(host *h, uint8_t *image, size_t size);

/* The board has changed its flash. Written (temporary name, rename) 300 ms after the last change,
 * and by host_close. */
void host_flash_changed(host *h);

/* ---- words ---- */

/* One JSON object, one line on stderr: {"event":"NAME",FIELDS}; FIELDS is printf-formatted JSON
 * members, at least one. Values that may hold odd characters go through host_json_string. */
void host_event(host *h, const char *name, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes `text` to `out` as a quoted JSON string, truncated to fit; returns `out`. */
char *host_json_string(char *out, size_t size, const char *text);

#endif
