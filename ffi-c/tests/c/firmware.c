/*
 * A whole image without a C library: what a firmware links of Otolith, and nothing else.
 *
 * Compile with -DPLAN=KWS -DPLAN_HEADER='"kws.h"' for the plan in kws.h and kws.c.
 */
#include PLAN_HEADER

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define PLAN_(name) JOIN(PLAN, name)

OTO_ALIGNED(OTO_ARENA_ALIGN) static uint8_t arena[PLAN_(_ARENA_LEN)];
static oto_runner runner;
static int16_t samples[160];
volatile int32_t answer;

void Reset_Handler(void);

void Reset_Handler(void)
{
    answer = oto_runner_init(&runner, PLAN_(_PLAN), PLAN_(_PLAN_LEN), PLAN_(_OPS), PLAN_(_N_OPS),
                             arena, sizeof arena);
    while (answer == OTO_OK) {
        oto_event event;
        const int16_t *rest = samples;
        size_t n = sizeof samples / sizeof samples[0];
        do {
            size_t used = 0;
            answer = oto_runner_push_i16(&runner, rest, n, &used, &event);
            if (answer != OTO_OK) {
                break;
            }
            rest += used;
            n -= used;
        } while (event.kind != OTO_EVENT_NONE);
    }
    for (;;) {
    }
}
