/* The smallest use: words from a microphone. docs/firmware.md quotes this file. */
#include "kws.h"

#include <stdbool.h>

/* [memory] */
OTO_ALIGNED(KWS_ARENA_ALIGN) static uint8_t arena[KWS_ARENA_LEN];
static oto_runner kws;
/* [memory] */

/* [init] */
bool listen_init(void)
{
    return oto_runner_init(&kws, KWS_PLAN, KWS_PLAN_LEN, KWS_OPS, KWS_N_OPS, arena,
                           sizeof arena) == OTO_OK;
}
/* [init] */

/* [push] */
bool listen_push(const int16_t *samples, size_t n, bool *heard_yes)
{
    oto_event event;
    do {
        size_t used = 0;
        if (oto_runner_push_i16(&kws, samples, n, &used, &event) != OTO_OK) {
            return false;
        }
        samples += used;
        n -= used;
        if (event.kind == OTO_EVENT_DECISION && event.label == KWS_LABEL_YES) {
            *heard_yes = true;
        }
    } while (event.kind != OTO_EVENT_NONE);
    return true;
}
/* [push] */

/* [start] */
static int16_t half_buffer[160]; /* filled by DMA */
void yes(void);

void audio_task(void)
{
    bool heard_yes = false;
    if (listen_push(half_buffer, 160, &heard_yes) && heard_yes) {
        yes();
    }
}
/* [start] */
