/*
 * A whole image for QEMU's mps2 boards, without a C library: runs a plan over noise and prints
 * through semihosting what came out, as three hexadecimal numbers: events, digest of their
 * features, and bytes of stack that init and push took.
 *
 * Compile with -DPLAN=KWS -DPLAN_HEADER='"kws.h"' for the plan in kws.h and kws.c.
 */
#include PLAN_HEADER

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define PLAN_(name) JOIN(PLAN, name)

#define N_SAMPLES 16000u
#define STACK_WORDS 4096u
#define PAINT 0xa5a5a5a5u
#define SYS_WRITE0 0x04u
#define SYS_EXIT 0x18u
#define APPLICATION_EXIT 0x20026u

typedef void handler(void);

OTO_ALIGNED(OTO_ARENA_ALIGN) static uint8_t arena[PLAN_(_ARENA_LEN)];
static oto_runner runner;
OTO_ALIGNED(8) static uint32_t stack[STACK_WORDS] __attribute__((section(".stack")));

void reset(void);
void run(void);
static void fault(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack_top;
    handler *handlers[15];
} vectors = {&stack[STACK_WORDS], {reset, fault, fault, fault, fault, fault}};

static void semihost(uint32_t call, uintptr_t argument)
{
    register uint32_t r0 __asm__("r0") = call;
    register uintptr_t r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print_hex(uint32_t value, char end)
{
    char text[10];
    int i;
    for (i = 0; i < 8; i++) {
        text[i] = "0123456789abcdef"[value >> 28];
        value <<= 4;
    }
    text[8] = end;
    text[9] = '\0';
    semihost(SYS_WRITE0, (uintptr_t)text);
}

static void stop(const char *text)
{
    semihost(SYS_WRITE0, (uintptr_t)text);
    semihost(SYS_EXIT, APPLICATION_EXIT);
    for (;;) {
    }
}

static void fault(void)
{
    stop("fault\n");
}

void run(void)
{
    uint32_t state = 1;
    uint32_t events = 0;
    uint32_t digest = 0x811c9dc5u;
    uint32_t i;
    const uint32_t *painted = stack;
    oto_status status = oto_runner_init(&runner, PLAN_(_PLAN), PLAN_(_PLAN_LEN), PLAN_(_OPS),
                                        PLAN_(_N_OPS), arena, sizeof arena);
    for (i = 0; i < N_SAMPLES && status == OTO_OK; i++) {
        oto_event event;
        int16_t sample;
        size_t n = 1;
        state = state * 1664525u + 1013904223u;
        sample = (int16_t)((int32_t)(state >> 16) - 32768);
        do {
            size_t used = 0;
            size_t k;
            status = oto_runner_push_i16(&runner, &sample, n, &used, &event);
            if (status != OTO_OK) {
                break;
            }
            n -= used;
            events += (event.kind != OTO_EVENT_NONE) ? 1u : 0u;
            for (k = 0; k < event.n_features * 4u; k++) {
                digest = (digest ^ ((const uint8_t *)event.features)[k]) * 0x01000193u;
            }
        } while (event.kind != OTO_EVENT_NONE);
    }
    while (*painted == PAINT) {
        painted++;
    }
    if (status != OTO_OK) {
        stop("failed\n");
    }
    print_hex(events, ' ');
    print_hex(digest, ' ');
    print_hex((uint32_t)((uintptr_t)&stack[STACK_WORDS] - (uintptr_t)painted), '\n');
    stop("");
}

/* Paints the stack below this function, lets the FPU work where there is one, and runs. */
void reset(void)
{
    extern uint32_t bss_start, bss_end;
    uint32_t *word;
    volatile uint32_t *at;
    for (word = &bss_start; word < &bss_end; word++) {
        *word = 0;
    }
    for (at = stack; at < &stack[STACK_WORDS - 64u]; at++) {
        *at = PAINT;
    }
#ifdef __ARM_FP
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20;
    __asm__ volatile("dsb\n\tisb");
#endif
    run();
}
