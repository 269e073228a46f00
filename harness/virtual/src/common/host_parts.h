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
    const char *fault;      /* SPEC of trouble.c, or NULL */
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
    uint32_t tx_limit;      /* of `tx`, what may leave by now */
    uint64_t tx_dropped;
    int64_t last_byte_ns;   /* when a byte last passed, either way */
} port;

int port_open(port *p, const char *link);
int port_make_link(port *p);
unsigned long port_baud(const port *p);
void port_set_baud(port *p, unsigned long baud);
void port_close(port *p);
/* Gone, as a cable pulled out; and back, under the same link but as another device. */
void port_vanish(port *p);
int port_return(port *p);
/* Follows clients, moves bytes both ways (from them only if `listens`). Never blocks. Returns
 * HOST_OPENED | HOST_CLOSED. */
unsigned port_service(port *p, int64_t now_ns, bool listens);
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
    char link[512];         /* that leads to the socket; empty before it is made */
} control;

int control_open(control *c, const char *path);
/* Makes PORT_LINK.control point to the socket: whoever has the port finds it. */
int control_make_link(control *c, const char *port_link);
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

/* 1 read, 0 no such file (image untouched), -1 after a message. */
int flash_read(const char *path, uint8_t *image, size_t size);
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

/* ---- trouble.c: faults on request ---- */

enum { TROUBLE_FLIP, TROUBLE_DROP, TROUBLE_DUP, TROUBLE_RATES };
enum { TROUBLE_HANG, TROUBLE_DEAF, TROUBLE_RESET, TROUBLE_BROWN_OUT, TROUBLE_VANISH,
       TROUBLE_MOMENTS };
#define TROUBLE_NOTES 1024u     /* power of two */

typedef struct {
    uint64_t at;            /* bytes received by the program until it happens; 0 = never */
    bool again;             /* counted from each reset, not once from the start */
} trouble_moment;

typedef struct {
    uint32_t tail;          /* of the queue to the host ... */
    int64_t since_ns;       /* ... at this time */
} trouble_note;

typedef struct {
    /* asked for */
    uint64_t random;                            /* the seed, then the generator's state */
    uint32_t rates[2][TROUBLE_RATES];           /* of 2^32 a byte; [1]: while in the bootloader */
    trouble_moment moments[TROUBLE_MOMENTS];
    int64_t absent_ns, delay_ns, slow_boot_ns;
    uint64_t stuck_starts, failing_uploads;
    bool every_other_upload;
    char *firmware_path;
    /* the state of things */
    bool bootloader, hung, deaf, again, upload_dead;
    uint8_t repeated;                           /* comes again next, if `again` */
    unsigned due;                               /* moments that have come: bits */
    uint64_t received, received_since_reset, uploads, session_bytes;
    int64_t silent_until_ns, returns_ns;        /* returns_ns: the port is away until then; 0 */
    trouble_note notes[TROUBLE_NOTES];
    uint32_t note_head, note_tail, noted, released;
    uint8_t *firmware;                          /* the image of firmware_path */
} trouble;

/* 0, or -1 after a message. `spec` may be NULL: no trouble. */
int trouble_parse(trouble *t, const char *spec);
/* Bytes on their way. Receive: the next one for the board, or -1. Send: false, no room. */
int trouble_receive(trouble *t, byte_queue *rx);
size_t trouble_waiting(const trouble *t, const byte_queue *rx);
bool trouble_send(trouble *t, byte_queue *tx, uint8_t byte);
bool trouble_listens(const trouble *t);
uint32_t trouble_release(trouble *t, const byte_queue *tx, int64_t now_ns);
/* The moments that have come since the last call, as bits. */
unsigned trouble_take_due(trouble *t);
/* What happens to the board. */
void trouble_reset(trouble *t);
void trouble_stage(trouble *t, bool bootloader, int64_t now_ns);
bool trouble_refuses_start(trouble *t);
void trouble_opened(trouble *t);

/* ---- the whole ---- */

struct host {
    const host_config *config;
    options options;
    port port;
    control control;
    flash_file flash;
    pace pace;
    trouble trouble;
    int signals;            /* signalfd */
    int lock;               /* flock on the state folder */
    int watched;            /* of the board, see host_watch; -1 = none */
    bool owner_gone;
    bool quit;
};

int64_t host_now_ns(void);

#endif
