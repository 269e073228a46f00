/* SPDX-License-Identifier: MIT
 *
 * host_parts.h -- the pieces behind host.h, for common/ only. Each part is one .c file and owns one
 * member of `struct host`; host.c ties them together. */
#ifndef HOST_PARTS_H
#define HOST_PARTS_H

#include "host.h"

#include <sys/types.h>

#define CONTROL_CLIENTS 8
#define CONTROL_LINE 256        /* longest request */
#define CONTROL_ANSWER 2048     /* longest answer */
#define BYTE_QUEUE 65536        /* power of two */

/* ---- options.c ---- */

typedef struct {
    const char *state_dir;
    const char *port_link;
    const char *control;
    const char *board;
    bool owner_stdin;
    bool realtime;
} options;

/* HOST_READY, or an exit status after a message or the help. */
int options_parse(options *o, const host_config *config, int argc, char **argv);

/* ---- bytes.c: a queue of bytes ---- */

typedef struct {
    uint8_t data[BYTE_QUEUE];
    uint32_t head;      /* next to take; runs freely, wraps at 2^32 */
    uint32_t tail;      /* next to fill */
} byte_queue;

uint32_t bytes_count(const byte_queue *q);
uint32_t bytes_room(const byte_queue *q);
bool bytes_push(byte_queue *q, uint8_t byte);
int bytes_pop(byte_queue *q);
void bytes_clear(byte_queue *q);
/* The longest run that lies in one piece, to read() into or write() from. */
uint8_t *bytes_free_run(byte_queue *q, size_t *size);
const uint8_t *bytes_used_run(const byte_queue *q, size_t *size);

/* ---- port.c: the pty ---- */

typedef struct {
    int master;
    int watch;              /* inotify on the slave */
    char slave[64];         /* "/dev/pts/7" */
    const char *link;
    bool linked;            /* the link is made and must be removed */
    int clients;            /* how many have the slave open, as far as inotify told */
    bool unsettled;         /* closed, and the hang-up that confirms it not yet seen */
    int64_t odd_since_ns;   /* no client counted, yet no hang-up: since when; 0 = all is well */
    byte_queue rx;          /* from the host */
    byte_queue tx;          /* to the host */
    uint64_t tx_dropped;
    int64_t last_byte_ns;   /* when a byte last passed, either way */
} port;

int port_open(port *p, const char *link);
int port_make_link(port *p);
unsigned long port_baud(const port *p);
void port_set_baud(port *p, unsigned long baud);
void port_close(port *p);
/* Follows clients, moves bytes both ways. Never blocks. Returns HOST_OPENED | HOST_CLOSED. */
unsigned port_service(port *p, int64_t now_ns);
bool port_wants_write(const port *p);
bool port_wants_read(const port *p);

/* ---- control.c: the unix socket ---- */

typedef struct {
    int fd;                 /* -1: free */
    size_t used;
    char line[CONTROL_LINE];
} control_client;

typedef struct {
    int listener;
    const char *path;
    dev_t device;           /* of the socket we made, so that only that one is removed */
    ino_t inode;
    control_client clients[CONTROL_CLIENTS];
} control;

int control_open(control *c, const char *path);
void control_close(control *c);
/* Accepts, reads, answers. Never blocks. Returns HOST_REQUEST | HOST_QUIT. */
unsigned control_service(control *c, const host_config *config);

/* ---- flash.c ---- */

typedef struct {
    char path[512];
    char temporary[520];
    uint8_t *image;
    size_t size;
    int64_t changed_ns;     /* time of the last unsaved change; 0 = saved */
} flash_file;

int flash_attach(flash_file *f, const char *dir, uint8_t *image, size_t size);
/* Saves when the last change is `settle_ns` old. */
void flash_service(flash_file *f, int64_t now_ns, int64_t settle_ns);

/* ---- pace.c: wall time against emulated time ---- */

typedef struct {
    uint32_t clock_hz;
    bool anchored;          /* wall_ns and cycles are the origin of the current real-time stretch */
    int64_t wall_ns;
    uint64_t cycles;
} pace;

/* Nanoseconds that emulated time at `cycles` is ahead of wall time (0: not ahead). Anchors itself,
 * and anew when emulated time has fallen behind by more than it may catch up. */
int64_t pace_ahead_ns(pace *p, uint64_t cycles, int64_t now_ns);
/* The cycle that wall time has reached. Needs an anchor. */
uint64_t pace_reached(const pace *p, int64_t now_ns);
void pace_forget(pace *p);

/* ---- the whole ---- */

struct host {
    const host_config *config;
    options options;
    port port;
    control control;
    flash_file flash;
    pace pace;
    int signals;            /* signalfd */
    int lock;               /* flock on the state folder */
    bool owner_gone;
    bool quit;
};

int64_t host_now_ns(void);

#endif
