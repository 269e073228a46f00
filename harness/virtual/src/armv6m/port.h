/* SPDX-License-Identifier: MIT
 *
 * port.h -- the PORT registers, and the marks on PA20 that bracket a measured stretch.
 *
 * Ref: DS40001882, chapter "PORT - I/O Pin Controller". PA20 is pin D6 of the MKR1000. */
#ifndef PORT_H
#define PORT_H

#include "cpu.h"

enum { PORT_GROUPS = 2, PORT_MARK_PIN = 20 };

/* Stretches from the store that raises PA20 to the store that lowers it, in cycles. */
struct marks {
    uint64_t count, cycles, first_cycles, last_cycles, begun_at;
};

struct port {
    struct cpu *cpu;
    uint32_t dir[PORT_GROUPS], out[PORT_GROUPS], ctrl[PORT_GROUPS];
    uint8_t pins[PORT_GROUPS][0x30];    /* PMUX and PINCFG: storage */
    struct marks marks;
};

void port_init(struct port *port, struct cpu *cpu);
void port_reset(struct port *port);         /* forgets the marks too */
uint32_t port_read(const struct port *port, uint32_t offset, unsigned size);
void port_write(struct port *port, uint32_t offset, unsigned size, uint32_t value);

#endif
