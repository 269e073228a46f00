/* SPDX-License-Identifier: MIT
 *
 * execute.c -- the instruction loop (the ARM, section A6.7). Costs: timing.h.
 *
 * A `case` either completes the instruction and breaks, or goes to a fault before it has changed a
 * register. cpu->pc is the following instruction while a case runs; `pc` is the one it runs. */
#include "alu.h"
#include "complex.h"
#include "decode.h"
#include "memory.h"
#include "timing.h"

/* ---- high registers ---- */

static inline uint32_t high_register(const struct cpu *cpu, unsigned number, uint32_t pc)
{
    return number == 15 ? pc + 4 : cpu->r[number];
}

static inline void set_high_register(struct cpu *cpu, unsigned number, uint32_t value)
{
    if (number == 15) {
        cpu->pc = value & ~1u;
        cpu->cycles += CYCLES_WRITE_PC;
        return;
    }
    if (number == SP)
        set_sp(cpu, value);
    else
        cpu->r[number] = value;
    cpu->cycles += CYCLES_ALU;
}

static inline uint32_t access_cycles(uint32_t address)
{
    return address - IOBUS_BASE < IOBUS_SIZE ? CYCLES_LOAD_STORE_IO : CYCLES_LOAD_STORE;
}

/* ---- fetch ---- */

/* Points cpu->code at the memory that holds `pc`; false if none does. */
static bool find_code(struct cpu *cpu, uint32_t pc)
{
    bool in_flash = pc < FLASH_SIZE;
    cpu->code = in_flash ? cpu->flash : cpu->ram;
    cpu->code_base = in_flash ? 0 : RAM_BASE;
    cpu->code_size = in_flash ? FLASH_SIZE : RAM_SIZE;
    return pc - cpu->code_base < cpu->code_size;
}

static inline unsigned halfword_at(const struct cpu *cpu, uint32_t offset)
{
    uint16_t halfword;
    memcpy(&halfword, cpu->code + offset, sizeof halfword);
    return halfword;
}

/* The core fetches aligned words; a word it has just fetched is not fetched again. */
static inline void fetch_wait(struct cpu *cpu, uint32_t pc)
{
    if (pc >> 2 == cpu->fetched_word)
        return;
    cpu->fetched_word = pc >> 2;
    if (pc < FLASH_SIZE)
        memory_wait(cpu, pc);
}

/* ---- the loop ---- */

#define LOW(shift) cpu->r[halfword >> (shift) & 7]
#define RD LOW(0)
#define RN LOW(3)
#define RM LOW(6)
#define RD8 LOW(8)
#define IMM5 (halfword >> 6 & 31)
#define IMM8 (halfword & 0xFF)

#define ALU(statement)                                                                         \
    statement;                                                                                 \
    cpu->cycles += CYCLES_ALU;                                                                 \
    break
#define LOAD(size, at, target, convert)                                                        \
    address = (at);                                                                            \
    if (!memory_read(cpu, address, size, &value))                                              \
        goto access_failed;                                                                    \
    target = convert value;                                                                    \
    cpu->cycles += access_cycles(address);                                                     \
    break
#define STORE(size, at, source)                                                                \
    address = (at);                                                                            \
    if (!memory_write(cpu, address, size, source))                                             \
        goto access_failed;                                                                    \
    cpu->cycles += access_cycles(address);                                                     \
    break
#define BRANCH_IF(condition)                                                                   \
    if (condition) {                                                                           \
        cpu->pc = pc + 4 + ((uint32_t)(int32_t)(int8_t)halfword << 1);                         \
        cpu->cycles += CYCLES_BRANCH_TAKEN;                                                    \
    } else {                                                                                   \
        cpu->cycles += CYCLES_BRANCH_NOT_TAKEN;                                                \
    }                                                                                          \
    break
#define SIGN8 (uint32_t)(int32_t)(int8_t)
#define SIGN16 (uint32_t)(int32_t)(int16_t)

static inline __attribute__((always_inline, hot)) void execute(struct cpu *cpu, bool wait_states)
{
    while (cpu->cycles < cpu->stop_at) {
        const uint32_t pc = cpu->pc;
        uint32_t address, value;
        enum fault fault;
        if (__builtin_expect(pc - cpu->code_base >= cpu->code_size, 0) && !find_code(cpu, pc)) {
            fault_take(cpu, FAULT_FETCH, pc, pc);
            continue;
        }
        if (wait_states)
            fetch_wait(cpu, pc);
        const unsigned halfword = halfword_at(cpu, pc - cpu->code_base);
        cpu->pc = pc + 2;
        cpu->instructions++;
        switch ((enum op)decode_table[halfword]) {
        case OP_LSL_IMM:
            ALU(RD = shift_left(cpu, RN, IMM5); set_nz(cpu, RD));
        case OP_LSR_IMM:
            ALU(RD = shift_right(cpu, RN, IMM5 ? IMM5 : 32); set_nz(cpu, RD));
        case OP_ASR_IMM:
            ALU(RD = shift_arithmetic(cpu, RN, IMM5 ? IMM5 : 32); set_nz(cpu, RD));
        case OP_ADD_REG:
            ALU(RD = add_flags(cpu, RN, RM, 0));
        case OP_SUB_REG:
            ALU(RD = sub_flags(cpu, RN, RM));
        case OP_ADD_IMM3:
            ALU(RD = add_flags(cpu, RN, IMM5 & 7, 0));
        case OP_SUB_IMM3:
            ALU(RD = sub_flags(cpu, RN, IMM5 & 7));
        case OP_MOV_IMM:
            ALU(RD8 = IMM8; set_nz(cpu, IMM8));
        case OP_CMP_IMM:
            ALU(sub_flags(cpu, RD8, IMM8));
        case OP_ADD_IMM8:
            ALU(RD8 = add_flags(cpu, RD8, IMM8, 0));
        case OP_SUB_IMM8:
            ALU(RD8 = sub_flags(cpu, RD8, IMM8));

        case OP_AND:
            ALU(RD &= RN; set_nz(cpu, RD));
        case OP_EOR:
            ALU(RD ^= RN; set_nz(cpu, RD));
        case OP_LSL_REG:
            ALU(RD = shift_left(cpu, RD, RN & 0xFF); set_nz(cpu, RD));
        case OP_LSR_REG:
            ALU(RD = shift_right(cpu, RD, RN & 0xFF); set_nz(cpu, RD));
        case OP_ASR_REG:
            ALU(RD = shift_arithmetic(cpu, RD, RN & 0xFF); set_nz(cpu, RD));
        case OP_ADC:
            ALU(RD = add_flags(cpu, RD, RN, cpu->c));
        case OP_SBC:
            ALU(RD = add_flags(cpu, RD, ~RN, cpu->c));
        case OP_ROR:
            ALU(RD = rotate_right(cpu, RD, RN & 0xFF); set_nz(cpu, RD));
        case OP_TST:
            ALU(set_nz(cpu, RD & RN));
        case OP_RSB:
            ALU(RD = sub_flags(cpu, 0, RN));
        case OP_CMP_REG:
            ALU(sub_flags(cpu, RD, RN));
        case OP_CMN:
            ALU(add_flags(cpu, RD, RN, 0));
        case OP_ORR:
            ALU(RD |= RN; set_nz(cpu, RD));
        case OP_MUL:
            RD *= RN;
            set_nz(cpu, RD);
            cpu->cycles += CYCLES_MULTIPLY;
            break;
        case OP_BIC:
            ALU(RD &= ~RN; set_nz(cpu, RD));
        case OP_MVN:
            ALU(RD = ~RN; set_nz(cpu, RD));

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
            cpu->cycles += CYCLES_BX;
            write_pc(cpu, cpu->r[halfword >> 3 & 15], true);
            break;
        case OP_BLX:
            address = cpu->r[halfword >> 3 & 15];
            cpu->r[LR] = (pc + 2) | 1;
            cpu->cycles += CYCLES_BX;
            write_pc(cpu, address, false);
            break;

        case OP_LDR_LITERAL:
            LOAD(4, ((pc + 4) & ~3u) + 4 * IMM8, RD8, );
        case OP_STR_REG:
            STORE(4, RN + RM, RD);
        case OP_STRH_REG:
            STORE(2, RN + RM, RD);
        case OP_STRB_REG:
            STORE(1, RN + RM, RD);
        case OP_LDRSB_REG:
            LOAD(1, RN + RM, RD, SIGN8);
        case OP_LDR_REG:
            LOAD(4, RN + RM, RD, );
        case OP_LDRH_REG:
            LOAD(2, RN + RM, RD, );
        case OP_LDRB_REG:
            LOAD(1, RN + RM, RD, );
        case OP_LDRSH_REG:
            LOAD(2, RN + RM, RD, SIGN16);
        case OP_STR_IMM:
            STORE(4, RN + 4 * IMM5, RD);
        case OP_LDR_IMM:
            LOAD(4, RN + 4 * IMM5, RD, );
        case OP_STRB_IMM:
            STORE(1, RN + IMM5, RD);
        case OP_LDRB_IMM:
            LOAD(1, RN + IMM5, RD, );
        case OP_STRH_IMM:
            STORE(2, RN + 2 * IMM5, RD);
        case OP_LDRH_IMM:
            LOAD(2, RN + 2 * IMM5, RD, );
        case OP_STR_SP:
            STORE(4, cpu->r[SP] + 4 * IMM8, RD8);
        case OP_LDR_SP:
            LOAD(4, cpu->r[SP] + 4 * IMM8, RD8, );

        case OP_ADR:
            ALU(RD8 = ((pc + 4) & ~3u) + 4 * IMM8);
        case OP_ADD_RD_SP:
            ALU(RD8 = cpu->r[SP] + 4 * IMM8);
        case OP_ADD_SP_IMM:
            ALU(cpu->r[SP] += 4 * (halfword & 0x7F));
        case OP_SUB_SP_IMM:
            ALU(set_sp(cpu, cpu->r[SP] - 4 * (halfword & 0x7F)));
        case OP_SXTH:
            ALU(RD = SIGN16 RN);
        case OP_SXTB:
            ALU(RD = SIGN8 RN);
        case OP_UXTH:
            ALU(RD = RN & 0xFFFF);
        case OP_UXTB:
            ALU(RD = RN & 0xFF);
        case OP_REV:
            ALU(RD = __builtin_bswap32(RN));
        case OP_REV16:
            ALU(RD = (RN & 0x00FF00FFu) << 8 | (RN >> 8 & 0x00FF00FFu));
        case OP_REVSH:
            ALU(RD = SIGN16((RN & 0xFF) << 8 | (RN >> 8 & 0xFF)));

        case OP_PUSH:
            if (!push(cpu, halfword))
                goto access_failed;
            break;
        case OP_POP:
            if (!pop(cpu, halfword))
                goto access_failed;
            break;
        case OP_STM:
            if (!store_multiple(cpu, halfword))
                goto access_failed;
            break;
        case OP_LDM:
            if (!load_multiple(cpu, halfword))
                goto access_failed;
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
            cpu->cycles += CYCLES_BRANCH_TAKEN;
            break;

        case OP_NOP:
            cpu->cycles += CYCLES_HINT;
            break;
        case OP_SEV:
            cpu->event_register = true;
            cpu->cycles += CYCLES_HINT;
            break;
        case OP_CPS:
            change_primask(cpu, halfword & 0x10);
            cpu->cycles += CYCLES_HINT;
            break;
        case OP_WFE:
            wait_for_event(cpu);
            cpu->cycles += CYCLES_WAIT;
            break;
        case OP_WFI:
            wait_for_interrupt(cpu);
            cpu->cycles += CYCLES_WAIT;
            break;
        case OP_SVC:
            if (exception_svc(cpu))
                break;
            fault = FAULT_SVC_ESCALATED;
            goto failed;
        case OP_BKPT:
            fault = FAULT_BREAKPOINT;
            goto failed;
        case OP_WIDE:
            if (__builtin_expect(pc - cpu->code_base + 2 >= cpu->code_size, 0)) {
                fault = FAULT_FETCH;
                goto failed;
            }
            if (wait_states)
                fetch_wait(cpu, pc + 2);
            cpu->pc = pc + 4;
            fault = wide(cpu, pc, halfword, halfword_at(cpu, pc + 2 - cpu->code_base));
            if (fault != FAULT_NONE)
                goto failed;
            break;
        case OP_UNPREDICTABLE:
            fault = FAULT_UNPREDICTABLE;
            goto failed;
        case OP_UDF:
        case OP_UNDEFINED:
        case OP_COUNT:
        default:
            fault = FAULT_UNDEFINED;
            goto failed;
        access_failed:
            fault_take(cpu, cpu->access_fault, pc, cpu->access_address);
            break;
        failed:
            fault_take(cpu, fault, pc, pc);
            break;
        }
    }
}

void execute_until(struct cpu *cpu)
{
    if (cpu->wait_states)
        execute(cpu, true);
    else
        execute(cpu, false);
}
