/* SPDX-License-Identifier: MIT
 *
 * port.h -- the PORT registers, and the pin PA20 that brackets a measured stretch.
 *
 * Ref: DS40001882, chapter "PORT - I/O Pin Controller". PA20 is pin D6 of the MKR1000. */
#ifndef PORT_H
#define PORT_H

#include "cpu.h"
#include "marks.h"

enum { PORT_GROUPS = 2, PORT_MARK_PIN = 20 };

struct port {
    struct cpu *cpu;
    uint32_t dir[PORT_GROUPS], out[PORT_GROUPS], ctrl[PORT_GROUPS];
    uint8_t pins[PORT_GROUPS][0x30];    /* PMUX and PINCFG: storage */
    struct marks *marks;                /* what PA20 brackets */
};

void port_init(struct port *port, struct cpu *cpu, struct marks *marks);
void port_reset(struct port *port);
uint32_t port_read(const struct port *port, uint32_t offset, unsigned size);
void port_write(struct port *port, uint32_t offset, unsigned size, uint32_t value);

#endif
