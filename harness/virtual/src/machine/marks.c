/* SPDX-License-Identifier: MIT
 *
 * marks.c -- see marks.h. */
#include "marks.h"

#include "core.h"

static struct span now(const struct cpu *cpu)
{
    return (struct span){cpu->cycles, core_cycles_hi(cpu), cpu->instructions};
}

static struct span between(struct span from, struct span to)
{
    return (struct span){to.cycles - from.cycles, to.cycles_hi - from.cycles_hi,
                         to.instructions - from.instructions};
}

static void add(struct span *sum, struct span more)
{
    sum->cycles += more.cycles;
    sum->cycles_hi += more.cycles_hi;
    sum->instructions += more.instructions;
}

void marks_note(struct marks *m, const struct cpu *cpu, bool raised)
{
    if (raised) {
        m->begun = now(cpu);
        return;
    }
    m->last = between(m->begun, now(cpu));
    if (m->count++ == 0)
        m->first = m->last;
    add(&m->sum, m->last);
}
