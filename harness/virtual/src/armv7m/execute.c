/* SPDX-License-Identifier: MIT
 *
 * execute.c -- the instruction loop and the 16-bit instructions (the ARM, section A7.7). Costs:
 * timing.h. There are two copies of the loop: one for the inside of IT blocks.
 *
 * A `case` either completes the instruction and breaks, or goes to a fault before it has changed a
 * register. cpu->pc is the following instruction while a case runs; `pc` is the one it runs. */
#include "alu.h"
#include "decode.h"
#include "memory.h"
#include "timing.h"
#include "fp.h"
#include "wide.h"

#define FLAG_SETTER(op) ((op) >= OP_LSL_IMM && (op) <= OP_MVN)

/* ---- high registers ---- */

static inline uint32_t high_register(const struct cpu *cpu, unsigned number, uint32_t pc)
{
    return number == 15 ? pc + 4 : cpu->r[number];
}

static inline void set_high_register(struct cpu *cpu, unsigned number, uint32_t value)
{
    if (number == 15) {
        cpu->pc = value & ~1u;
        CHARGE(cpu, PC_WRITE);
    } else {
        write_register(cpu, number, value);
        CHARGE(cpu, ALU);
    }
}

/* ---- fetch ---- */

/* Points cpu->code at the memory that holds `pc`; false if none does. */
static bool find_code(struct cpu *cpu, uint32_t pc)
{
    const struct cpu_config *c = &cpu->config;
    for (unsigned i = 0; i < c->n_memories; i++)
        if (c->memory[i].executable && pc - c->memory[i].base < c->memory[i].size) {
            cpu->code = c->memory[i];
            return true;
        }
    return false;
}

static inline unsigned halfword_at(const struct cpu *cpu, uint32_t offset)
{
    uint16_t halfword;
    memcpy(&halfword, cpu->code.bytes + offset, sizeof halfword);
    return halfword;
}

/* ---- IT blocks (the ARM, section A7.3.3) ---- */

static inline uint32_t it_next(uint32_t it)
{
    return it & 7 ? (it & 0xE0) | (it << 1 & 0x1F) : 0;
}

static bool writes_pc(enum op op, unsigned halfword)
{
    switch (op) {
    case OP_B:
    case OP_BX:
    case OP_BLX:
        return true;
    case OP_ADD_HIGH:
    case OP_MOV_HIGH:
        return (halfword & 0x87) == 0x87;
    case OP_POP:
        return halfword & 0x100;
    default:
        return false;
    }
}

/* What is UNPREDICTABLE in an IT block: branches before its end, and some instructions at all. */
static bool it_allows(enum op op, unsigned halfword, bool last)
{
    if (op == OP_CBZ || op == OP_IT || op == OP_CPS || (op >= OP_BEQ && op <= OP_BLE))
        return false;
    if (op == OP_LSL_IMM && (halfword & 0x07C0) == 0)   /* MOVS Rd, Rm */
        return false;
    return last || !writes_pc(op, halfword);
}

struct flags {
    uint32_t n, z, c, v;
};

/* ---- the loop ---- */

#define LOW(shift) cpu->r[halfword >> (shift) & 7]
#define LOW_D LOW(0)
#define LOW_N LOW(3)
#define LOW_M LOW(6)
#define LOW_D8 LOW(8)
#define FIVE (halfword >> 6 & 31)
#define EIGHT (halfword & 0xFF)

#define ALU(statement)                                                                         \
    statement;                                                                                 \
    CHARGE(cpu, ALU);                                                                          \
    break
#define LOAD(size, at, target, convert)                                                        \
    if (!memory_read(cpu, at, size, &value))                                                   \
        goto refused;                                                                          \
    target = convert value;                                                                    \
    CHARGE(cpu, LOAD);                                                                         \
    break
#define STORE(size, at, source)                                                                \
    if (!memory_write(cpu, at, size, source))                                                  \
        goto refused;                                                                          \
    CHARGE(cpu, STORE);                                                                        \
    break
#define BRANCH_IF(condition)                                                                   \
    if (condition) {                                                                           \
        cpu->pc = pc + 4 + ((uint32_t)(int32_t)(int8_t)halfword << 1);                         \
        CHARGE(cpu, BRANCH);                                                                   \
    } else {                                                                                   \
        CHARGE(cpu, NO_BRANCH);                                                                \
    }                                                                                          \
    break
#define SIGN8 (uint32_t)(int32_t)(int8_t)
#define SIGN16 (uint32_t)(int32_t)(int16_t)

static inline __attribute__((always_inline, hot)) void execute(struct cpu *cpu, bool in_it)
{
    do {
        const uint32_t pc = cpu->pc, it = cpu->itstate;
        struct flags before = {0, 0, 0, 0};
        uint32_t value;
        enum fault fault;
        if (__builtin_expect(pc - cpu->code.base >= cpu->code.size, 0) && !find_code(cpu, pc)) {
            fault_take(cpu, FAULT_FETCH, pc, pc);
            return;
        }
        const unsigned halfword = halfword_at(cpu, pc - cpu->code.base);
        const enum op op = (enum op)decode_table[halfword];
        cpu->pc = pc + 2;
        cpu->instructions++;
        if (in_it) {
            cpu->itstate = it_next(it);
            if (!condition_holds(cpu, it >> 4) && op != OP_BKPT) {
                cpu->pc = op == OP_WIDE ? pc + 4 : pc + 2;
                CHARGE(cpu, SKIPPED);
                continue;
            }
            fault = FAULT_UNPREDICTABLE;
            if (!it_allows(op, halfword, !cpu->itstate))
                goto failed;
            before = (struct flags){cpu->n, cpu->z, cpu->c, cpu->v};
        }
        switch (op) {
        case OP_LSL_IMM:
            ALU(LOW_D = shift_left(cpu, LOW_N, FIVE); set_nz(cpu, LOW_D));
        case OP_LSR_IMM:
            ALU(LOW_D = shift_right(cpu, LOW_N, FIVE ? FIVE : 32); set_nz(cpu, LOW_D));
        case OP_ASR_IMM:
            ALU(LOW_D = shift_arithmetic(cpu, LOW_N, FIVE ? FIVE : 32); set_nz(cpu, LOW_D));
        case OP_ADD_REG:
            ALU(LOW_D = add_flags(cpu, LOW_N, LOW_M, 0));
        case OP_SUB_REG:
            ALU(LOW_D = sub_flags(cpu, LOW_N, LOW_M));
        case OP_ADD_IMM3:
            ALU(LOW_D = add_flags(cpu, LOW_N, FIVE & 7, 0));
        case OP_SUB_IMM3:
            ALU(LOW_D = sub_flags(cpu, LOW_N, FIVE & 7));
        case OP_MOV_IMM:
            ALU(LOW_D8 = EIGHT; set_nz(cpu, EIGHT));
        case OP_CMP_IMM:
            ALU(sub_flags(cpu, LOW_D8, EIGHT));
        case OP_ADD_IMM8:
            ALU(LOW_D8 = add_flags(cpu, LOW_D8, EIGHT, 0));
        case OP_SUB_IMM8:
            ALU(LOW_D8 = sub_flags(cpu, LOW_D8, EIGHT));

        case OP_AND:
            ALU(LOW_D &= LOW_N; set_nz(cpu, LOW_D));
        case OP_EOR:
            ALU(LOW_D ^= LOW_N; set_nz(cpu, LOW_D));
        case OP_LSL_REG:
            ALU(LOW_D = shift_left(cpu, LOW_D, LOW_N & 0xFF); set_nz(cpu, LOW_D));
        case OP_LSR_REG:
            ALU(LOW_D = shift_right(cpu, LOW_D, LOW_N & 0xFF); set_nz(cpu, LOW_D));
        case OP_ASR_REG:
            ALU(LOW_D = shift_arithmetic(cpu, LOW_D, LOW_N & 0xFF); set_nz(cpu, LOW_D));
        case OP_ADC:
            ALU(LOW_D = add_flags(cpu, LOW_D, LOW_N, cpu->c));
        case OP_SBC:
            ALU(LOW_D = add_flags(cpu, LOW_D, ~LOW_N, cpu->c));
        case OP_ROR:
            ALU(LOW_D = rotate_right(cpu, LOW_D, LOW_N & 0xFF); set_nz(cpu, LOW_D));
        case OP_TST:
            ALU(set_nz(cpu, LOW_D & LOW_N));
        case OP_RSB:
            ALU(LOW_D = sub_flags(cpu, 0, LOW_N));
        case OP_CMP_REG:
            ALU(sub_flags(cpu, LOW_D, LOW_N));
        case OP_CMN:
            ALU(add_flags(cpu, LOW_D, LOW_N, 0));
        case OP_ORR:
            ALU(LOW_D |= LOW_N; set_nz(cpu, LOW_D));
        case OP_MUL:
            LOW_D *= LOW_N;
            set_nz(cpu, LOW_D);
            CHARGE(cpu, MULTIPLY);
            break;
        case OP_BIC:
            ALU(LOW_D &= ~LOW_N; set_nz(cpu, LOW_D));
        case OP_MVN:
            ALU(LOW_D = ~LOW_N; set_nz(cpu, LOW_D));

        case OP_ADD_HIGH: {
            unsigned rdn = (halfword & 7) | (halfword >> 4 & 8);
            set_high_register(cpu, rdn, high_register(cpu, rdn, pc) +
                                            high_register(cpu, halfword >> 3 & 15, pc));
            break;
        }
        case OP_CMP_HIGH:
            ALU(sub_flags(cpu, cpu->r[(halfword & 7) | (halfword >> 4 & 8)],
                          cpu->r[halfword >> 3 & 15]));
        case OP_MOV_HIGH:
            set_high_register(cpu, (halfword & 7) | (halfword >> 4 & 8),
                              high_register(cpu, halfword >> 3 & 15, pc));
            break;
        case OP_BX:
            CHARGE(cpu, BRANCH);
            write_pc(cpu, cpu->r[halfword >> 3 & 15]);
            break;
        case OP_BLX:
            value = cpu->r[halfword >> 3 & 15];
            cpu->r[LR] = (pc + 2) | 1;
            CHARGE(cpu, BRANCH);
            branch_exchange(cpu, value);
            break;

        case OP_LDR_LITERAL:
            LOAD(4, ((pc + 4) & ~3u) + 4 * EIGHT, LOW_D8, );
        case OP_STR_REG:
            STORE(4, LOW_N + LOW_M, LOW_D);
        case OP_STRH_REG:
            STORE(2, LOW_N + LOW_M, LOW_D);
        case OP_STRB_REG:
            STORE(1, LOW_N + LOW_M, LOW_D);
        case OP_LDRSB_REG:
            LOAD(1, LOW_N + LOW_M, LOW_D, SIGN8);
        case OP_LDR_REG:
            LOAD(4, LOW_N + LOW_M, LOW_D, );
        case OP_LDRH_REG:
            LOAD(2, LOW_N + LOW_M, LOW_D, );
        case OP_LDRB_REG:
            LOAD(1, LOW_N + LOW_M, LOW_D, );
        case OP_LDRSH_REG:
            LOAD(2, LOW_N + LOW_M, LOW_D, SIGN16);
        case OP_STR_IMM:
            STORE(4, LOW_N + 4 * FIVE, LOW_D);
        case OP_LDR_IMM:
            LOAD(4, LOW_N + 4 * FIVE, LOW_D, );
        case OP_STRB_IMM:
            STORE(1, LOW_N + FIVE, LOW_D);
        case OP_LDRB_IMM:
            LOAD(1, LOW_N + FIVE, LOW_D, );
        case OP_STRH_IMM:
            STORE(2, LOW_N + 2 * FIVE, LOW_D);
        case OP_LDRH_IMM:
            LOAD(2, LOW_N + 2 * FIVE, LOW_D, );
        case OP_STR_SP:
            STORE(4, cpu->r[SP] + 4 * EIGHT, LOW_D8);
        case OP_LDR_SP:
            LOAD(4, cpu->r[SP] + 4 * EIGHT, LOW_D8, );

        case OP_ADR:
            ALU(LOW_D8 = ((pc + 4) & ~3u) + 4 * EIGHT);
        case OP_ADD_RD_SP:
            ALU(LOW_D8 = cpu->r[SP] + 4 * EIGHT);
        case OP_ADD_SP_IMM:
            ALU(cpu->r[SP] += 4 * (halfword & 0x7F));
        case OP_SUB_SP_IMM:
            ALU(set_sp(cpu, cpu->r[SP] - 4 * (halfword & 0x7F)));
        case OP_SXTH:
            ALU(LOW_D = SIGN16 LOW_N);
        case OP_SXTB:
            ALU(LOW_D = SIGN8 LOW_N);
        case OP_UXTH:
            ALU(LOW_D = LOW_N & 0xFFFF);
        case OP_UXTB:
            ALU(LOW_D = LOW_N & 0xFF);
        case OP_REV:
            ALU(LOW_D = __builtin_bswap32(LOW_N));
        case OP_REV16:
            ALU(LOW_D = (LOW_N & 0x00FF00FFu) << 8 | (LOW_N >> 8 & 0x00FF00FFu));
        case OP_REVSH:
            ALU(LOW_D = SIGN16((LOW_N & 0xFF) << 8 | (LOW_N >> 8 & 0xFF)));

        case OP_PUSH:
            if (!push(cpu, halfword))
                goto refused;
            break;
        case OP_POP:
            if (!pop(cpu, halfword))
                goto refused;
            break;
        case OP_STM:
            if (!store_multiple_low(cpu, halfword))
                goto refused;
            break;
        case OP_LDM:
            if (!load_multiple_low(cpu, halfword))
                goto refused;
            break;

        case OP_BEQ:
            BRANCH_IF(cpu->z == 0);
        case OP_BNE:
            BRANCH_IF(cpu->z != 0);
        case OP_BCS:
            BRANCH_IF(cpu->c);
        case OP_BCC:
            BRANCH_IF(!cpu->c);
        case OP_BMI:
            BRANCH_IF(cpu->n >> 31);
        case OP_BPL:
            BRANCH_IF(!(cpu->n >> 31));
        case OP_BVS:
            BRANCH_IF(cpu->v >> 31);
        case OP_BVC:
            BRANCH_IF(!(cpu->v >> 31));
        case OP_BHI:
            BRANCH_IF(cpu->c && cpu->z != 0);
        case OP_BLS:
            BRANCH_IF(!cpu->c || cpu->z == 0);
        case OP_BGE:
            BRANCH_IF(!condition_signed_less(cpu));
        case OP_BLT:
            BRANCH_IF(condition_signed_less(cpu));
        case OP_BGT:
            BRANCH_IF(cpu->z != 0 && !condition_signed_less(cpu));
        case OP_BLE:
            BRANCH_IF(cpu->z == 0 || condition_signed_less(cpu));
        case OP_B:
            cpu->pc = pc + 4 + (uint32_t)((int32_t)(halfword << 21) >> 20);
            CHARGE(cpu, BRANCH);
            break;
        case OP_CBZ:
            if ((LOW_D == 0) != ((halfword & 0x800) != 0)) {
                cpu->pc = pc + 4 + ((halfword >> 3 & 0x40) | (halfword >> 2 & 0x3E));
                CHARGE(cpu, BRANCH);
            } else {
                CHARGE(cpu, NO_BRANCH);
            }
            break;

        case OP_IT:
            cpu->itstate = halfword & 0xFF;
            CHARGE(cpu, IT);
            return;
        case OP_NOP:
            CHARGE(cpu, HINT);
            break;
        case OP_SEV:
            cpu->event_register = true;
            CHARGE(cpu, HINT);
            break;
        case OP_CPS:
            change_masks(cpu, halfword);
            CHARGE(cpu, SYSTEM);
            break;
        case OP_WFE:
            wait_for_event(cpu);
            CHARGE(cpu, WAIT);
            break;
        case OP_WFI:
            wait_for_interrupt(cpu);
            CHARGE(cpu, WAIT);
            break;
        case OP_SVC:
            if (exception_svc(cpu))
                break;
            fault = FAULT_SVC_ESCALATED;
            goto failed;
        case OP_BKPT:
            fault = FAULT_BREAKPOINT;
            goto failed;
        case OP_WIDE: {
            fault = FAULT_FETCH;
            if (__builtin_expect(pc - cpu->code.base + 2 >= cpu->code.size, 0))
                goto failed;
            const unsigned second = halfword_at(cpu, pc + 2 - cpu->code.base);
            const struct wide *w = wide_decode(cpu, halfword << 16 | second);
            cpu->pc = pc + 4;
            fault = FAULT_UNPREDICTABLE;
            if (in_it && (w->in_it == IT_NEVER || (w->in_it == IT_LAST && cpu->itstate)))
                goto failed;
            if (!w->run(cpu, w))
                goto refused;
            cpu->cycles += w->cycles;
            cpu->cycles_hi += w->cycles_hi;
            break;
        }
        case OP_UNPREDICTABLE:
            fault = FAULT_UNPREDICTABLE;
            goto failed;
        case OP_UDF:
        case OP_UNDEFINED:
        case OP_COUNT:
        default:
            fault = FAULT_UNDEFINED;
            goto failed;
        failed:
            refuse(cpu, fault, pc);
        refused:
            cpu->itstate = it;
            fault_take(cpu, cpu->access_fault, pc, cpu->access_address);
            return;
        }
        if (in_it && FLAG_SETTER(op)) {
            cpu->n = before.n;
            cpu->z = before.z;
            cpu->c = before.c;
            cpu->v = before.v;
        }
    } while (cpu->cycles < cpu->stop_at && (!in_it || cpu->itstate));
}

void execute_one(struct cpu *cpu)
{
    if (cpu->itstate)
        execute(cpu, true);
    else
        execute(cpu, false);
}

void execute_until(struct cpu *cpu)
{
    while (cpu->cycles < cpu->stop_at)
        execute_one(cpu);
    fp_leave(cpu);
}
